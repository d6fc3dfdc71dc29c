package console

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
)

func TestDollars(t *testing.T) {
	for v, want := range map[float64]string{
		0: "$0", 5: "$5", 2.5: "$2.50", 1234.567: "$1234.57", 0.5: "$0.5", 0.005: "$0.005", 0.000005: "$0.000005", 1e-9: "$0.000001",
	} {
		assert.Equal(t, want, Dollars(v))
	}
}

// Who looks at a run that is paused sees whether a person or its budget did it.
func TestWhyARunIsPaused(t *testing.T) {
	r := ledger.Run{ID: "r", State: ledger.Running, Paused: true, Created: noon}
	r.Options = r.Options.With(map[string]string{ledger.ParamBudget: "0.05"})
	assert.Empty(t, Take(r, nil, noon).Reason, "a person has paused it")
	r.Options = r.Options.With(map[string]string{ledger.ParamSpent: "0.0512"})
	s := Take(r, nil, noon)
	assert.Equal(t, "budget of $0.05 is spent", s.Reason)
	want := "It is paused: budget of $0.05 is spent. To go on, with a higher one:\n  ramify resume r --state x --budget USD\n"
	var b bytes.Buffer
	require.NoError(t, WriteStatus(&b, s, "--state x"))
	assert.True(t, strings.HasSuffix(b.String(), want), b.String())
	b.Reset()
	require.NoError(t, s.Summary().WriteText(&b))
	assert.True(t, strings.HasSuffix(b.String(), strings.Replace(want, " --state x", "", 1)), b.String())
	b.Reset()
	require.NoError(t, s.Summary().WriteJSON(&b))
	assert.True(t, strings.HasSuffix(b.String(), `"out":"","reason":"budget of $0.05 is spent"}`+"\n"), b.String())

	r.Paused = false
	assert.Empty(t, Take(r, nil, noon).Reason, "it goes on")
}
