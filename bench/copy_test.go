package bench

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ramify/ramify/bench/keys"
	"github.com/ramify/ramify/bench/peer"
)

// copyGoals are how much longer peers shall take than we with as many in flight, or
// as a peer's name says.
var copyGoals = []struct {
	peer, us string
	wall     float64
}{
	{"s5cmd-64", "ramify-64", 1.1},
	{"s5cmd-256", "ramify-256", 2},
	{"rclone-64", "ramify-64", 3},
}

// BenchmarkCopy sets `ramify run --to` beside its peers: 20,000 empty objects, on
// one server, in one run.
func BenchmarkCopy(b *testing.B) {
	o := parseOptions(b, "30ms")
	s := openShop(b)
	_, truth := find(b, "sample", o.source)
	srv := s.serve(b, "sample", o.source, "-copies")
	for _, latency := range o.latencies {
		b.Run(latency.String(), func(b *testing.B) {
			o := o
			o.runs *= b.N
			o.slowRuns *= b.N
			all := func(dir, output string, truth *keys.Truth) error {
				if got := srv.control(b, "counts").Copies; got != int64(truth.Keys.Count) {
					return fmt.Errorf("%d objects were copied, want %d", got, truth.Keys.Count)
				}
				return nil
			}
			field := []contestant{s.ramifyCopies(64, all), s.ramifyCopies(256, all)}
			for _, p := range peer.Copiers(o.peers) {
				program := peerPath(b, p.Binary)
				field = append(field, contestant{name: p.Name, about: p.About, check: all, command: func(_, endpoint string) []string {
					return append([]string{program}, p.Args(endpoint)...)
				}})
			}
			results := s.race(b, &o, srv, latency, truth, field)
			by := map[string]*result{}
			for i := range results {
				by[results[i].name] = &results[i]
				if err := results[i].wrong; err != nil {
					b.Errorf("%s: %v", results[i].name, err)
				}
			}
			var lines []string
			for _, g := range copyGoals {
				us, they := by[g.us], by[g.peer]
				if they == nil {
					continue // it is not in the race: PEERS
				}
				if len(us.laps) > 0 && len(they.laps) > 0 {
					ratio := they.wall().mid / us.wall().mid
					lines = append(lines, verdict(ratio >= g.wall, "%s takes %.2f × as long as %s; at least %.1f ×", g.peer, ratio, g.us, g.wall))
				}
			}
			title := fmt.Sprintf("copies at %v: %d empty objects of a Debian mirror, from one bucket to another on one server", latency, truth.Keys.Count)
			o.publish(b, table(title, results)+bullets(lines)+legend(results)+occasion()+"\n\n")
			b.ReportMetric(by["ramify-64"].wall().mid, "wall-s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// ramifyCopies is what this repository holds, with its report.
func (s *shop) ramifyCopies(inFlight int, check func(string, string, *keys.Truth) error) contestant {
	return contestant{
		name: fmt.Sprintf("ramify-%d", inFlight), check: check,
		about: fmt.Sprintf("`ramify run --to`, %d in flight, with a report of each object, state on disk, every commit fsynced", inFlight),
		command: func(dir, _ string) []string {
			return []string{
				s.path("ramify"), "run", "s3://" + peer.Bucket + "/", "--to", "s3://" + peer.Copies + "/", "--state", filepath.Join(dir, "state"),
				"--out", filepath.Join(dir, "out"), "--concurrency", strconv.Itoa(inFlight),
			}
		},
	}
}
