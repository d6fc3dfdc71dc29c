package campaign_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/proof/sim"
)

// A case is the same whatever the program did before, so that what fails in a long run
// fails alone: forwards, backwards, where all that is in memory lies elsewhere, and in a
// program of its own.
func TestASeedReplaysExactly(t *testing.T) {
	p := engine(t)
	cases := seeds(1000, 100)
	digests := map[string]string{}
	require.NoError(t, p.Run(t.Context(), cases, func(r sim.Report) bool {
		digests[r.Case] = r.Digest
		return true
	}))
	slices.Reverse(cases)
	again := 0
	require.NoError(t, p.Run(t.Context(), cases, func(r sim.Report) bool {
		again++
		assert.Equal(t, digests[r.Case], r.Digest, "case %s, backwards", r.Case)
		return true
	}))
	assert.Equal(t, len(cases), again)
	for i := 9; i < len(cases); i += 20 {
		r, err := p.One(t.Context(), cases[i], "")
		require.NoError(t, err)
		assert.Equal(t, digests[cases[i]], r.Digest, "case %s, alone", cases[i])
	}
}
