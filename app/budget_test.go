package app

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
)

func TestBudgetsAreRead(t *testing.T) {
	for text, want := range map[string]float64{"": 0, "2.50": 2.5, "0.000005": 0.000005, "1e3": 1000} {
		v, err := readBudget(text)
		require.NoError(t, err, text)
		assert.InDelta(t, want, v, 0)
	}
	for _, text := range []string{"0", "-1", "NaN", "inf", "$5", "five", "5 USD"} {
		_, err := readBudget(text)
		require.EqualError(t, err, `--budget is "`+text+`", want US dollars, more than 0, such as 2.50`)
		require.ErrorAs(t, err, &usageError{})
	}
	t.Setenv("RAMIFY_BUDGET", "none")
	_, err := readBudget("none")
	require.ErrorContains(t, err, `RAMIFY_BUDGET is "none"`)
}

func TestASpentBudgetIsNotSpentAgain(t *testing.T) {
	r := ledger.Run{ID: "r", State: ledger.Running, Paused: true}
	const command = "ramify resume r --budget USD"
	require.NoError(t, checkBudget(r, 0, command), "it has none")
	r.Options = r.Options.With(map[string]string{ledger.ParamBudget: "0.5"})
	require.NoError(t, checkBudget(r, 0, command), "a person has paused it")
	require.NoError(t, checkBudget(r, 0.1, command))
	r.Options = r.Options.With(map[string]string{ledger.ParamSpent: "0.5123"})
	require.EqualError(t, checkBudget(r, 0, command),
		"run r has spent its budget of $0.5: to go on, raise it above the $0.5123 that it has cost so far, by estimate: `ramify resume r --budget USD`")
	require.EqualError(t, checkBudget(r, 0.51, command),
		"--budget is 0.51, but run r has cost $0.5123 so far, by estimate: want more, `ramify resume r --budget USD`")
	require.NoError(t, checkBudget(r, 0.6, command))
	r.State = ledger.Finished
	require.NoError(t, checkBudget(r, 0, command), "what is over costs nothing more")
}

// On one machine only requests cost: 1,000 LISTs are half a cent, what was refused is
// free.
func TestRequestsCost(t *testing.T) {
	assert.InDelta(t, 0.005+0.0004, requestCost(ledger.Run{}, map[string]int64{"list": 1000, "get": 1000, "throttled": 500}), 1e-12)
	assert.Zero(t, requestCost(ledger.Run{}, nil))
}
