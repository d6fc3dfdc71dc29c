package pace

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// No second, wherever it begins, sees more requests than the cap; with enough to
// do it sees as many. All buckets share it.
func TestCapIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, callers, length = 50, 20, 10 * time.Second
		p := New(perSecond)
		ctx, cancel := context.WithTimeout(t.Context(), length)
		defer cancel()
		var mu sync.Mutex
		var at []time.Time
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				for {
					r, err := p.Wait(ctx, []string{"a", "b"}[i%2])
					if err != nil {
						return
					}
					mu.Lock()
					at = append(at, time.Now())
					mu.Unlock()
					time.Sleep(3 * time.Millisecond)
					r.Done(Fine)
				}
			})
		}
		all.Wait()
		for i := perSecond; i < len(at); i++ {
			if d := at[i].Sub(at[i-perSecond]); d < time.Second-time.Microsecond {
				t.Fatalf("%d requests within %v", perSecond+1, d)
			}
		}
		if want := int(length/time.Second) * perSecond; len(at) < want-1 || len(at) > want+1 {
			t.Errorf("%d requests in %v, want %d", len(at), length, want)
		}
	})
}

// What went out without waiting counts, too.
func TestSentCountsAgainstTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(10)
		begin := time.Now()
		for range 2 {
			r, err := p.Wait(t.Context(), "b")
			if err != nil {
				t.Fatal(err)
			}
			p.Sent(4)
			r.Done(Fine)
		}
		if took := time.Since(begin); took != 500*time.Millisecond {
			t.Errorf("the second request went out after %v", took)
		}
		New(0).Sent(3)
	})
}

// server bears so many requests a second of a bucket, and says so beyond.
type server struct {
	perSecond int
	latency   time.Duration

	mu      sync.Mutex
	second  time.Time
	count   int
	refused int
	served  int
}

func (s *server) ask() Verdict {
	time.Sleep(s.latency)
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.second) >= 100*time.Millisecond {
		s.second, s.count = time.Now(), 0
	}
	if s.count++; s.count > s.perSecond/10 {
		s.refused++
		return TooFast
	}
	s.served++
	return Fine
}

// read is what was served and refused since it was read last.
func (s *server) read() (served, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	served, refused = s.served, s.refused
	s.served, s.refused = 0, 0
	return served, refused
}

// A bucket that is asked too much is slowed to what it bears, another is not,
// and when it bears more again it gets more.
func TestBucketIsSlowedAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 64
		p := New(0)
		busy := &server{perSecond: 400, latency: 30 * time.Millisecond}
		idle := &server{perSecond: 1 << 30, latency: 30 * time.Millisecond}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for bucket, s := range map[string]*server{"busy": busy, "idle": idle} {
			for range callers {
				all.Go(func() {
					for {
						r, err := p.Wait(ctx, bucket)
						if err != nil {
							return
						}
						r.Done(s.ask())
					}
				})
			}
		}
		time.Sleep(5 * time.Second)
		busy.read()
		idle.read()
		time.Sleep(10 * time.Second)
		served, refused := busy.read()
		// 64 in flight would ask 2,133 times a second, four fifths in vain.
		if served < 2500 || refused > served/8 {
			t.Errorf("of a bucket that bears 400 a second %d were served and %d refused in 10 s", served, refused)
		}
		full := int(10*time.Second/idle.latency) * callers
		if n, _ := idle.read(); n < full-callers {
			t.Errorf("the other bucket served %d of %d", n, full)
		}

		busy.mu.Lock()
		busy.perSecond = 1 << 30
		busy.mu.Unlock()
		time.Sleep(10 * time.Second)
		busy.read()
		time.Sleep(10 * time.Second)
		if n, _ := busy.read(); n < full-callers {
			t.Errorf("after it bears more again the bucket served %d of %d", n, full)
		}
		cancel()
		all.Wait()
		if n := len(p.windows); n != 0 {
			t.Errorf("%d buckets are kept", n)
		}
	})
}

// All that are in flight when a bucket is slowed slow it once.
func TestOneRoundSlowsOnce(t *testing.T) {
	p := New(0)
	var requests []*Request
	for range 32 {
		r, err := p.Wait(t.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		requests = append(requests, r)
	}
	for _, r := range requests {
		r.Done(TooFast)
	}
	if w := p.windows["b"]; w.limit != 16 || w.slowed != 1 || w.flying != 0 {
		t.Errorf("window %+v", w)
	}
	r, err := p.Wait(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	r.Done(TooFast)
	if w := p.windows["b"]; w.limit != 1 {
		t.Errorf("window %+v", w)
	}
}

// Who gives up waiting leaves no gap, in either place.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1)
		first, err := p.Wait(t.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		p.windows["b"].limit, p.windows["b"].peak = 1, 1
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := p.Wait(ctx, "b"); !errors.Is(err, gone) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		if n := len(p.windows["b"].queue); n != 5 {
			t.Errorf("%d wait", n)
		}
		first.Done(Other) // one waits for the cap now
		synctest.Wait()
		cancel(gone)
		all.Wait()
		if w := p.windows["b"]; w.flying != 0 || len(w.queue) != 0 {
			t.Errorf("window %+v", w)
		}
		time.Sleep(2 * time.Second)
		begin := time.Now()
		r, err := p.Wait(t.Context(), "b")
		if err != nil || time.Since(begin) > time.Second {
			t.Fatalf("%v after %v", err, time.Since(begin))
		}
		r.Done(Fine)
	})
}

// Who slows, and how far, can be seen; the beginning and the end are told once.
func TestTurnsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(0)
		var turns []Turn
		p.OnTurn(func(turn Turn) { turns = append(turns, turn) })
		ask := func(n int, v Verdict) {
			var requests []*Request
			for range n {
				r, err := p.Wait(t.Context(), "table")
				if err != nil {
					t.Fatal(err)
				}
				requests = append(requests, r)
			}
			for _, r := range requests {
				r.Done(v)
			}
		}
		if p.Slowed() != nil {
			t.Errorf("slowed before it is asked: %v", p.Slowed())
		}
		ask(8, TooFast)
		if got := p.Slowed(); len(got) != 1 || got["table"] != 4 {
			t.Errorf("slowed: %v", got)
		}
		time.Sleep(time.Minute)
		ask(4, TooFast)
		if got := p.Slowed(); got["table"] != 2 {
			t.Errorf("slowed more: %v", got)
		}
		for n := 0; p.Slowed() != nil; n++ {
			if n > 1000 {
				t.Fatal("it does not recover")
			}
			ask(p.Slowed()["table"], Fine)
		}
		want := []Turn{{To: "table", Slowed: true, Limit: 4}, {To: "table", Lasted: time.Minute}}
		if len(turns) != 2 || turns[0] != want[0] || turns[1] != want[1] {
			t.Errorf("told %+v, want %+v", turns, want)
		}
	})
}

// A caller that has gone takes no turn, even where there is one.
func TestWhoHasGoneTakesNoTurn(t *testing.T) {
	p := New(0)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := p.Wait(ctx, "table"); !errors.Is(err, gone) || len(p.windows) != 0 {
		t.Errorf("got %v, windows %v", err, p.windows)
	}
}

// What pacing costs where nothing is slowed, from many goroutines at once.
func BenchmarkUnslowed(b *testing.B) {
	p := New(0)
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := p.Wait(ctx, "table")
			if err != nil {
				b.Fatal(err)
			}
			r.Done(Fine)
		}
	})
}
