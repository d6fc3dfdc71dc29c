package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/proof/campaign"
	"github.com/ramify/ramify/proof/sim"
)

// A case is the same whatever the program did before, so that what fails in a long run
// fails alone.
func TestASeedReplaysExactly(t *testing.T) {
	p := engine(t)
	cases := campaign.Seeds(1000, 100)
	digests := map[string]string{}
	require.NoError(t, p.Run(t.Context(), cases, func(r sim.Report) bool {
		digests[r.Case] = r.Digest
		return true
	}))
	for i := 9; i < len(cases); i += 10 {
		r, err := p.One(t.Context(), cases[i], "")
		require.NoError(t, err)
		assert.Equal(t, digests[cases[i]], r.Digest, "case %s", cases[i])
	}
}
