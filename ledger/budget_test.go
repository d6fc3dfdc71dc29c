package ledger_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
)

func TestABudgetThatIsSpentPausesTheRun(t *testing.T) {
	r := ledger.Run{ID: "r", State: ledger.Running, Epoch: 2}
	_, due := r.Exhaust(1000)
	assert.False(t, due, "it has no budget")
	r.Options = r.Options.With(map[string]string{ledger.ParamBudget: "0.5", "other": "x"})
	_, due = r.Exhaust(0.49)
	assert.False(t, due)
	assert.False(t, r.Options.OverBudget())

	c, due := r.Exhaust(0.5)
	require.True(t, due)
	assert.True(t, *c.Paused)
	assert.Equal(t, ledger.Running, c.From)
	assert.Equal(t, 2, c.Epoch)
	after := r
	after.Options, after.Paused = r.Options.With(c.Params), true
	assert.True(t, after.Options.OverBudget())
	assert.InDelta(t, 0.5, after.Options.Spent(), 0)
	assert.Equal(t, "x", after.Options.Params["other"])
	assert.Empty(t, r.Options.Params[ledger.ParamSpent], "maps are not shared")
	_, due = after.Exhaust(1)
	assert.False(t, due, "it is paused")

	after.Options, after.Paused = after.Options.With(map[string]string{ledger.ParamBudget: "2"}), false
	assert.False(t, after.Options.OverBudget(), "a higher budget")
	_, due = after.Exhaust(1.5)
	assert.False(t, due)
	_, due = after.Exhaust(2)
	assert.True(t, due)
	after.State = ledger.Finished
	_, due = after.Exhaust(2)
	assert.False(t, due, "it is over")
}

func TestWhatIsNoBudgetIsNone(t *testing.T) {
	for _, v := range []string{"", "x", "-1", "0", "NaN"} {
		assert.Zero(t, ledger.Options{Params: map[string]string{ledger.ParamBudget: v}}.Budget(), v)
	}
	assert.InDelta(t, 0.000005, ledger.Options{Params: map[string]string{ledger.ParamBudget: ledger.Dollars(0.000005)}}.Budget(), 0)
}
