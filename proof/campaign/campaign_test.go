package campaign_test

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/proof/campaign"
	"github.com/ramify/ramify/proof/sim"
)

// root is the module's folder.
const root = "../.."

var built = sync.OnceValues(func() (*campaign.Program, error) {
	return campaign.Build(context.Background(), root, "engine")
})

func engine(t *testing.T) *campaign.Program {
	t.Helper()
	p, err := built()
	require.NoError(t, err)
	return p
}

// soak is whether there is time for the long variants (make soak).
var soak = os.Getenv("RAMIFY_SOAK") != ""

// number is a number that is set from outside, or the default.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	require.NoError(t, err, name)
	return n
}

// seeds are the cases of so many seeds from one on.
func seeds(from uint64, n int) []string {
	cases := make([]string, n)
	for i := range cases {
		cases[i] = sim.Draw(from + uint64(i)).String()
	}
	return cases
}

// TestRuns is the proof: whatever goes wrong, nothing of a run is lost or counted twice.
// RAMIFY_PROOF_RUNS is how many runs, RAMIFY_PROOF_FROM the first seed,
// RAMIFY_PROOF_AT_ONCE in how many processes at a time.
func TestRuns(t *testing.T) {
	runs, from := 500, 0
	if soak {
		runs = 20_000
	}
	runs, from = number(t, "RAMIFY_PROOF_RUNS", runs), number(t, "RAMIFY_PROOF_FROM", from)
	p := engine(t)
	p.AtOnce = number(t, "RAMIFY_PROOF_AT_ONCE", runtime.GOMAXPROCS(0))
	began := time.Now()
	ran, events, nodes, states := 0, 0, int64(0), map[string]int{}
	seen := occurrences{}
	var failing []sim.Report
	require.NoError(t, p.Run(t.Context(), seeds(uint64(from), runs), func(r sim.Report) bool {
		ran++
		events += r.Events
		nodes += r.Nodes
		states[r.State]++
		seen.add(r.Seen)
		if len(r.Problems) > 0 {
			failing = append(failing, r)
		}
		return len(failing) < 5
	}))
	took, cpu := time.Since(began), p.CPU() // without the time that it takes to make failures small
	for _, r := range failing {
		small, err := p.Shrink(t.Context(), r, 200)
		require.NoError(t, err)
		t.Errorf("seed fails: %s\n  %s", small.Problems[0], p.Command(small.Case))
	}
	t.Logf("%d runs of %d in %s, %.3f s of CPU each: %d events, %d nodes, %v", ran, runs, took.Round(time.Second),
		cpu.Seconds()/float64(max(ran, 1)), events, nodes, states)
	if runs >= 500 && len(failing) == 0 {
		assert.Empty(t, seen.lacks(soak), "never occurred in %d runs", runs)
	}
	t.Logf("what occurred:\n%s", seen)
}

// found are cases that find the bugs of the engine which the simulation has found, by the
// name that each has now as a planted one.
var found = []struct{ bug, text string }{
	{"reduce-forgets-healing", "11"}, // a reduce was given a failure less than none, where its node had been given up before
	{"held-children-unpaged", "528"}, // children that could not be done inline made a plan of any size
	{"sweeps-double", "870"},         // duplicates of a sweep's messages doubled at each level
}

// alarms are cases in which the auditor saw what was not there, or the world was not one.
var alarms = []string{
	"1559", "2595", "5729", // one worker had two attempts on a node at a time, one of which has planned it
	"8005", "15271", // a chain had names longer than a node can have: that fails at once
	"12677",        // a plan that came too late to count did not know of a redrive
	"1904", "4675", // a keeper gave nodes up, beside its worker's slots
}

func TestWhatWasFoundStaysMended(t *testing.T) {
	cases := slices.Clone(alarms)
	for _, f := range found {
		cases = append(cases, f.text)
	}
	require.NoError(t, engine(t).Run(t.Context(), cases, func(r sim.Report) bool {
		assert.Empty(t, r.Problems, "go run ./proof/replay %s", r.Case)
		return true
	}))
}

// A worker dies at each of its calls, before it acts and after, and nothing else goes
// wrong: what it left is found by the next.
func TestACrashAtEveryStep(t *testing.T) {
	steps := 60
	if soak {
		steps = 400
	}
	var cases []string
	for _, seed := range []uint64{7, 19, 26, 30} {
		for step := 1; step <= steps; step++ {
			c := sim.Draw(seed)
			c.Off, c.Nodes, c.Workers, c.CrashAt = nil, 12, 1, step
			for _, f := range sim.Faults {
				switch f {
				case "fail", "moody", "sum", "inline", "rest", "redrive", "slow":
				default:
					if c.On(f) {
						c.Off = append(c.Off, f)
					}
				}
			}
			cases = append(cases, c.String())
		}
	}
	require.NoError(t, engine(t).Run(t.Context(), cases, func(r sim.Report) bool {
		assert.Empty(t, r.Problems, "go run ./proof/replay %s", r.Case)
		return true
	}))
}
