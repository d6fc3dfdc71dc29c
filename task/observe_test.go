package task_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

// What units came to adds up to the run.
func TestObservationsAddUpToTheRun(t *testing.T) {
	for _, inline := range []int{0, 10} {
		synctest.Test(t, func(t *testing.T) {
			f := forest{depth: 4, fanout: 5, poison: 0.05, flaky: 0.5}.grown(60)
			w := newWorld(t, 1, processor.Set{"tree": process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
				out.Request("list", 2)
				time.Sleep(time.Second)
				return f.Process(ctx, n, out)
			})})
			w.options.Inline = inline
			w.seed("tree")
			require.NoError(t, w.main.Send(t.Context(), []queue.Entry{{Body: []byte("rm -rf /")}})[0])
			time.Sleep(3 * time.Second)
			var mu sync.Mutex
			var sum task.Observation
			units, leaves, waited := 0, int64(0), time.Duration(0)
			w.task(func(c *task.Config) {
				c.Observe = func(o task.Observation) {
					mu.Lock()
					defer mu.Unlock()
					units++
					waited = max(waited, o.Waited)
					sum.Nodes += o.Nodes
					sum.Children += o.Children
					sum.Failures += o.Failures
					sum.Retries += o.Retries
					sum.Rejected += o.Rejected
					sum.Busy += o.Busy
					if o.Rejected > 0 {
						return
					}
					if o.Nodes > 0 && o.Children == 0 {
						leaves++
					}
					assert.Equal(t, "run", o.Run)
					assert.Equal(t, "tree", o.Kind)
					assert.Positive(t, o.Requests["list"])
					assert.GreaterOrEqual(t, o.Busy, time.Second)
				}
			})
			r := w.wait(0)
			w.stop()
			w.audit(f, r)
			mu.Lock()
			defer mu.Unlock()
			assert.Equal(t, r.Totals.Nodes, sum.Nodes)
			assert.Equal(t, r.Totals.Failures, sum.Failures)
			assert.EqualValues(t, 1, sum.Rejected)
			assert.Positive(t, sum.Retries)
			// Each message is the root, a child, a retry or the foreign one.
			assert.EqualValues(t, units, 1+sum.Children+sum.Retries+sum.Rejected)
			assert.Equal(t, w.main.Calls().Send.Entries, units)
			assert.GreaterOrEqual(t, waited, 3*time.Second, "the root waited for the task")

			workers, err := w.ledger.Workers(t.Context(), "run")
			require.NoError(t, err)
			require.Len(t, workers, 1)
			assert.EqualValues(t, units-1, workers[0].Units, "the board knows them, but for the foreign one")
			assert.Equal(t, leaves, workers[0].Leaves)
			assert.Equal(t, sum.Busy, workers[0].Busy)
		})
	}
}

// Busy is told of the first message and of the last, and of nothing in between.
func TestBusyIsToldOnItsEdgesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := forest{depth: 4, fanout: 5, slow: 0.5}.grown(30)
		w := newWorld(t, 1, processor.Set{"tree": f})
		var mu sync.Mutex
		var told []bool
		engine := w.task(func(c *task.Config) {
			c.Busy = func(busy bool) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, busy)
			}
		})
		time.Sleep(time.Minute)
		mu.Lock()
		assert.Empty(t, told, "it holds nothing")
		mu.Unlock()
		w.seed("tree")
		w.wait(0)
		time.Sleep(time.Minute)
		assert.True(t, engine.Idle())
		mu.Lock()
		defer mu.Unlock()
		require.NotEmpty(t, told)
		assert.True(t, told[0])
		assert.False(t, told[len(told)-1])
		for i := 1; i < len(told); i++ {
			assert.NotEqual(t, told[i-1], told[i], "edge %d", i)
		}
		assert.Less(t, len(told), 20, "retries and pauses apart, a busy task stays so")
	})
}

// The number of slots that a run asks for is that of every task that works on it,
// also when it changes under a unit that takes hours; 0 leaves it to the task.
func TestConcurrencyOfTheRunIsAppliedWhileItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		w := newWorld(t, 1, processor.Set{"k": process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
			if n.Depth == 0 {
				var err error
				for i := range 50 {
					err = errors.Join(err, out.Child(processor.Child{ID: fmt.Sprint(i)}))
				}
				return err
			}
			now.Add(1)
			defer now.Add(-1)
			select {
			case <-time.After(time.Hour):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})})
		w.options.Concurrency = 2
		w.seed("k")
		w.task(func(c *task.Config) { c.Concurrency = 5 })
		is := func(n int64, why string) {
			t.Helper()
			time.Sleep(10 * time.Second)
			assert.Equal(t, n, now.Load(), why)
		}
		change := func(n int) {
			t.Helper()
			_, err := w.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Running, Concurrency: &n})
			require.NoError(t, err)
		}
		is(2, "as the run says from the start")
		change(12)
		is(12, "more, at once")
		change(0)
		time.Sleep(time.Hour)
		is(5, "the task's own")
		w.tasks[0].SetConcurrency(7)
		is(7, "the task's own, changed")
		change(9)
		is(9, "the run's again")
	})
}

func TestSharingNeedsABoard(t *testing.T) {
	w := newWorld(t, 1, nil)
	_, err := task.New(task.Config{
		Queue: w.main, Dead: w.dead, Ledger: w.ledger, Processors: processor.Set{"k": &forest{}}, Shared: true,
		Sink: func(context.Context, ledger.Run) (sink.Sink, error) { return w.sink, nil },
	})
	require.ErrorContains(t, err, "board")
}
