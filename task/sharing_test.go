package task_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/task"
)

// divisible is work of so many steps, which a unit that is to share it divides.
type divisible struct {
	borrow bool
	mu     sync.Mutex
	steps  map[string]int // done, by task
	first  map[string]time.Time
	shares atomic.Int64
}

func (d *divisible) in(id string) processor.Processor {
	return process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
		left := 0
		if _, err := fmt.Sscan(strings.TrimPrefix(n.ID, "steps-"), &left); err != nil {
			return processor.Permanent(err)
		}
		d.mu.Lock()
		if d.first[id].IsZero() {
			d.first[id] = time.Now()
		}
		d.mu.Unlock()
		if d.borrow {
			if s, ok := out.Borrow(); ok {
				defer s.Return()
			}
		}
		for ; left > 0; left-- {
			time.Sleep(10 * time.Millisecond)
			d.mu.Lock()
			d.steps[id]++
			d.mu.Unlock()
			out.Count(1, 0)
			switch due := out.Due(); {
			case ctx.Err() != nil:
				return ctx.Err()
			case due == processor.Share && left > 2:
				d.shares.Add(1)
				left--
				for _, part := range []int{left / 2, left - left/2} {
					if err := out.Child(processor.Child{ID: fmt.Sprintf("steps-%d", part)}); err != nil {
						return err
					}
				}
				return nil
			case due == processor.Checkpoint && left > 1:
				return out.Child(processor.Child{ID: fmt.Sprintf("steps-%d", left-1), Rest: true})
			}
		}
		return nil
	})
}

func (w *world) shared(d *divisible, tasks, slots int, change ...func(*task.Config)) {
	for range tasks {
		id := fmt.Sprintf("task-%d", w.n+1)
		w.task(append(change, func(c *task.Config) {
			c.Shared, c.Concurrency, c.Wait = true, slots, 20*time.Second
			c.Processors = processor.Set{"k": d.in(id)}
		})...)
	}
}

// A task that has nothing to do gets work of another's only unit, borrowing or not,
// and whether or not units end at checkpoints.
func TestAnIdleTaskGetsWorkOfABusyOne(t *testing.T) {
	for _, borrow := range []bool{false, true} {
		for _, checkpoint := range []time.Duration{time.Second, time.Hour} {
			for _, p := range []float64{0, 0.05} {
				synctest.Test(t, func(t *testing.T) {
					const steps = 30_000 // five minutes
					d := &divisible{borrow: borrow, steps: map[string]int{}, first: map[string]time.Time{}}
					w := newWorld(t, 1, processor.Set{"k": d.in("")})
					w.unkind(p)
					w.shared(d, 4, 2, func(c *task.Config) { c.Checkpoint = checkpoint })
					time.Sleep(time.Minute) // all are idle, and say so
					r := ledger.Run{ID: "run", Root: ledger.Kid{Kind: "k", ID: fmt.Sprintf("steps-%d", steps)}}
					w.create(r)
					began := time.Now()
					got := w.wait(0)
					took := time.Since(began)
					assert.Equal(t, ledger.Finished, got.State)
					assert.EqualValues(t, steps, got.Totals.Objects)
					d.mu.Lock()
					defer d.mu.Unlock()
					assert.Len(t, d.first, 4, "tasks that had work")
					if p == 0 {
						soonest := 0
						for _, at := range d.first {
							if at.Sub(began) < time.Second {
								soonest++
							}
						}
						assert.GreaterOrEqual(t, soonest, 2, "the second has work within a second")
						assert.Less(t, took, 160*time.Second, "of 300 s of work, by four tasks")
					}
					assert.Less(t, d.shares.Load(), int64(400), "units that shared")
				})
			}
		}
	}
}

// create seeds a run however unkind the world is.
func (w *world) create(r ledger.Run) {
	w.t.Helper()
	r.State = ledger.Running
	for range 1000 {
		if err := w.ledger.Create(context.Background(), r); err == nil || w.known(r.ID) {
			break
		}
	}
	m := schema.Message{V: schema.Version, Run: r.ID, Op: schema.OpNode, Kind: r.Root.Kind, ID: r.Root.ID, MID: schema.NewMID(), Share: schema.Whole}
	require.NoError(w.t, w.poster().Send(w.t.Context(), post.Letter{Message: m}))
}

func (w *world) known(run string) bool {
	_, err := w.ledger.Run(context.Background(), run)
	return err == nil
}

// One task alone shares with nobody, and idle tasks cost few writes and no read.
func TestFlagsCostLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &divisible{steps: map[string]int{}, first: map[string]time.Time{}}
		w := newWorld(t, 1, processor.Set{"k": d.in("")})
		w.shared(d, 1, 1, func(c *task.Config) { c.Checkpoint = time.Hour })
		w.create(ledger.Run{ID: "run", Root: ledger.Kid{Kind: "k", ID: "steps-30000"}})
		w.wait(0)
		assert.Zero(t, d.shares.Load(), "there is nobody to share with")
		assert.LessOrEqual(t, w.ledger.Calls().Workers.Calls, 300, "a read a second while a unit could share")

		reads, writes := w.ledger.Calls().Workers.Calls, w.ledger.Calls().Report.Calls
		time.Sleep(time.Hour)
		assert.Equal(t, reads, w.ledger.Calls().Workers.Calls)
		assert.LessOrEqual(t, w.ledger.Calls().Report.Calls-writes, 150+180+10, "flags of an hour")
		w.stop()
		flags, err := w.ledger.Workers(t.Context(), "@idle")
		require.NoError(t, err)
		require.Len(t, flags, 1)
		assert.Zero(t, flags[0].Slots, "a task that is gone is not idle")
		require.Error(t, schema.CheckRunName("@idle"))
	})
}
