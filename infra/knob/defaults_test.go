package knob_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/infra/knob"
	"github.com/ramify/ramify/scaling"
)

// A fleet that is deployed with no knob turned is the one that `ramify plan` plans
// and that the governor takes for granted.
func TestDefaultsAreThoseOfScaling(t *testing.T) {
	k, err := knob.Read(func(name string) (string, bool) {
		return "registry.example/ramify:1", name == "image"
	}, []string{"image"})
	require.NoError(t, err)
	d := scaling.Defaults()
	assert.Equal(t, [...]any{d.Min, d.Max, d.Concurrency, d.Target, d.Acceptable}, [...]any{k.Min, k.Max, k.Concurrency, k.Target, k.Latency})
	assert.Equal(t, scaling.Guess, k.Message)
	assert.Equal(t, scaling.Spot, k.Spot)
	assert.Equal(t, [...]string{scaling.MetricBacklogPerTask, scaling.MetricBacklogSeconds}, [...]string{knob.BacklogPerTask, knob.BacklogSeconds})
	assert.InDelta(t, scaling.PerTask(d, scaling.Guess), k.BacklogTarget(), 1e-9)
}
