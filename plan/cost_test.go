package plan

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMeasured: what a message writes is what docs/cost.md says was measured, in the
// plan's sums, in its limits and in the metric Cost.
func TestMeasured(t *testing.T) {
	page, err := os.ReadFile("../docs/cost.md")
	require.NoError(t, err)
	row := regexp.MustCompile(`(?m)^\| write units \| 0 \| ([\d.]+) \| ([\d.]+) \|$`).FindSubmatch(page)
	require.NotNil(t, row)
	one, err := strconv.ParseFloat(string(row[1]), 64)
	require.NoError(t, err)
	inline, err := strconv.ParseFloat(string(row[2]), 64)
	require.NoError(t, err)

	p := DefaultPrices()
	assert.InEpsilon(t, requestsPerMessage*p.SQS+one*p.Write, p.Message(1), 1e-9)
	assert.InEpsilon(t, requestsPerMessage*p.SQS+inline*1000*p.Write, p.Message(1000), 1e-9)

	m := &Model{Tree: Tree{Levels: []float64{1, 10, 100, 1e3, 1e4, 1e5}, Time: time.Millisecond}}
	assert.InEpsilon(t, one, m.writesPerMessage(), 0.01, "by design, of the tree that was measured")
	m.Inline = 1000
	assert.InEpsilon(t, inline*1000, m.writesPerMessage(), 1e-9)
}

// TestSpent: a budget is held against what metricfn would publish.
func TestSpent(t *testing.T) {
	p := DefaultPrices()
	s := Size{VCPU: 1, GB: 2, Spot: 0.5}
	m := &Model{Tree: Tree{Levels: []float64{1, 9}, Time: time.Second}, Lists: 1}
	want := 2*p.TaskHour(s) + p.FirstHour(s) + 10*(p.Message(1)+p.List)
	assert.InEpsilon(t, want, m.spent(&p, s)(7200, 3600, 10), 1e-9)
	assert.InEpsilon(t, 0.04048+2*0.004445, p.TaskHour(s)+p.FirstHour(s), 1e-9, "on demand")
}
