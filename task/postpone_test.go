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
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

// watched is a queue that keeps how often messages were received at most.
type watched struct {
	*queuehostile.Queue
	mu       sync.Mutex
	receives int
}

func (q *watched) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	got, err := q.Queue.Receive(ctx, r)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range got {
		q.receives = max(q.receives, d.Receives)
	}
	return got, err
}

// A run that is paused for days beside one that is not: its messages come and go,
// less and less often, the queue never has cause to give them up, and when it is
// resumed it goes on soon.
func TestALongPauseCostsFewReceivesAndNoNode(t *testing.T) {
	for _, pause := range []time.Duration{10 * time.Second, 5 * time.Minute, 48 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, processor.Set{"k": process(func(_ context.Context, n *processor.Node, out processor.Out) error {
				var err error
				for i := range 8 {
					if n.Depth == 0 {
						err = errors.Join(err, out.Child(processor.Child{ID: fmt.Sprint(i)}))
					}
				}
				return err
			}), "long": process(func(ctx context.Context, _ *processor.Node, _ processor.Out) error {
				select {
				case <-time.After(96 * time.Hour): // or receivers would wait, too
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})})
			other := ledger.Run{ID: "other", Root: ledger.Kid{Kind: "long"}}
			require.NoError(t, seed.Run(t.Context(), w.ledger, w.poster(), other))
			q := &watched{Queue: w.main}
			yes, no := true, false
			w.seed("k")
			_, err := w.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Running, Paused: &yes})
			require.NoError(t, err)
			w.task(func(c *task.Config) { c.Queue = q })
			time.Sleep(pause)
			resumed := time.Now()
			_, err = w.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Running, Paused: &no})
			require.NoError(t, err)
			for !w.record().State.Over() {
				time.Sleep(time.Second)
			}
			assert.Equal(t, ledger.Finished, w.record().State)
			assert.Less(t, time.Since(resumed), min(pause, 520*time.Second)+10*time.Second)
			q.mu.Lock()
			defer q.mu.Unlock()
			assert.LessOrEqual(t, q.receives, 10)
			most := 40 + int(pause/(75*time.Second)) // in the long run about once in 90 s
			assert.Less(t, w.main.Calls().Receive.Entries, most, "messages received in %s", pause)
			assert.Empty(t, drained(t, w.dead))
		})
	}
}

// As a pause, so a sink that is away: the copies of one message are one message,
// and the plan that one of them wrote is found by the next.
func TestTroubleThatLastsCostsNoNode(t *testing.T) {
	for n := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			f := forest{depth: 3, fanout: 4, seed: 100 * n}.grown(20)
			w := newWorld(t, n, processor.Set{"tree": f})
			w.options.Retries = 0
			w.seed("tree")
			w.unkind(0.03)
			var away atomic.Bool
			away.Store(true)
			q := &watched{Queue: w.main}
			for range 2 {
				w.task(func(c *task.Config) {
					c.Queue = q
					c.Sink = func(context.Context, ledger.Run) (sink.Sink, error) {
						if away.Load() {
							return nil, errors.New("the disk is away")
						}
						return w.sink, nil
					}
				})
			}
			time.Sleep(3 * time.Hour) // three copies or so, each of which may be doubled
			away.Store(false)
			r := w.wait(0)
			w.stop()
			w.audit(f, r)
			q.mu.Lock()
			defer q.mu.Unlock()
			assert.Less(t, q.receives, 30)
		})
	}
}

// The copy of a message whose delete is lost is no second walk of the tree.
func TestACopyBesideItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		w := newWorld(t, 1, processor.Set{"k": process(func(_ context.Context, n *processor.Node, out processor.Out) error {
			attempts.Add(1)
			if n.Depth < 20 {
				return out.Child(processor.Child{ID: fmt.Sprint(n.Depth + 1)})
			}
			return nil
		})})
		w.seed("k")
		d := drained(t, w.main)[0]
		m := parsed(t, d)
		m.Re = 1
		for range 3 {
			require.NoError(t, w.poster().Send(t.Context(), post.Letter{Message: *m, Copy: true}))
		}
		w.task()
		r := w.wait(0)
		assert.EqualValues(t, 21, r.Totals.Nodes)
		assert.LessOrEqual(t, attempts.Load(), int64(21+4))
	})
}
