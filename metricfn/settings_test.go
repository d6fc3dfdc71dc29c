package metricfn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schema"
)

func environment(change map[string]string) func(string) string {
	return func(name string) string {
		if v, changed := change[name]; changed {
			return v
		}
		return map[string]string{
			"RAMIFY_FLEET": "f", "RAMIFY_QUEUE": "q", "RAMIFY_LEDGER": "dynamodb:table", "RAMIFY_CLUSTER": "c", "RAMIFY_SERVICE": "s",
		}[name]
	}
}

func TestSettings(t *testing.T) {
	s, err := metricfn.ReadSettings(environment(nil))
	require.NoError(t, err)
	want := scaling.Defaults()
	want.Concurrency = 64 // that of a task which is told nothing
	assert.Equal(t, want, s.Knobs)
	assert.True(t, s.Govern)
	assert.Equal(t, "table", s.Table)
	assert.InDelta(t, 0.03238+2*0.00356+0.005, s.Prices.TaskHour, 1e-9, "a vCPU and 2 GB on ARM, with an address")

	s, err = metricfn.ReadSettings(environment(map[string]string{
		"RAMIFY_LEDGER": "none", "RAMIFY_SCALING": "target-tracking", "RAMIFY_MIN": "1", "RAMIFY_MAX": "9", "RAMIFY_CONCURRENCY": "48",
		"RAMIFY_TARGET": "30s", "RAMIFY_LAUNCH": "60", "RAMIFY_LATENCY": "5m", "RAMIFY_RULE": "backlog",
		"RAMIFY_CPU": "512", "RAMIFY_MEMORY": "1024", "RAMIFY_ARCH": "x86_64", "RAMIFY_SPOT": "0.5", "RAMIFY_LOG": "debug",
	}))
	require.NoError(t, err)
	assert.Equal(t, scaling.Knobs{
		Min: 1, Max: 9, Concurrency: 48, Target: 30 * time.Second, Launch: time.Minute, Acceptable: 5 * time.Minute, Rule: scaling.Backlog,
	}, s.Knobs)
	assert.False(t, s.Govern)
	assert.True(t, s.Debug)
	assert.Empty(t, s.Table)
	assert.InDelta(t, (0.5*0.04048+0.004445)*(1-0.5*0.65)+0.005, s.Prices.TaskHour, 1e-9)

	assert.InDelta(t, (0.5*0.04048+0.004445)*0.5*0.65, s.Prices.FirstHour, 1e-9, "the first is on demand")

	s, err = metricfn.ReadSettings(environment(map[string]string{"RAMIFY_TASK_PRICE": "0.02", "RAMIFY_SPOT": "0.5"}))
	require.NoError(t, err)
	assert.InDelta(t, 0.02, s.Prices.TaskHour, 0)
	assert.Zero(t, s.Prices.FirstHour, "who says a price means each task")

	s, err = metricfn.ReadSettings(environment(map[string]string{"RAMIFY_DISK": "120", "RAMIFY_PUBLIC_IP": "false", "RAMIFY_SPOT": "1"}))
	require.NoError(t, err)
	assert.InDelta(t, (0.03238+2*0.00356)*0.35+100*0.000111, s.Prices.TaskHour, 1e-9)
	assert.Zero(t, s.Prices.FirstHour, "all are on Spot")
}

func TestSettingsThatAreWrong(t *testing.T) {
	for name, values := range map[string][]string{
		"RAMIFY_FLEET": {"", "-x", "a b"}, "RAMIFY_QUEUE": {""}, "RAMIFY_LEDGER": {"", "table", "dynamodb:", "dynamodb:a/b"},
		"RAMIFY_CLUSTER": {""}, "RAMIFY_SERVICE": {""}, "RAMIFY_SCALING": {"cpu"}, "RAMIFY_MIN": {"-1", "few"}, "RAMIFY_MAX": {"0", "1563"},
		"RAMIFY_CONCURRENCY": {"0", "1.5"}, "RAMIFY_TARGET": {"0", "soon", "99999999999999"}, "RAMIFY_LAUNCH": {"-1s"}, "RAMIFY_LATENCY": {"0s"}, "RAMIFY_RULE": {"guess"},
		"RAMIFY_CPU": {"NaN", "-1"}, "RAMIFY_MEMORY": {"Inf"}, "RAMIFY_ARCH": {"mips"}, "RAMIFY_SPOT": {"1.1"}, "RAMIFY_DISK": {"-1", "big"}, "RAMIFY_PUBLIC_IP": {"yes"}, "RAMIFY_TASK_PRICE": {"$1"}, "RAMIFY_LOG": {"loud"},
	} {
		for _, v := range values {
			_, err := metricfn.ReadSettings(environment(map[string]string{name: v}))
			var field *schema.FieldError
			require.ErrorAs(t, err, &field, "%s=%s", name, v)
			assert.Equal(t, name, field.Field, "%s=%s", name, v)
		}
	}
}
