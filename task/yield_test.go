package task_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// A slow first attempt comes to a leaf. Meanwhile a later delivery of the same message
// has found children, planned them and claimed the slot, and died before it posted. The
// message is all that is left to post them: it must not go. (The model of the protocol
// has the case step by step: proof/model, bug yield-deletes.)
func TestALeafLeavesTheMessageToItsOwnPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := &schema.Message{V: schema.Version, Run: "run", Op: schema.OpNode, Kind: "k", ID: "0", MID: schema.NewMID(), Share: schema.Whole}
		var w *world
		attempts := map[string]int{}
		w = newWorld(t, 1, processor.Set{"k": process(func(ctx context.Context, n *processor.Node, _ processor.Out) error {
			if attempts[n.ID]++; n.ID == "0" {
				w.planned(root, root.MID)
				_, outcome, err := w.ledger.Claim(ctx, "run", schema.Place{}, 0)
				if err != nil || outcome != ledger.Won {
					t.Errorf("the plan claims its slot: %v, %v", outcome, err)
				}
			}
			return nil
		})})
		require.NoError(t, w.ledger.Create(t.Context(), ledger.Run{ID: "run", State: ledger.Running, Root: ledger.Kid{Kind: "k", ID: "0"}}))
		require.NoError(t, w.poster().Send(t.Context(), post.Letter{Message: *root}))
		w.task()
		r := w.wait(0)
		w.stop()
		assert.Equal(t, ledger.Finished, r.State)
		assert.Equal(t, schema.Account{Nodes: 2}, r.Totals, "the root, as planned, and its child")
		assert.Equal(t, map[string]int{"0": 1, "child": 1}, attempts)
	})
}
