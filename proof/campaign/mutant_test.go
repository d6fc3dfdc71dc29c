package campaign_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
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
	var table strings.Builder
	for _, bug := range mutant.All() {
		if !soak && !slices.Contains(few, bug.Name) {
			continue
		}
		t.Run(bug.Name, func(t *testing.T) {
			p, err := campaign.Plant(t.Context(), root, bug)
			require.NoError(t, err)
			runs, found := firstFailure(t, p)
			require.NotNil(t, found, "%s: %d runs, and nobody noticed", bug.About, runs)
			what, _, _ := strings.Cut(found.Problems[0], "\n")
			fmt.Fprintf(&table, "%-24s run %4d  seed %-5s %3.0f s of CPU  %.110s\n", bug.Name, runs, found.Case, p.CPU().Seconds(), what)
		})
	}
	t.Logf("planted bugs, and what found them:\n%s", table.String())
}

// firstFailure runs cases until one fails, and says how many it took.
func firstFailure(t *testing.T, p *campaign.Program) (runs int, found *sim.Report) {
	t.Helper()
	require.NoError(t, p.Run(t.Context(), seeds(0, mostRuns), func(r sim.Report) bool {
		runs++
		if len(r.Problems) > 0 && found == nil {
			found = &r
		}
		return found == nil
	}))
	return runs, found
}

// What was found stays found: without its mend each of the cases fails.
func TestWhatWasFoundIsFoundAgain(t *testing.T) {
	if !soak {
		t.Skip("builds a program for each: RAMIFY_SOAK=1")
	}
	for _, f := range found {
		bug, err := mutant.Named(f.bug)
		require.NoError(t, err)
		p, err := campaign.Plant(t.Context(), root, bug)
		require.NoError(t, err)
		r, err := p.One(t.Context(), f.text, "")
		require.NoError(t, err)
		assert.NotEmpty(t, r.Problems, "%s: the case is of no use any more: find another with %s planted", f.text, f.bug)
	}
}

// A case that fails is made small, and what is printed of it is one command that shows
// the failure.
func TestAFailureIsOneCommand(t *testing.T) {
	bug, err := mutant.Named(few[0])
	require.NoError(t, err)
	p, err := campaign.Plant(t.Context(), root, bug)
	require.NoError(t, err)
	_, found := firstFailure(t, p)
	require.NotNil(t, found)
	small, err := p.Shrink(t.Context(), *found, 60)
	require.NoError(t, err)
	require.NotEmpty(t, small.Problems)
	assert.Less(t, small.Events, found.Events, "%s is no smaller than %s", small.Case, found.Case)

	command := strings.Fields(p.Command(small.Case))
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	require.ErrorAs(t, err, &failed, "%s", out)
	assert.Contains(t, string(out), "PROBLEM "+small.Problems[0])
	assert.Contains(t, string(out), "history "+small.Digest, "it is another history than the one that failed")
}
