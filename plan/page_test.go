package plan

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sheet is docs/cost.md.
type sheet struct {
	*testing.T
	text string
}

// row is the figures of a table's row behind its name, which stands once on the page.
func (s sheet) row(name string) (figures []float64) {
	s.Helper()
	begin := "| " + name + " |"
	require.Equal(s.T, 1, strings.Count(s.text, "\n"+begin), "rows of docs/cost.md: %s", name)
	_, line, _ := strings.Cut(s.text, "\n"+begin)
	line, _, _ = strings.Cut(line, "\n")
	for cell := range strings.SplitSeq(strings.Trim(line, " |"), " | ") {
		cell = strings.ReplaceAll(strings.Trim(cell, "*$ "), ",", "")
		var sum float64
		for part := range strings.SplitSeq(cell, " + ") { // a row and the 100 bytes that its item takes
			f, err := strconv.ParseFloat(part, 64)
			require.NoError(s.T, err, "%s: %s", name, line)
			sum += f
		}
		figures = append(figures, sum)
	}
	return figures
}

// number is the figure that a pattern's group finds.
func (s sheet) number(pattern string) float64 {
	s.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(s.text)
	require.NotNil(s.T, found, pattern)
	f, err := strconv.ParseFloat(found[1], 64)
	require.NoError(s.T, err)
	return f
}

// onPage is a sum as pages say it: whole, or with cents where it is less than ten.
func onPage(f float64) string {
	if f < 10 {
		return fmt.Sprintf("$%.2f", f)
	}
	return fmt.Sprintf("$%.0f", f)
}

// TestPage: what docs/cost.md says of 10⁹ nodes and keys is its measured figures times the
// plan's prices, and what the README says of cost is what that page says.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../docs/cost.md")
	require.NoError(t, err)
	page := sheet{t, string(text)}
	const n = 1e9
	p := DefaultPrices()
	fair := page.number(`\| SQS, more for fair queues \| \$([\d.]+) a million`) / 1e6
	requests, writes, reads := page.row("requests to SQS"), page.row("write units"), page.row("read units")
	bytes, cpu := page.row("bytes stored, and 100 for each item"), page.row("CPU of a task, µs")
	assert.InDelta(t, requestsPerMessage, requests[0], 1e-9, "without the emulator's pace")
	hour := p.TaskHour(Size{VCPU: 1, GB: 2}) / 3600

	var sums []float64
	for i := range requests {
		const stored = 0.25 * 3 / 1e9 // a byte for three months: "Amazon DynamoDB pricing"
		sums = append(sums, n*(requests[i]*(p.SQS+fair)+writes[i]*p.Write+reads[i]*p.Read+bytes[i]*stored+cpu[i]/1e6*hour))
	}
	assert.Contains(t, page.text, fmt.Sprintf("| **sum** | | **%s** | **%s** | **%s** |", onPage(sums[0]), onPage(sums[1]), onPage(sums[2])))
	lists := n / 1000 * page.number(`\| LIST \| N / 1000 × ([\d.]+) `) * p.List
	assert.Contains(t, page.text, fmt.Sprintf("× $0.005 / 1000 | %s |\n", onPage(lists)))

	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	said := strings.Join(strings.Fields(string(readme)), " ")
	assert.Contains(t, said, fmt.Sprintf("listing 10⁹ keys is about $%.0f of requests", lists))
	assert.Contains(t, said, fmt.Sprintf("10⁹ nodes cost from $%.0f to $%.0f,", sums[2], sums[1]))
}
