package report

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/ramify/ramify/console"
)

// evil is a name that would break out of wherever it is put.
const evil = "\"'><script>alert(1)</script><img src=x onerror=alert(2)> | `a` **b** [c](http://d) @octocat #1 \\| \\\\| &amp; www.e.org\n\x1b[2J\u202e</title></svg>"

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// aReport is of a run that has failed, with names that are hostile.
func aReport() *Report {
	prefixes, over := int64(3), noon.Add(time.Minute)
	r := &Report{
		Version: Version, Made: noon.Add(time.Hour), By: "ramify 1.2.3", Run: "photos", Target: "s3://bucket/" + evil, Kind: "s3.crawl", Noun: "key",
		State: console.Failed, Created: noon, Finished: &over, Seconds: 60, Fraction: 1, Out: "/out/" + evil,
		Totals: Totals{Nodes: 1234, Failed: 1300, Objects: 7_654_321, Bytes: 5 << 30, Prefixes: &prefixes, Retries: 17, Requests: map[string]int64{"list": 9000, evil: 1}},
		Mean:   Speeds{Nodes: 20.6, Objects: 127_572, Bytes: 89_478_485, Requests: 150},
		Cost:   &Cost{SoFar: 1.25, Total: 1.25, Budget: 2}, Configuration: []Setting{{"retries", "5"}, {"filter", evil}},
		Slowest: []console.Slow{{Node: evil, Kind: "s3.crawl", Seconds: 12.5, At: noon}},
		Workers: []Worker{{ID: evil, Slots: 64, Busy: 1920, Units: 5, Nodes: 1234, Started: noon, At: noon.Add(time.Minute)}}, MoreWorkers: 4,
		MoreFailures: 300,
	}
	for i := range 1000 {
		r.Failures = append(r.Failures, console.Failure{Node: fmt.Sprintf("node %d %s", i, evil), Kind: "s3.crawl", Depth: 2, Reason: "refused: " + evil, Attempts: 6, At: &over})
	}
	for i := range 60 {
		r.History.Points = append(r.History.Points, console.Point{Seconds: float64(i + 1), Nodes: int64(i * 20), Objects: int64(i * i * 2000), Bytes: int64(i) << 26, Requests: int64(150 * i), Failures: int64(i)})
	}
	target, least, most := 120.0, 0, 200
	r.Fleet = &Fleet{
		Tasks: TaskHistory{{0, 30, 0, 8, 0}, {30, 30, 7.5, 8, 8}}, Hours: 0.0625, Target: &target, Min: &least, Max: &most,
		Events:  []Event{{noon.Add(time.Second), "governor", "desired count set to 8, from 0: " + evil}, {noon, "ecs", evil}},
		Missing: []Missing{{"scaling activities", evil}},
	}
	r.Histograms = console.Histograms{
		Sizes:  []console.SizeClass{{From: 0, To: 1, Objects: 5}, {From: 1, To: 2, Objects: 7, Bytes: 7}},
		Depths: []console.DepthClass{{Depth: 0, Objects: 5}, {Depth: 1, Objects: 7}},
	}
	child := func(name string, objects int64, children ...Prefix) Prefix {
		return Prefix{Prefix: name, Sums: Sums{Objects: objects, Bytes: objects * 700}, Children: children}
	}
	top := child("", 7_654_321, child("a/", 5_000_000, child("a/x/", 3_000_000, child("a/x/y/", 2_000_000))), child(evil+"/", 2_000_000), child("b/", 600_000))
	top.Prefixes, top.Direct, top.Rest = 103, &Sums{Objects: 4321, Bytes: 4321 * 700}, &Rest{Prefixes: 100, Sums: Sums{Objects: 50_000, Bytes: 50_000 * 700}}
	r.Tree = &Tree{Complete: true, By: ByBytes, Prefix: top}
	return r
}

func written(t *testing.T, r *Report, f Format) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
