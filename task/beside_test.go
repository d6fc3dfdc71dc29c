package task_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/task"
)

// A run that is paused holds up no other on the same queue: none that is begun
// meanwhile, and none that is redriven.
func TestAPausedRunHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sound := false
		w := newWorld(t, 1, processor.Set{
			"chain": process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
				select {
				case <-time.After(time.Minute):
				case <-ctx.Done():
					return ctx.Err()
				}
				if n.Depth == 3 {
					return nil
				}
				return out.Child(processor.Child{ID: n.ID})
			}),
			"moody": process(func(context.Context, *processor.Node, processor.Out) error {
				if !sound {
					return processor.Permanent(assert.AnError)
				}
				return nil
			}),
		})
		state := func(run string) ledger.State {
			r, err := w.ledger.Run(t.Context(), run)
			require.NoError(t, err)
			return r.State
		}
		w.task(func(c *task.Config) { c.Shared = true })
		require.NoError(t, seed.Run(t.Context(), w.ledger, w.poster(), ledger.Run{ID: "moody", Root: ledger.Kid{Kind: "moody"}}))
		time.Sleep(time.Minute)
		require.Equal(t, ledger.Failed, state("moody"))

		w.seed("chain")
		time.Sleep(30 * time.Second)
		yes, no := true, false
		_, err := w.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Running, Paused: &yes})
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		before := w.main.Calls().Receive.Calls
		time.Sleep(10 * time.Minute)
		assert.Less(t, w.main.Calls().Receive.Calls-before, 5, "while there is nothing but the run that is paused, receivers wait")

		w.create(ledger.Run{ID: "new", Root: ledger.Kid{Kind: "chain"}})
		time.Sleep(6 * time.Minute)
		assert.Equal(t, ledger.Finished, state("new"), "begun while the other is paused")

		time.Sleep(10 * time.Minute)
		sound = true
		_, err = seed.Redrive(t.Context(), w.ledger, w.poster(), "moody")
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)
		assert.Equal(t, ledger.Finished, state("moody"), "redriven while the other is paused")

		assert.Equal(t, ledger.Running, w.record().State)
		_, err = w.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Running, Paused: &no})
		require.NoError(t, err)
		assert.Equal(t, ledger.Finished, w.wait(0).State)
	})
}
