package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/ramify/ramify/bench/keys"
)

// BenchmarkList sets `ramify run` beside its peers on lists of every shape, on
// one server, in one run.
func BenchmarkList(b *testing.B) {
	o := parseOptions(b, "30ms 0s")
	s := openShop(b)
	for _, name := range o.lists {
		for _, latency := range o.latencies {
			b.Run(name+"/"+latency.String(), func(b *testing.B) {
				l, truth := find(b, name, o.source)
				s.compare(b, o, l, truth, latency, s.serve(b, name, o.source), "")
			})
		}
	}
}

// BenchmarkListForeign is a smaller race on a server that we did not write.
func BenchmarkListForeign(b *testing.B) {
	o := parseOptions(b, "30ms")
	s := openShop(b)
	for _, latency := range o.latencies {
		b.Run("sample/"+latency.String(), func(b *testing.B) {
			l, truth := find(b, "sample", o.source)
			s.compare(b, o, l, truth, latency, s.serve(b, "sample", o.source, "-foreign"), ", served by gofakes3")
		})
	}
}

// compare runs one race and publishes it.
func (s *shop) compare(b *testing.B, o options, l *keys.List, truth *keys.Truth, latency time.Duration, srv *server, where string) {
	b.Helper()
	o.runs *= b.N
	o.slowRuns *= b.N
	field := []contestant{s.ramify()}
	for _, p := range o.peers {
		field = append(field, peerContestant(b, p))
	}
	best := srv.ideal(b, l, truth, latency)
	results := s.race(b, &o, srv, latency, truth, field)
	us := &results[0]
	title := fmt.Sprintf("%s at %v: %s%s; %d keys", l.Name, latency, l.About, where, truth.Keys.Count)
	lines := append(bounds(us, best, latency), ratios(l.Name, latency, us, results)...)
	o.publish(b, table(title, results)+bullets(lines)+legend(results)+occasion()+"\n\n")
	for i := range results {
		if err := results[i].wrong; err != nil && (i == 0 || !field[i].fails(l.Name)) {
			b.Errorf("%s: %v", results[i].name, err)
		}
	}
	b.ReportMetric(us.wall().mid, "wall-s")
	b.ReportMetric(us.lists().mid, "LISTs")
	b.ReportMetric(us.wall().mid/best.wall().Seconds(), "×ideal")
	b.ReportMetric(0, "ns/op")
}
