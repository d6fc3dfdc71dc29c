package sim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/proof/sim"
)

// The cases to run, one a line, and where their reports go: package campaign runs this
// test in programs of its own.
const (
	casesVar   = "RAMIFY_PROOF_CASES"
	reportsVar = "RAMIFY_PROOF_REPORTS"
	historyVar = "RAMIFY_PROOF_HISTORY" // where the history of each goes, too
)

func TestCases(t *testing.T) {
	cases := strings.Fields(os.Getenv(casesVar))
	if len(cases) == 0 {
		// A few, in the order that this machine gives to goroutines: also for the race
		// detector.
		for seed := range uint64(40) {
			r := sim.Run(t, sim.Draw(seed))
			assert.Empty(t, r.Problems, "go run ./proof/replay %d: perhaps it is not the same there", seed)
		}
		return
	}
	out, err := os.OpenFile(os.Getenv(reportsVar), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	require.NoError(t, err)
	defer out.Close()
	for _, text := range cases {
		c, err := sim.ParseCase(text)
		require.NoError(t, err)
		_, err = fmt.Fprintf(out, "{\"case\":%q,\"begun\":true}\n", text) // it may end the program
		require.NoError(t, err)
		r := sim.Run(t, c)
		line, err := json.Marshal(sim.Report{
			Case: text, Problems: r.Problems, Digest: r.Log.Digest(), Events: len(r.Log.Events()),
			State: string(r.State.State), Nodes: r.State.Totals.Nodes, Seen: r.Seen,
		})
		require.NoError(t, err)
		_, err = out.Write(append(line, '\n'))
		require.NoError(t, err)
		if name := os.Getenv(historyVar); name != "" {
			h, err := os.Create(name)
			require.NoError(t, err)
			r.Log.Print(h, 0)
			require.NoError(t, h.Close())
		}
	}
}

func TestACaseIsReadAsItIsWritten(t *testing.T) {
	for _, text := range []string{"17", "17,-crash,-twin,nodes=4,workers=9,crash=3"} {
		c, err := sim.ParseCase(text)
		require.NoError(t, err)
		assert.Equal(t, text, c.String())
	}
	for _, text := range []string{"", "x", "1,nodes=0", "1,-nothing", "1,what=3"} {
		_, err := sim.ParseCase(text)
		assert.Error(t, err, text)
	}
}
