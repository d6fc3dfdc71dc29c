package campaign_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/proof/campaign"
	"github.com/ramify/ramify/proof/mutant"
	"github.com/ramify/ramify/proof/sim"
)

// few are the bugs that each run of the tests plants: each takes seconds to build. A
// soak plants all.
var few = []string{"no-reclimb", "planned-means-delete", "last-page-lost"}

// mostRuns is within how many runs a bug is found, or the auditor is blind for it.
const mostRuns = 3000

// The auditor that finds nothing wrong with the engine finds what is wrong with each of
// these.
func TestPlantedBugsAreFound(t *testing.T) {
	for _, bug := range mutant.All() {
		if !soak && !slices.Contains(few, bug.Name) {
			continue
		}
		t.Run(bug.Name, func(t *testing.T) {
			p, err := campaign.Build(t.Context(), root, "mutant-"+bug.Name, bug.Edits...)
			require.NoError(t, err)
			began, runs := time.Now(), 0
			var found *sim.Report
			require.NoError(t, p.Run(t.Context(), campaign.Seeds(0, mostRuns), func(r sim.Report) bool {
				runs++
				if len(r.Problems) > 0 && found == nil {
					found = &r
				}
				return found == nil
			}))
			require.NotNil(t, found, "%s: %d runs, and nobody noticed", bug.About, runs)
			t.Logf("%s: found in run %d (%s), after %s: %s", bug.About, runs, found.Case, time.Since(began).Round(time.Second), found.Problems[0])
		})
	}
}
