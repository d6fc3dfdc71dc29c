package s3crawl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ramify/ramify/processor"
)

// fleet is tasks that share nothing but a queue, as on several machines: each
// learns for itself where keys are, and hears late that another is idle.
type fleet struct {
	tasks, slots  int
	post, settle  time.Duration // that a message and the end of a unit take
	first, hear   time.Duration // after which, and how often a task hears of the others
	listed, units atomic.Int64

	queue   chan processor.Child
	pending atomic.Int64 // messages not done
	busy    []atomic.Int64
	spare   []atomic.Int64 // by task: units that are yet to share
	heard   atomic.Int64   // of those that had begun when it was heard who has nothing to do
	done    chan struct{}
}

// walk walks a tree to its end.
func (f *fleet) walk(ctx context.Context, l Lister, root processor.Child) error {
	f.queue, f.done, f.busy = make(chan processor.Child, 10_000), make(chan struct{}), make([]atomic.Int64, f.tasks)
	f.spare = make([]atomic.Int64, f.tasks)
	var failed error
	var once sync.Once
	var work sync.WaitGroup
	work.Go(f.listen)
	for i := range f.tasks {
		t := &member{f: f, crawl: New(Options{Lister: l, Slots: f.slots}), busy: &f.busy[i], spare: &f.spare[i], idle: make(chan struct{}, f.slots)}
		for range f.slots {
			t.idle <- struct{}{}
		}
		work.Go(func() {
			t.receive(&work, func(c processor.Child) {
				if err := t.work(ctx, c); err != nil {
					once.Do(func() { failed = err; close(f.done) })
				}
			})
		})
	}
	f.send(root)
	work.Wait()
	return failed
}

func (f *fleet) send(c processor.Child) {
	f.pending.Add(1)
	time.AfterFunc(f.post, func() { f.queue <- c })
}

// listen has all hear, from time to time, who has nothing to do, as package task does.
func (f *fleet) listen() {
	tick := time.NewTimer(f.first)
	defer tick.Stop()
	for {
		select {
		case <-f.done:
			return
		case <-tick.C:
		}
		tick.Reset(f.hear)
		idle := 0
		for i := range f.busy {
			if f.busy[i].Load() == 0 {
				idle++
			}
		}
		f.heard.Store(time.Now().UnixNano())
		part := max(float64(idle*f.slots)/8, 1) / float64(max(f.tasks-idle, 1))
		for i := range f.busy {
			n := int64(part)
			if rand.Float64() < part-float64(n) {
				n++
			}
			if idle == 0 || len(f.queue) > 0 {
				n = 0
			}
			f.spare[i].Store(n)
		}
	}
}

// member is one task of a fleet.
type member struct {
	f           *fleet
	crawl       *Crawl
	busy, spare *atomic.Int64
	idle        chan struct{} // slots
	waiting     atomic.Int64  // units that wait for one
}

// receive takes messages, fewer than there are slots at a time, and has each worked
// on in a slot, while those that have none are there to be borrowed.
func (t *member) receive(work *sync.WaitGroup, do func(processor.Child)) {
	held := make(chan struct{}, t.f.slots)
	for {
		select {
		case <-t.f.done:
			return
		case held <- struct{}{}:
		}
		select {
		case <-t.f.done:
			return
		case c := <-t.f.queue:
			t.busy.Add(1)
			work.Go(func() {
				t.waiting.Add(1)
				<-t.idle
				t.waiting.Add(-1)
				do(c)
				t.idle <- struct{}{}
				t.busy.Add(-1)
				<-held
			})
		}
	}
}

func (t *member) work(ctx context.Context, c processor.Child) error {
	f, began := t.f, time.Now()
	a := &attempt{slots: t.idle, want: func() bool { return t.waiting.Load() > 0 }}
	shares := false
	a.due = func(int) processor.Due {
		switch age := time.Since(began); {
		case shares:
			return processor.Share
		case age > 10*time.Second:
			return processor.Checkpoint
		case age > 200*time.Millisecond && began.UnixNano() <= f.heard.Load() && t.spare.Add(-1) >= 0:
			shares = true
			return processor.Share
		}
		return processor.NotDue
	}
	if err := t.crawl.Process(ctx, &processor.Node{Run: "r", Kind: Kind, ID: c.ID, Args: c.Args}, a); err != nil {
		return err
	}
	time.Sleep(f.settle) // virtual: the unit's commit
	f.listed.Add(a.objects)
	f.units.Add(1)
	for _, child := range a.children {
		f.send(child)
	}
	if f.pending.Add(-1) == 0 {
		close(f.done)
	}
	return nil
}

// Four tasks without shared memory list what one does, in at most 1.35 requests a
// page, and one for each slot.
func TestTasksWithoutSharedMemory(t *testing.T) {
	for name, keys := range shapes() {
		t.Run(name, func(t *testing.T) {
			b := newBucket(keys...)
			b.latency = 30 * time.Millisecond
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				f := &fleet{tasks: 4, slots: 16, post: 30 * time.Millisecond, settle: 20 * time.Millisecond, first: 250 * time.Millisecond, hear: time.Second}
				if err := f.walk(t.Context(), b, Root("b", "", Range)); err != nil {
					t.Fatal(err)
				}
				if n := f.listed.Load(); n != int64(len(b.keys)) {
					t.Errorf("%d of %d keys", n, len(b.keys))
				}
				pages := max(1, float64(len(b.keys)+pageKeys-1)/pageKeys)
				what := fmt.Sprintf("%d LISTs, %.2f × the pages, %d messages, %v", b.lists(), float64(b.lists())/pages, f.units.Load(), time.Since(began))
				t.Log(what)
				if most := 1.35*pages + float64(f.tasks*f.slots); float64(b.lists()) > most {
					t.Errorf("%s: want at most %.0f LISTs", what, most)
				}
			})
		})
	}
}
