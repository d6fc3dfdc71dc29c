package plan_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/plan"
	"github.com/ramify/ramify/scaling"
)

// One message starts a task within 150 s where nobody wakes the fleet for it, whenever
// it comes within the minute between two looks.
func TestOneMessageWakesAFleet(t *testing.T) {
	tree := plan.Tree{Levels: []float64{1}, Time: 100 * time.Millisecond}
	for _, way := range []plan.Scaling{plan.Governor, plan.TargetTracking} {
		var last time.Duration
		for phase := range 60 {
			f := plan.DefaultFleet()
			f.Tracks = scaling.Tracks(f.Knobs, scaling.MetricBacklogPerTask, scaling.Guess)
			f.Scaling, f.Seeded, f.Phase = way, 0, phase
			f.Launches.Low, f.Launches.High = 0, 0
			o := f.Run(tree, 1)
			require.True(t, o.Finished, "%s, phase %d", way, phase)
			assert.Equal(t, 1, o.Peak, "%s, phase %d: one task is enough", way, phase)
			last = max(last, o.First)
		}
		t.Logf("%s: after %v at most", way, last)
		assert.LessOrEqual(t, last, 150*time.Second, way)
	}
}
