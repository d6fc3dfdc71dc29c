package plan

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/scaling"
)

// What a fleet has beside its tasks costs, too: what the template makes and metricfn
// publishes is what the plan counts. Its policies and their alarms are those of package
// scaling, which makes the template's as well.
func TestTemplateIsWhatIsPlanned(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(text)
	}
	template := read("../infra/stack/testdata/template.yaml")
	each, fast := 0, 0
	for _, resource := range regexp.MustCompile(`(?m)^  \w+:$`).Split(template, -1) {
		if strings.Contains(resource, "Type: AWS::CloudWatch::Alarm") {
			each += len(regexp.MustCompile(`\bPeriod: 60\b`).FindAllString(resource, -1))
			fast += len(regexp.MustCompile(`\bPeriod: 10\b`).FindAllString(resource, -1))
		}
	}
	assert.InDelta(t, alarms, each, 0, "metrics that alarms look at each minute")
	assert.InDelta(t, fastAlarms, fast, 0, "and every ten seconds")

	// The first task is on demand.
	assert.Regexp(t, `- Base: 1\n +CapacityProvider: FARGATE\n`, template)

	// The first column of the fleet's metrics, and Failures, which is of runs, too.
	_, fleet, _ := strings.Cut(read("../docs/metrics.md"), "## Fleet")
	fleet, _, _ = strings.Cut(fleet, "\n- ")
	named := 1
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+) \\|").FindAllStringSubmatch(fleet, -1) {
		named += strings.Count(row[1], ", ") + 1
	}
	assert.InDelta(t, metricsOfFleet, named, 0, "metrics of a fleet")

	f := DefaultFleet()
	tracks := f.follows()
	assert.Equal(t, []scaling.Track{scaling.Net(scaling.Defaults())}, tracks)
	for _, want := range []string{"MetricName: " + tracks[0].Metric, "TargetValue: 120", "ScaleOutCooldown: 0", "ScaleInCooldown: 60", "DisableScaleIn: true"} {
		assert.Contains(t, template, want)
	}
}
