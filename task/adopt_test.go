package task_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/sweep"
	"github.com/ramify/ramify/task"
)

// A sweep's messages go on where another message owns the plan. Where each is delivered
// twice, what they post must not double at each level.
func TestASweepDoesNotDoubleOnItsWay(t *testing.T) {
	const depth, sweeps = 14, 3
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, processor.Set{"k": process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
			if n.Depth < depth {
				return out.Child(processor.Child{ID: strconv.Itoa(n.Depth + 1)})
			}
			select { // all others wait for it
			case <-time.After(time.Hour):
			case <-ctx.Done():
			}
			return ctx.Err()
		})})
		w.seed("k")
		w.task(func(c *task.Config) { c.Concurrency = 200 }) // each duplicate of the last node takes one
		time.Sleep(time.Minute)
		before := w.main.Calls().Send.Entries
		require.Equal(t, depth+1, before)
		w.main.Set(queuehostile.Faults{Twin: 1})
		for range sweeps {
			n, err := sweep.Run(t.Context(), w.ledger, w.poster(), "run")
			require.NoError(t, err)
			require.Equal(t, 1, n)
			time.Sleep(time.Minute)
		}
		posted := w.main.Calls().Send.Entries - before
		assert.GreaterOrEqual(t, posted, sweeps*(depth+1), "each sweep reaches the node that all wait for")
		assert.LessOrEqual(t, posted, sweeps*3*(depth+1), "each level posts what the one above has, no more")
		w.main.Set(queuehostile.Faults{})
		r := w.wait(0)
		assert.Equal(t, ledger.Finished, r.State)
		assert.EqualValues(t, depth+1, r.Totals.Nodes)
	})
}
