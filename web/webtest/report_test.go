package webtest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/report"
)

// The report on a run opens from disk: it loads nothing, nothing in it is run or
// complained of, and all of it has names.
func TestReportFromDisk(t *testing.T) {
	t.Parallel()
	const evil = `"><script>window.owned=1</script><img src=x onerror="window.owned=2">`
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	sums := func(n int64) report.Sums { return report.Sums{Objects: n, Bytes: n << 10} }
	r := &report.Report{
		Version: report.Version, Made: start, By: "ramify", Run: "nightly", Target: "s3://bucket/" + evil, Kind: "s3.crawl", Noun: "key",
		State: console.Failed, Created: start, Seconds: 60, Fraction: 1,
		Totals:     report.Totals{Nodes: 7, Failed: 1, Objects: 1_234_567, Bytes: 5 << 30, Requests: map[string]int64{"list": 1300}},
		Cost:       &report.Cost{SoFar: 0.0065},
		Slowest:    []console.Slow{{Node: evil, Kind: "s3.crawl", Seconds: 2, At: start}},
		Failures:   []console.Failure{{Node: evil, Kind: "s3.crawl", Reason: evil}},
		Histograms: console.Histograms{Sizes: []console.SizeClass{{From: 1, To: 2, Objects: 7, Bytes: 7}}, Depths: []console.DepthClass{{Objects: 7}}},
		Tree: &report.Tree{Complete: true, By: report.ByBytes, Prefix: report.Prefix{Sums: sums(1_234_567), Prefixes: 2, Children: []report.Prefix{
			{Prefix: evil + "/", Sums: sums(1_000_000), Prefixes: 1, Children: []report.Prefix{{Prefix: evil + "/a/", Sums: sums(600_000)}}}, {Prefix: "b/", Sums: sums(234_567)},
		}}},
	}
	for i := range 30 {
		r.History.Points = append(r.History.Points, console.Point{Seconds: float64(2 * (i + 1)), Nodes: int64(i), Objects: int64(1000 * i * i), Bytes: int64(i) << 20, Requests: int64(10 * i)})
	}
	var file bytes.Buffer
	require.NoError(t, r.Write(&file, report.HTML))
	path := filepath.Join(t.TempDir(), "nightly.html")
	require.NoError(t, os.WriteFile(path, file.Bytes(), 0o600))

	b := newTab(t, 390, 800)
	b.open("file://" + path)
	b.shows("main", "1,234,567")
	b.shows("main", evil)
	assert.Equal(t, "undefined", eval[string](b, "typeof window.owned"))
	assert.Zero(t, eval[int](b, "performance.getEntriesByType('resource').length"), "requests")
	assert.Zero(t, eval[int](b, "document.querySelectorAll('script, img, link').length"))
	assert.LessOrEqual(t, eval[int](b, "document.documentElement.scrollWidth"), 390, "a phone scrolls sideways")
	assert.Equal(t, "rgb(255, 255, 255)", eval[string](b, "getComputedStyle(document.body).backgroundColor"))
	b.dark(true)
	assert.Equal(t, "rgb(20, 24, 28)", eval[string](b, "getComputedStyle(document.body).backgroundColor"))
	all := b.names()
	for _, want := range []string{"heading Failures", "table Nodes that were given up", "table Biggest prefixes"} {
		assert.Contains(t, all, want)
	}
	assert.Contains(t, all, "image keys a second over 60.0 s, at most 28,500")
	assert.Contains(t, all, "image Treemap of prefixes by bytes; the table below has the same in words")
	if to := os.Getenv("RAMIFY_PICTURES"); to != "" {
		require.NoError(t, os.WriteFile(filepath.Join(to, "report.png"), b.picture(true), 0o600))
	}
}
