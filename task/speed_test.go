package task_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/synthetic"
	"github.com/ramify/ramify/queue"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/task"
)

// far is a queue each of whose calls takes as long as a request to SQS.
type far struct {
	*queuehostile.Queue
	latency time.Duration
	deletes atomic.Int64 // under way
	most    atomic.Int64
}

func (q *far) Send(ctx context.Context, entries []queue.Entry) []error {
	time.Sleep(q.latency)
	return q.Queue.Send(ctx, entries)
}

func (q *far) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	time.Sleep(q.latency)
	return q.Queue.Receive(ctx, r)
}

func (q *far) Delete(ctx context.Context, receipts []queue.Receipt) []error {
	now := q.deletes.Add(1)
	for m := q.most.Load(); now > m && !q.most.CompareAndSwap(m, now); m = q.most.Load() {
	}
	time.Sleep(q.latency)
	q.deletes.Add(-1)
	return q.Queue.Delete(ctx, receipts)
}

// A task waits for requests side by side: at 20 ms each it is held up by none of
// send, receive and delete. Receives come back full, since each one costs.
func TestSpeedOverASlowMedium(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, processor.Set{"synthetic": &synthetic.Processor{}})
		q := &far{Queue: w.main, latency: 20 * time.Millisecond}
		spec := synthetic.Spec{Fanout: 10, Depth: 4}
		r := ledger.Run{ID: "run", Root: ledger.Kid{Kind: "synthetic", ID: synthetic.RootID, Args: spec.Args()}}
		require.NoError(t, seed.Run(t.Context(), w.ledger, w.poster(), r))
		w.task(func(c *task.Config) { c.Queue, c.Concurrency = q, 256 })
		began := time.Now()
		for !w.record().State.Over() {
			time.Sleep(time.Millisecond)
		}
		took := time.Since(began)
		w.stop()
		require.EqualValues(t, 11111, w.record().Totals.Nodes)
		const nodes = 11111.0
		assert.Greater(t, nodes/took.Seconds(), 4000.0, "nodes a second")
		assert.Less(t, float64(w.main.Calls().Receive.Calls), 0.12*nodes, "receives")
		assert.Greater(t, q.most.Load(), int64(16), "deletes that a queue can put into one request")
		depth, err := w.main.Depth(t.Context())
		require.NoError(t, err)
		assert.Zero(t, depth.Total())
	})
}

// A plan is read for what its children's settlers must know of it once a task at
// most, and not at all by one task that has written it.
func TestPlansAreHardlyReadToClimb(t *testing.T) {
	for tasks, most := range map[int]int{1: 0, 4: 11111 / 100} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, processor.Set{"synthetic": &synthetic.Processor{}})
			w.main.Set(queuehostile.Faults{Latency: 20 * time.Millisecond})
			spec := synthetic.Spec{Fanout: 10, Depth: 4}
			r := ledger.Run{ID: "run", Root: ledger.Kid{Kind: "synthetic", ID: synthetic.RootID, Args: spec.Args()}}
			require.NoError(t, seed.Run(t.Context(), w.ledger, w.poster(), r))
			for range tasks {
				w.task(func(c *task.Config) { c.Concurrency = 16 })
			}
			got := w.wait(0)
			assert.EqualValues(t, 11111, got.Totals.Nodes)
			assert.LessOrEqual(t, w.ledger.Calls().Read.Calls, most, "reads by %d tasks", tasks)
		})
	}
}

// A task that has nothing to do polls once at a time: polls cost, day and night.
func TestAnIdleTaskPollsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := forest{depth: 4, fanout: 6}.grown(100)
		w := newWorld(t, 1, processor.Set{"tree": f})
		w.seed("tree")
		w.task(func(c *task.Config) { c.Concurrency, c.Wait = 64, 20*time.Second })
		w.wait(0)
		time.Sleep(time.Minute) // polls that were under way end
		before := w.main.Calls().Receive.Calls
		time.Sleep(time.Hour)
		assert.LessOrEqual(t, w.main.Calls().Receive.Calls-before, 3*60+1)
	})
}

// Slots that stand idle are filled with what there is: a batch is waited for only
// while they have work.
func TestIdleSlotsDoNotWaitForABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		w := newWorld(t, 1, processor.Set{"k": process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
			if n.ID == "0" {
				for _, id := range []string{"a", "b", "c", "d", "e", "f", "g"} {
					if err := out.Child(processor.Child{ID: id}); err != nil {
						return err
					}
				}
				return nil
			}
			now.Add(1)
			defer now.Add(-1)
			d := time.Duration(n.ID[0]-'a'+1) * 10 * time.Minute
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})})
		w.seed("k")
		w.task(func(c *task.Config) { c.Concurrency = 3 })
		for n := range 4 {
			time.Sleep(5 * time.Minute)
			assert.EqualValues(t, 3, now.Load(), "slots at work after %d nodes", n)
			time.Sleep(5 * time.Minute)
		}
		w.wait(0)
	})
}
