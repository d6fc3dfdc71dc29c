package app

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Of how a fleet is made its stack knows better than the environment, and who types best.
func TestAStackSaysHowItsFleetIsMade(t *testing.T) {
	f := &fleet{fleetFlags: fleetFlags{Stack: "ramify"}, knobs: map[string]string{"cpu": "4096", "memory": "8192", "latency": "5m0s"}}
	t.Setenv("RAMIFY_CPU", "2048")
	t.Setenv("RAMIFY_SPOT", "0.5")
	assert.Equal(t, "4096", f.knob("cpu", "2048"), "2048 is from the environment")
	assert.Equal(t, "512", f.knob("cpu", "512"))
	assert.Equal(t, "0.5", f.knob("spot", "0.5"), "the stack says nothing of it")
	assert.Equal(t, "5m0s", f.knob("latency", ""))

	price := func(p priceFlags, f *fleet) float64 {
		prices, err := p.prices(f)
		require.NoError(t, err)
		return prices.TaskHour
	}
	large := price(priceFlags{CPU: "4096", Memory: "8192", Spot: "0.5"}, nil)
	assert.InDelta(t, large, price(priceFlags{CPU: "2048", Spot: "0.5"}, f), 1e-12, "as the stack says")
	small := priceFlags{CPU: "1024", Memory: "2048", Spot: "0.5"}
	assert.Less(t, price(small, nil), large)
	t.Setenv("RAMIFY_CPU", "")
	assert.InDelta(t, price(small, nil), price(small, f), 1e-12, "as is typed")

	f.knobs["memory"] = "much"
	_, err := (&priceFlags{}).prices(f)
	require.EqualError(t, err, `output RamifyMemory of stack ramify is "much", want a number, 0 or more`)
	_, err = (&priceFlags{Memory: "more"}).prices(f)
	require.EqualError(t, err, `--memory is "more", want a number, 0 or more`)
}
