package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/bench/fleet"
	"github.com/ramify/ramify/bench/keys"
	"github.com/ramify/ramify/bench/peer"
)

// options are what `make bench` was asked for.
type options struct {
	runs, slowRuns int
	lists          []string
	latencies      []time.Duration
	peers          []peer.Tool
	source         string // file of real keys, or nothing
	tables         string // file that tables are added to
}

// inFlight is how many requests a client may have in flight, and slow the wall
// time from which on a peer has only slowRuns.
const (
	inFlight = 64
	slow     = 20 * time.Second
)

// beside is where the real keys are on the machines that the goals were set on.
const beside = "../../shared/data/keys-debian-amd64.txt.xz"

func parseOptions(b *testing.B, latencies string) options {
	b.Helper()
	o := options{
		runs:   number(b, "RUNS", "5"),
		lists:  keys.Expand(words("LISTS", "")),
		source: variable("KEYS", ""),
		tables: variable("TABLES", filepath.Join("..", "out", "bench.md")),
	}
	o.slowRuns = number(b, "SLOW_RUNS", strconv.Itoa(o.runs))
	if o.source == "" {
		if _, err := os.Stat(beside); err == nil {
			o.source = beside
		}
	}
	for _, w := range words("LATENCY", latencies) {
		d, err := time.ParseDuration(w)
		must(b, err)
		o.latencies = append(o.latencies, d)
	}
	for _, w := range words("PEERS", "s3ls s5cmd rclone") {
		if w == "none" || isWorker(w) {
			continue
		}
		p, err := peer.Find(w)
		must(b, err)
		o.peers = append(o.peers, p)
	}
	return o
}

// PEERS names those of all benchmarks: tools that list, and workers on a queue.
func isLister(name string) bool { _, err := peer.Find(name); return err == nil }

func isWorker(name string) bool { _, err := fleet.Find(name); return err == nil }

// variable is one of those that the Makefile hands on, as RAMIFY_BENCH_NAME.
func variable(name, otherwise string) string {
	if v := strings.TrimSpace(os.Getenv("RAMIFY_BENCH_" + name)); v != "" {
		return v
	}
	return otherwise
}

func words(name, otherwise string) []string { return strings.Fields(variable(name, otherwise)) }

func number(b *testing.B, name, otherwise string) int {
	b.Helper()
	n, err := strconv.Atoi(variable(name, otherwise))
	must(b, err)
	return max(n, 1)
}
