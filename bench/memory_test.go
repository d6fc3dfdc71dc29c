package bench

import (
	"fmt"
	"testing"
)

// memoryLimit is what listing may take however many keys there are.
const memoryLimit = 150 // MiB

// BenchmarkListMemory looks at the peak of what `ramify run` holds, on the real
// tree and on four times as much.
func BenchmarkListMemory(b *testing.B) {
	o := parseOptions(b, "30ms")
	s := openShop(b)
	for _, name := range []string{"debian", "releases"} {
		b.Run(name, func(b *testing.B) {
			o := o
			o.runs *= b.N
			l, truth := find(b, name, o.source)
			srv := s.serve(b, name, o.source)
			results := s.race(b, &o, srv, o.latencies[0], truth, []contestant{s.ramify()})
			us := &results[0]
			if us.wrong != nil {
				b.Fatal(us.wrong)
			}
			peak := us.rss().high
			line := verdict(peak <= memoryLimit, "peak of all runs: %.0f MiB; at most %d MiB", peak, memoryLimit)
			title := fmt.Sprintf("memory, %s at %v: %s; %d keys", name, o.latencies[0], l.About, truth.Keys.Count)
			o.publish(b, table(title, results)+bullets([]string{line})+occasion()+"\n\n")
			b.ReportMetric(peak, "peak-MiB")
			b.ReportMetric(0, "ns/op")
		})
	}
}
