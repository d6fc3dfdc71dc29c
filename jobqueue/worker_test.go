package jobqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ramify/ramify/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake keeps messages of one queue and records what is asked of it.
type fake struct {
	mu       sync.Mutex
	waiting  []Delivery
	asked    []string
	receives func(n int) error // fault of a receive
	extends  func(n int) error
	n, e     int
}

var _ Queues = (*fake)(nil)

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

func (f *fake) Send(_ context.Context, ps []Posting) []Sent {
	for _, p := range ps {
		f.note("send %s %s", p.Queue, p.Attrs[AttrReason])
	}
	return make([]Sent, len(ps))
}

func (f *fake) Find(_ context.Context, p string) ([]string, error) { return []string{p}, nil }

func (f *fake) Receive(ctx context.Context, _ string, r Request) ([]Delivery, error) {
	f.mu.Lock()
	f.n++
	if f.receives != nil {
		if err := f.receives(f.n); err != nil {
			f.mu.Unlock()
			return nil, err
		}
	}
	n := min(r.Max, len(f.waiting))
	got := slices.Clone(f.waiting[:n])
	f.waiting = f.waiting[n:]
	f.mu.Unlock()
	if n == 0 {
		sleep(ctx, r.Wait) // as SQS, which cannot be told to hurry
	}
	return got, nil
}

func (f *fake) Delete(_ context.Context, _, receipt string) error {
	f.note("delete %s", receipt)
	return nil
}

func (f *fake) Extend(_ context.Context, _, receipt string, d time.Duration) error {
	f.note("extend %s by %s", receipt, d)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.e++
	if f.extends != nil {
		return f.extends(f.e)
	}
	return nil
}
func (f *fake) Depth(context.Context, string) (queue.Depth, error) { return queue.Depth{}, nil }
func (f *fake) Close() error                                       { return nil }

// job is a message of an unsigned job.
func job(t *testing.T, id string) Delivery {
	t.Helper()
	body, _, err := Codec{}.Pack("q", Job{Argv: []string{"run", id}})
	if err != nil {
		t.Fatal(err)
	}
	return Delivery{ID: id, Receipt: id, Body: body, Receives: 1}
}

func worker(f *fake, change func(*Config)) (*Worker, *[]Event) {
	var events []Event
	c := Config{
		Queues: f, Names: Names{FailSuffix: "_failed"}, Patterns: []string{"q"}, Drain: true, Wait: 20 * time.Second,
		Report: func(e Event) { events = append(events, e) },
		Run:    func(context.Context, string, Job) Outcome { return Outcome{} },
	}
	change(&c)
	return New(c), &events
}

// runFor is a job that takes so long.
func runFor(d time.Duration) func(context.Context, string, Job) Outcome {
	return func(ctx context.Context, _ string, _ Job) Outcome {
		if !sleep(ctx, d) {
			return Outcome{Code: -1, Err: context.Cause(ctx)}
		}
		return Outcome{}
	}
}

// A job that takes long is held by few requests, and deleted at its end.
func TestLongJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{waiting: []Delivery{job(t, "a")}}
		w, _ := worker(f, func(c *Config) { c.Run, c.KillAfter = runFor(10*time.Minute), time.Hour })
		w.Start(t.Context())
		<-w.Done()
		want := []string{"extend a by 1m0s", "extend a by 2m0s", "extend a by 4m0s", "extend a by 8m0s", "extend a by 16m0s", "delete a"}
		if !slices.Equal(f.asked, want) {
			t.Errorf("asked %q, want %q", f.asked, want)
		}
		if tally, err := w.Result(); err != nil || tally.Succeeded != 1 {
			t.Errorf("%+v, %v", tally, err)
		}
	})
}

// Whose message is given to somebody else is ended, and is not touched any more.
func TestLostJob(t *testing.T) {
	for name, fault := range map[string]func(int) error{
		"said":     func(int) error { return ErrLeaseLost },
		"in vain":  func(int) error { return errors.New("away") },
		"at first": func(n int) error { return map[bool]error{true: errors.New("away")}[n < 5] },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{waiting: []Delivery{job(t, "a")}, extends: fault}
				w, events := worker(f, func(c *Config) { c.Run, c.KillAfter = runFor(time.Minute), time.Hour })
				w.Start(t.Context())
				<-w.Done()
				last := (*events)[len(*events)-2] // before the last look
				if name == "at first" {
					if !slices.Contains(f.asked, "delete a") {
						t.Errorf("asked %q", f.asked)
					}
					return
				}
				if slices.Contains(f.asked, "delete a") || slices.Contains(f.asked, "extend a by 0s") {
					t.Errorf("asked %q", f.asked)
				}
				if last.Event != Failed || !strings.Contains(last.ErrorMessage, ErrLost.Error()) {
					t.Errorf("got %+v", last)
				}
			})
		})
	}
}

// What has failed is shown at once, so that it moves; what comes back, since nothing
// moves it, waits longer each time; what fails in a failed queue stays hidden.
func TestFailedJob(t *testing.T) {
	fails := func(context.Context, string, Job) Outcome { return Outcome{Code: 1, Err: errors.New("no")} }
	for _, c := range []struct {
		queue    string
		receives int
		want     []string
	}{
		{"q", 1, []string{"extend a by 0s"}},
		{"q", 3, []string{"extend a by 2m0s"}},
		{"q", 40, []string{"extend a by 15m0s"}},
		{"q_failed", 1, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := job(t, "a")
			d.Receives = c.receives
			f := &fake{waiting: []Delivery{d}}
			w, _ := worker(f, func(conf *Config) { conf.Run, conf.Patterns = fails, []string{c.queue} })
			w.Start(t.Context())
			<-w.Done()
			if !slices.Equal(f.asked, c.want) {
				t.Errorf("%s, received %d times: asked %q, want %q", c.queue, c.receives, f.asked, c.want)
			}
			if tally, _ := w.Result(); tally.Failed != 1 {
				t.Errorf("%+v", tally)
			}
		})
	}
}

// What cannot be executed goes to the failed queue with the reason, and in there stays.
func TestRefusedJob(t *testing.T) {
	for name, want := range map[string]int{"q": 2, "q_failed": 0} {
		synctest.Test(t, func(t *testing.T) {
			attrs := map[string]string{}
			for i := range 9 {
				attrs[fmt.Sprint("theirs", i)] = "x"
			}
			f := &fake{waiting: []Delivery{{ID: "a", Receipt: "a", Body: []byte("rm -rf"), Attrs: attrs, Receives: 1}}}
			w, _ := worker(f, func(c *Config) { c.Patterns = []string{name} })
			w.Start(t.Context())
			<-w.Done()
			if len(f.asked) != want || want > 0 && (!strings.HasPrefix(f.asked[0], "send q_failed parse message") || f.asked[1] != "delete a") {
				t.Errorf("%s: asked %q", name, f.asked)
			}
		})
	}
}

// A worker that is told to drain runs what a receive under way brings, and no more.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{waiting: []Delivery{job(t, "a"), job(t, "b")}}
		w, _ := worker(f, func(c *Config) { c.Run, c.Drain = runFor(time.Minute), false })
		w.Start(t.Context())
		time.Sleep(time.Second)
		w.Drain()
		w.Drain()
		<-w.Done()
		if tally, err := w.Result(); err != nil || tally.Succeeded != 1 || len(f.waiting) != 1 {
			t.Errorf("%+v, %v, %d wait", tally, err, len(f.waiting))
		}
	})
}

// Killed, it ends what runs with the cause, and lets the message go.
func TestKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{waiting: []Delivery{job(t, "a")}}
		w, events := worker(f, func(c *Config) { c.Run, c.Drain = runFor(time.Hour), false })
		w.Start(t.Context())
		time.Sleep(time.Second)
		cause := errors.New("enough")
		w.Kill(cause)
		<-w.Done()
		if last := (*events)[len(*events)-1]; last.Event != Failed || last.ErrorMessage != cause.Error() {
			t.Errorf("got %+v", last)
		}
		if !slices.Equal(f.asked, []string{"extend a by 0s"}) {
			t.Errorf("asked %q", f.asked)
		}
	})
}

type lastingError struct{ error }

func (lastingError) Permanent() bool { return true }

// Queues that cannot be reached are tried again for a minute and more; those that never
// will be are not.
func TestTrouble(t *testing.T) {
	for _, c := range []struct {
		fault func(int) error
		least time.Duration
		fails bool
	}{
		{func(n int) error { return map[bool]error{true: errors.New("away")}[n < 5] }, 15 * time.Second, false},
		{func(int) error { return errors.New("away") }, time.Minute, true},
		{func(int) error { return lastingError{errors.New("denied")} }, 0, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			f := &fake{receives: c.fault}
			w, _ := worker(f, func(*Config) {})
			w.Start(t.Context())
			<-w.Done()
			if _, err := w.Result(); (err != nil) != c.fails || time.Since(began) < c.least {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	}
}

// Never are there more jobs at a time than slots, and all slots are used.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		for i := range 50 {
			f.waiting = append(f.waiting, job(t, fmt.Sprint(i)))
		}
		var mu sync.Mutex
		now, most := 0, 0
		w, _ := worker(f, func(c *Config) {
			c.Concurrency = 12
			c.Run = func(ctx context.Context, id string, j Job) Outcome {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					now--
				}()
				return runFor(time.Second)(ctx, id, j)
			}
		})
		w.Start(t.Context())
		<-w.Done()
		if tally, _ := w.Result(); tally.Succeeded != 50 || most != 12 {
			t.Errorf("%+v, %d at a time", tally, most)
		}
	})
}
