package metricfn_test

import (
	"os"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/metricfn"
)

// TestTemplate: what alarms and policies of the template look at is published, and what
// it says to the function is understood.
func TestTemplate(t *testing.T) {
	template, err := os.ReadFile("../infra/stack/testdata/template.yaml")
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		fn := f.function()
		fn.Look(t.Context())
		time.Sleep(time.Minute)
		f.run("r", time.Now())
		f.report("r", "a", ledger.Worker{Started: time.Now()})
		fn.Look(t.Context())
		published := f.published(t)
		watched := regexp.MustCompile(`MetricName: (\w+)\n +Namespace: Ramify\n`).FindAllSubmatch(template, -1)
		require.Greater(t, len(watched), 5)
		for _, m := range watched {
			assert.Contains(t, published, string(m[1]))
		}
	})
	// Of the environment those with plain values; the others are names.
	given := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ {10}(RAMIFY_\w+): "?([^"\n]*)"?$`).FindAllSubmatch(template, -1) {
		given[string(m[1])] = string(m[2])
	}
	require.Equal(t, "governor", given["RAMIFY_SCALING"])
	s, err := metricfn.ReadSettings(func(name string) string {
		if v := given[name]; v != "" {
			return v
		}
		return map[string]string{"RAMIFY_QUEUE": "q", "RAMIFY_LEDGER": "dynamodb:table", "RAMIFY_CLUSTER": "c", "RAMIFY_SERVICE": "s"}[name]
	})
	require.NoError(t, err)
	assert.True(t, s.Govern)
	assert.Equal(t, 200, s.Knobs.Max)
	assert.Equal(t, 15*time.Second, s.Knobs.Target)
}
