package s3crawl

import (
	"context"
	"fmt"
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
	hear          time.Duration // how often a task hears of the others
	listed, units atomic.Int64

	queue   chan processor.Child
	pending atomic.Int64 // messages not done
	busy    []atomic.Int64
	hungry  atomic.Bool // some task has nothing to do, as far as was heard
	done    chan struct{}
}

// walk walks a tree to its end.
func (f *fleet) walk(ctx context.Context, l Lister, root processor.Child) error {
	f.queue, f.done, f.busy = make(chan processor.Child, 10_000), make(chan struct{}), make([]atomic.Int64, f.tasks)
	var failed error
	var once sync.Once
	var work sync.WaitGroup
	work.Go(f.listen)
	for i := range f.tasks {
		crawl, idle := New(Options{Lister: l, Slots: f.slots}), make(chan struct{}, f.slots)
		for range f.slots {
			idle <- struct{}{}
		}
		for range f.slots {
			work.Go(func() {
				if err := f.work(ctx, crawl, &f.busy[i], idle); err != nil {
					once.Do(func() { failed = err; close(f.done) })
				}
			})
		}
	}
	f.send(root)
	work.Wait()
	return failed
}

func (f *fleet) send(c processor.Child) {
	f.pending.Add(1)
	time.AfterFunc(f.post, func() { f.queue <- c })
}

func (f *fleet) listen() {
	tick := time.NewTicker(f.hear)
	defer tick.Stop()
	for {
		select {
		case <-f.done:
			return
		case <-tick.C:
			idle := false
			for i := range f.busy {
				idle = idle || f.busy[i].Load() == 0
			}
			f.hungry.Store(idle && len(f.queue) == 0)
		}
	}
}

// work is one slot of a task.
func (f *fleet) work(ctx context.Context, crawl *Crawl, busy *atomic.Int64, idle chan struct{}) error {
	for {
		var c processor.Child
		select {
		case <-f.done:
			return nil
		case <-idle:
		}
		select {
		case <-f.done:
			return nil
		case c = <-f.queue:
		}
		busy.Add(1)
		began := time.Now()
		a := &attempt{slots: idle, want: func() bool { return len(f.queue) > 0 && len(idle) == 0 }}
		a.due = func(int) processor.Due {
			switch age := time.Since(began); {
			case age > 10*time.Second:
				return processor.Checkpoint
			case age > 200*time.Millisecond && f.hungry.Load():
				return processor.Share
			}
			return processor.NotDue
		}
		if err := crawl.Process(ctx, &processor.Node{Run: "r", Kind: Kind, ID: c.ID, Args: c.Args}, a); err != nil {
			return err
		}
		time.Sleep(f.settle) // virtual: the unit's commit
		f.listed.Add(a.objects)
		f.units.Add(1)
		for _, child := range a.children {
			f.send(child)
		}
		busy.Add(-1)
		if f.pending.Add(-1) == 0 {
			close(f.done)
			return nil
		}
		idle <- struct{}{}
	}
}

// Four tasks without shared memory list what one does, in at most 1.35 requests a
// page, and one for each slot of a task.
func TestTasksWithoutSharedMemory(t *testing.T) {
	for name, keys := range shapes() {
		t.Run(name, func(t *testing.T) {
			b := newBucket(keys...)
			b.latency = 30 * time.Millisecond
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				f := &fleet{tasks: 4, slots: 16, post: 30 * time.Millisecond, settle: 20 * time.Millisecond, hear: 500 * time.Millisecond}
				if err := f.walk(t.Context(), b, Root("b", "", Range)); err != nil {
					t.Fatal(err)
				}
				if n := f.listed.Load(); n != int64(len(b.keys)) {
					t.Errorf("%d of %d keys", n, len(b.keys))
				}
				pages := max(1, float64(len(b.keys)+pageKeys-1)/pageKeys)
				what := fmt.Sprintf("%d LISTs, %.2f × the pages, %d messages, %v", b.lists(), float64(b.lists())/pages, f.units.Load(), time.Since(began))
				t.Log(what)
				if most := 1.35*pages + float64(f.slots); float64(b.lists()) > most {
					t.Errorf("%s: want at most %.0f LISTs", what, most)
				}
			})
		})
	}
}
