package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/bench/fleet"
	"github.com/ramify/ramify/internal/emulator/counter"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
)

// BenchmarkFleet sets the engine on SQS, one message a node and no ledger, beside
// its peers: processes on one ElasticMQ, in one run.
func BenchmarkFleet(b *testing.B) {
	o := parseFleet(b)
	m := openMeet(b, o.walkers(b))
	b.Run("fanout=10", func(b *testing.B) {
		t := tree{fanout: 10, depth: number(b, "DEPTH", "4")}
		m.compete(b, &o, t, m.walkers)
	})
	b.Run("fanout=2", func(b *testing.B) {
		m.compete(b, &o, tree{fanout: 2, depth: 13}, m.walkers[:1])
	})
}

// tree is what is walked: fanout children at each node above depth.
type tree struct{ fanout, depth int }

func (t tree) nodes() int { return fleet.Nodes(t.fanout, t.depth) }

// walker is a contestant.
type walker struct {
	name, about string
	batched     bool
	start       func(ctx context.Context, p fleet.Place) (fleet.Walker, error)
}

// meet is where walkers compete: one server, and a proxy that counts.
type meet struct {
	url     string
	counter *counter.Counter
	walkers []walker
}

func openMeet(b *testing.B, walkers []walker) *meet {
	b.Helper()
	m := &meet{url: elasticmq.URL(b), walkers: walkers}
	m.counter = counter.New(b, m.url)
	// The server's JVM is slow at first.
	for range number(b, "WARMUP", "3") {
		_, err := m.lap(b, m.url, tree{10, 4}, walkers[0])
		must(b, err)
	}
	return m
}

// round is one walk of one walker, timed or counted.
type round struct {
	took  time.Duration
	cpu   time.Duration // of the worker and its children, warm-up included
	nodes int
	asked map[string]int // requests by operation, where they were counted
}

func (r round) rate() float64 { return float64(r.nodes) / r.took.Seconds() }

func (r round) requests() float64 {
	n := 0
	for _, k := range r.asked {
		n += k
	}
	return float64(n) / float64(r.nodes)
}

// lap has a new worker walk a small tree, to warm up, and then the tree.
func (m *meet) lap(b *testing.B, endpoint string, t tree, who walker) (round, error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	name := "fleet-" + rand.Text()
	must(b, fleet.Create(ctx, m.url, name))
	w, err := who.start(ctx, fleet.Place{Endpoint: endpoint, Name: name, Fanout: t.fanout})
	if err != nil {
		return round{}, err
	}
	stop := func(err error) error {
		if ended := w.Stop(); err == nil {
			return ended
		}
		return err
	}
	warm := t.depth
	for fleet.Nodes(t.fanout, warm) > 2_000 {
		warm--
	}
	if _, err := w.Walk(ctx, warm); err != nil {
		return round{}, stop(err)
	}
	before := m.settled(b)
	took, err := w.Walk(ctx, t.depth)
	if err != nil {
		return round{}, stop(err)
	}
	r := round{took: took, nodes: t.nodes(), asked: m.settled(b)}
	for operation, n := range before {
		r.asked[operation] -= n
	}
	err = stop(nil)
	r.cpu = w.CPU()
	return r, err
}

// settled is how many requests there were once nothing is posted or deleted any
// more: workers delete a little later than they process.
func (m *meet) settled(b *testing.B) map[string]int {
	b.Helper()
	quiet, again := 0, time.NewTicker(100*time.Millisecond)
	defer again.Stop()
	work := func(all map[string]int) (n int) {
		for operation, k := range all {
			if operation != "ReceiveMessage" {
				n += k
			}
		}
		return n
	}
	last := m.counter.Requests()
	for quiet < 5 {
		<-again.C
		now := m.counter.Requests()
		if quiet++; work(now) != work(last) {
			quiet = 0
		}
		last = now
	}
	return last
}

// entrant is what a walker achieved.
type entrant struct {
	walker
	rounds  []round // timed
	counted round   // through the proxy
	wrong   error
}

func (e *entrant) rate() spread {
	all := make([]float64, len(e.rounds))
	for i, r := range e.rounds {
		all[i] = r.rate()
	}
	return spreadOf(all)
}

// cpuPerNode is in microseconds.
func (e *entrant) cpuPerNode() spread {
	all := make([]float64, len(e.rounds))
	for i, r := range e.rounds {
		all[i] = float64(r.cpu.Microseconds()) / float64(r.nodes)
	}
	return spreadOf(all)
}

// compete lets all walk the same tree, one after the other, round after round, and
// once more through the proxy, which takes time of its own.
func (m *meet) compete(b *testing.B, o *fleetOptions, t tree, field []walker) {
	b.Helper()
	all := make([]entrant, len(field))
	for n := range o.runs*b.N + 1 {
		counting, endpoint := n == 0, m.url
		if counting {
			endpoint = m.counter.URL
		}
		for i, who := range field {
			e := &all[i]
			if e.walker = who; e.wrong != nil {
				continue
			}
			r, err := m.lap(b, endpoint, t, who)
			switch {
			case err != nil:
				e.wrong = err
				fmt.Fprintf(os.Stderr, "%s: %s: %v\n", b.Name(), who.name, err)
			case counting:
				e.counted = r
				fmt.Fprintf(os.Stderr, "%s: %s: %.3f requests a node, %v\n", b.Name(), who.name, r.requests(), r.asked)
			default:
				e.rounds = append(e.rounds, r)
				fmt.Fprintf(os.Stderr, "%s, %d of %d: %s: %.0f nodes/s\n", b.Name(), n, o.runs*b.N, who.name, r.rate())
			}
		}
	}
	o.publish(b, fleetTable(t, all)+bullets(fleetGoals(t, all))+fleetLegend(all)+occasion()+"\n\n")
	for i := range all {
		if all[i].wrong != nil {
			b.Errorf("%s: %v", all[i].name, all[i].wrong)
		}
	}
	b.ReportMetric(all[0].rate().mid, "nodes/s")
	b.ReportMetric(all[0].counted.requests(), "requests/node")
	b.ReportMetric(0, "ns/op")
}

// fleetOptions are what `make bench BENCH=Fleet` was asked for.
type fleetOptions struct {
	options
	peers []fleet.Peer
}

func parseFleet(b *testing.B) fleetOptions {
	b.Helper()
	o := fleetOptions{options: options{
		runs:   number(b, "RUNS", "3"),
		tables: variable("TABLES", filepath.Join("..", "out", "bench.md")),
	}}
	var names []string
	for _, p := range fleet.Peers {
		names = append(names, p.Name)
	}
	for _, name := range words("PEERS", strings.Join(names, " ")) {
		if name == "none" || isLister(name) {
			continue
		}
		p, err := fleet.Find(name)
		must(b, err)
		o.peers = append(o.peers, p)
	}
	return o
}

// walkers builds and installs all that compete, Ramify first.
func (o *fleetOptions) walkers(b *testing.B) []walker {
	b.Helper()
	program := filepath.Join(b.TempDir(), "ramify")
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-o", program, "../cmd/ramify")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build ramify: %v\n%s", err, out)
	}
	server := elasticmq.URL(b)
	all := []walker{{
		name: "ramify", about: "`ramify task --ledger none --inline 0 --concurrency 256`, metrics on", batched: true,
		start: func(ctx context.Context, p fleet.Place) (fleet.Walker, error) {
			return fleet.StartTask(ctx, p, server, program)
		},
	}}
	for _, p := range o.peers {
		command, env, err := p.Install()
		must(b, err)
		env = append(env, passed("FLEET_CONSUMERS", "FLEET_POOL", "FLEET_SLOTS")...)
		all = append(all, walker{
			name: p.Name, about: p.About, batched: p.Batched,
			start: func(ctx context.Context, p fleet.Place) (fleet.Walker, error) {
				return fleet.Start(ctx, p, command, env...)
			},
		})
	}
	return all
}

// passed hands variables on to a worker, for experiments.
func passed(names ...string) (env []string) {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}
