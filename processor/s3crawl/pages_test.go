package s3crawl

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
)

// porter takes objects one at a time, and delivers those that are done.
type porter struct {
	do    func(ctx context.Context, l *Listed, o *inventory.Object) error
	whole func() bool // the page is done at once, without Each

	mu      sync.Mutex
	pages   int
	done    []string
	flying  int
	most    int
	overlap []string // what is outside of its page's bounds
}

func (p *porter) Page(ctx context.Context, n *processor.Node, l *Listed, out processor.Out) (int, error) {
	w, err := listing.Read(n.Params)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	p.pages++
	for _, o := range l.Objects {
		if l.piece != nil && (o.Key <= l.After && l.After != "" || l.Until != "" && o.Key > l.Until) {
			p.overlap = append(p.overlap, o.Key)
		}
	}
	p.mu.Unlock()
	done := len(l.Objects)
	if p.whole == nil || !p.whole() {
		todo := make([]int, 0, len(l.Objects))
		for i := range l.Objects {
			todo = append(todo, i)
		}
		done, err = l.Each(ctx, todo, func(ctx context.Context, i int) error {
			p.mu.Lock()
			p.flying++
			p.most = max(p.most, p.flying)
			p.mu.Unlock()
			defer func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.flying--
			}()
			if p.do == nil {
				return nil
			}
			return p.do(ctx, l, &l.Objects[i])
		})
		if err != nil {
			return 0, err
		}
	}
	return done, w.Deliver(out, l.Objects[:done])
}

func withPorter(b *bucket, p *porter, slots int) *Crawl {
	return New(Options{Lister: b, Slots: slots, Pages: p})
}

// Any keys, slots, cuts, moments to end and objects that are put off: each object
// is done in exactly one unit that counts.
func TestPagesDoEachObjectOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBucket(drawKeys(t, 120)...)
		b.perPage = rapid.IntRange(1, 9).Draw(t, "per page")
		prefix := rapid.SampledFrom([]string{"", "a", "a/"}).Draw(t, "prefix")
		mode := rapid.SampledFrom([]Mode{Range, Range, Prefix}).Draw(t, "mode")
		dues := rapid.SliceOfN(rapid.SampledFrom([]processor.Due{
			processor.NotDue, processor.NotDue, processor.NotDue, processor.NotDue, processor.Checkpoint, processor.Share, processor.Stop,
		}), 1, 30).Draw(t, "dues")
		later := rapid.SliceOfN(rapid.SampledFrom([]bool{false, false, false, true}), 1, 9).Draw(t, "later")
		whole := rapid.SliceOfN(rapid.Bool(), 1, 4).Draw(t, "whole")
		var asked, done, called atomic.Int64
		p := &porter{whole: func() bool { return whole[int(called.Add(1))%len(whole)] }}
		p.do = func(context.Context, *Listed, *inventory.Object) error {
			if mode == Range && later[int(done.Add(1))%len(later)] && done.Load() < 500 {
				return ErrLater
			}
			return nil
		}
		w := &walk{
			slots: rapid.IntRange(1, 9).Draw(t, "slots"), topTotals: 1000,
			due:  func(int) processor.Due { return dues[int(asked.Add(1))%len(dues)] },
			want: func() bool { return asked.Load()%5 == 0 },
		}
		c := withChaos(b, rapid.Uint64().Draw(t, "seed"))
		c.pages = p
		mustWalkWith(t, w, c, Root("b", prefix, mode))
		truthOf(b, prefix, defaultDepth).check(t, w, prefix)
		if len(p.overlap) > 0 {
			t.Fatalf("outside of their pages: %q", p.overlap)
		}
	})
}

// Objects that wait on something fill all slots there are, however long single
// ones take, and pages are listed neither late nor far ahead.
func TestPagesFillAllSlots(t *testing.T) {
	const slots, latency = 64, 30 * time.Millisecond
	b := newBucket(shapes()["tree"][:20_000]...)
	b.latency = latency
	r := rand.New(rand.NewPCG(1, 1))
	var mu sync.Mutex
	p := &porter{do: func(context.Context, *Listed, *inventory.Object) error {
		mu.Lock()
		long := r.IntN(2000) == 0
		mu.Unlock()
		if time.Sleep(latency); long {
			time.Sleep(50 * latency)
		}
		return nil
	}}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := &walk{slots: slots, topTotals: 5}
		mustWalkWith(t, w, withPorter(b, p, slots), Root("b", "", Range))
		took, ideal := time.Since(began), time.Duration(len(b.keys)/slots)*latency
		truthOf(b, "", defaultDepth).check(t, w, "")
		t.Logf("took %v, ideal %v; %d LISTs; %d at a time", took, ideal, b.lists(), p.most)
		if took > ideal+ideal/10+60*latency || p.most != slots {
			t.Errorf("took %v, want about %v; %d at a time", took, ideal, p.most)
		}
		if b.lists() > 30 {
			t.Errorf("%d LISTs for 20 pages", b.lists())
		}
	})
}

// Where there is nothing to do on pages, all slots list.
func TestPagesWithNothingToDo(t *testing.T) {
	const slots, latency = 16, 30 * time.Millisecond
	b := newBucket(shapes()["hex"]...)
	b.latency = latency
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := &walk{slots: slots, topTotals: 5}
		mustWalkWith(t, w, withPorter(b, &porter{whole: func() bool { return true }}, slots), Root("b", "", Range))
		if took := time.Since(began); took > 30*latency {
			t.Errorf("took %v, %d LISTs", took, b.lists())
		}
		truthOf(b, "", defaultDepth).check(t, w, "")
	})
}

// When the task stops, objects under way have a moment; then they are called off,
// and what is not done is handed on.
func TestPagesStop(t *testing.T) {
	b := newBucket(slices.Sorted(slices.Values(strings.Fields("a b c d e f")))...)
	synctest.Test(t, func(t *testing.T) {
		p := &porter{do: func(ctx context.Context, _ *Listed, o *inventory.Object) error {
			if o.Key != "c" {
				return nil
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}}
		a := &attempt{slots: make(chan struct{}), due: func(n int) processor.Due {
			if n > 2 {
				return processor.Stop
			}
			return processor.NotDue
		}}
		a.slots = make(chan struct{}, 1)
		a.slots <- struct{}{}
		root := With("b", "", 0, Range, json.RawMessage(`{"x":"<&>"}`))
		err := withPorter(b, p, 2).Process(t.Context(), &processor.Node{Run: "r", Kind: Kind, Args: root.Args, Params: map[string]string{listing.ParamFormat: "keys"}}, a)
		if err != nil || string(a.rows) != "a\nb\n" || len(a.children) != 1 {
			t.Fatalf("%v; rows %q, children %v", err, a.rows, a.children)
		}
		got, err := parseArgs(a.children[0].Args)
		if err != nil || len(got.Ranges) != 1 || got.Ranges[0].After != "b" || string(got.With) != `{"x":"<&>"}` {
			t.Errorf("left is %+v, %v", got, err)
		}
	})
}

// An error on a page fails the attempt; nobody is left behind.
func TestPagesError(t *testing.T) {
	b := newBucket(shapes()["tree"][:5000]...)
	bad := errors.New("bad")
	p := &porter{}
	p.do = func(context.Context, *Listed, *inventory.Object) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.done) > 700 {
			return bad
		}
		p.done = append(p.done, "")
		return nil
	}
	w := &walk{slots: 8, topTotals: 5}
	if err := w.run(t.Context(), withPorter(b, p, 8), Root("b", "", Range)); err != nil {
		t.Fatal(err)
	}
	if len(w.failures) != 1 || !errors.Is(w.failures[0], bad) || w.leaked != 0 {
		t.Errorf("failures %v, %d slots leaked", w.failures, w.leaked)
	}
}
