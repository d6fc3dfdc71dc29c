package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/plan"
	"github.com/ramify/ramify/processor/synthetic"
)

// BenchmarkPlan sets `ramify run` of trees that wait more than they compute beside
// what `ramify plan` says of them, for one task that is there from the seed on: no
// launch, no scaling.
//
// A plan is told what a node takes and what a message takes besides, for queue and
// ledger. The latter is measured on this machine by a chain of nodes that do nothing,
// which is none of the trees that are compared.
func BenchmarkPlan(b *testing.B) {
	o := options{runs: number(b, "RUNS", "3"), tables: parseOptions(b, "0s").tables}
	s := openShop(b)
	const short, long = synthetic.Duration(20 * time.Millisecond), synthetic.Duration(100 * time.Millisecond)
	empty := foretold{name: "empty chain", slots: 32, spec: synthetic.Spec{Shape: synthetic.Chain, Depth: 200}}
	rows := []foretold{
		{name: "chain", slots: 32, tree: "nodes=201,fanout=1", spec: synthetic.Spec{Shape: synthetic.Chain, Depth: 200, Work: short}},
		{name: "fan-out 10", slots: 32, tree: "levels=1/10/100/1000/10000", spec: synthetic.Spec{Fanout: 10, Depth: 4, Work: short}},
		{name: "wide", slots: 32, tree: "levels=1/10000", spec: synthetic.Spec{Shape: synthetic.Wide, Fanout: 10_000, Depth: 1, Work: short}},
		{name: "long nodes", slots: 32, tree: "levels=1/10/100/1000", spec: synthetic.Spec{Fanout: 10, Depth: 3, Work: long}},
	}
	before := load()
	// Round after round: whatever else the machine does meets all alike. A message is
	// measured before and after each, as the machine is then.
	for range o.runs * b.N {
		for i := range rows {
			s.live(b, &empty)
			s.live(b, &rows[i])
		}
	}
	s.live(b, &empty)
	after := load()
	message := empty.perNode()
	for i := range rows {
		t := &rows[i]
		t.planned = s.foresee(b, t, message)
		b.ReportMetric(t.real().mid/t.planned.mid, strings.ReplaceAll(t.name, " ", "-")+"-×planned")
	}
	b.ReportMetric(0, "ns/op")
	o.publish(b, planTable(rows, message)+occasion()+"; load average "+before+" before, "+after+" after\n\n")
}

// foretold is a tree, what the plan says of it and what it took.
type foretold struct {
	name  string
	slots int
	tree  string // the fields of the plan's model that make the tree
	spec  synthetic.Spec

	planned spread    // seconds
	laps    []float64 // seconds of wall time of the process, its start included
}

func (t *foretold) nodes() int64 { return synthetic.Expect(&t.spec, 0).Account.Nodes }

func (t *foretold) real() spread { return spreadOf(slices.Clone(t.laps)) }

// perNode is seconds of one node after the other.
func (t *foretold) perNode() spread {
	r, n := t.real(), float64(t.nodes())
	return spread{r.low / n, r.mid / n, r.high / n}
}

// inside says how many of the runs took what a plan said.
func (t *foretold) inside(plan spread) (n int) {
	for _, lap := range t.laps {
		if plan.low <= lap && lap <= plan.high {
			n++
		}
	}
	return n
}

// foresee plans, with messages that take so many seconds besides their nodes. A minimum
// of one task is one that runs from the seed on.
func (s *shop) foresee(b *testing.B, t *foretold, message spread) spread {
	b.Helper()
	var said plan.Estimate
	span := func(seconds float64) time.Duration { return time.Duration(seconds * 1e9).Round(time.Microsecond) }
	model := fmt.Sprintf("tree:%s,time=%v,inline=0,message=%v..%v", t.tree, time.Duration(t.spec.Work), span(message.low), span(message.high))
	s.ask(b, &said, "plan", model, "--min", "1", "--max", "1", "--concurrency", strconv.Itoa(t.slots), "--seeds", "100", "--json")
	want := float64(t.nodes())
	if said.Nodes.Low != want || said.Nodes.High != want || said.FirstTask.High != 0 {
		b.Fatalf("plan %s is of %v nodes and a first task after %v s, want %v nodes and a task that is there", model, said.Nodes, said.FirstTask, want)
	}
	return spread{said.Seconds.Low, said.Seconds.Mid, said.Seconds.High}
}

// live does what was planned.
func (s *shop) live(b *testing.B, t *foretold) {
	b.Helper()
	root, err := json.Marshal(map[string]any{"kind": synthetic.Kind, "id": synthetic.RootID, "args": t.spec})
	must(b, err)
	var said struct {
		State string
		Nodes int64
	}
	wall := s.ask(b, &said, "run", string(root), "--inline", "0", "--concurrency", strconv.Itoa(t.slots), "--json")
	if said.State != "finished" || said.Nodes != t.nodes() {
		b.Fatalf("run of %s is %s with %d nodes, want %d", t.name, said.State, said.Nodes, t.nodes())
	}
	t.laps = append(t.laps, wall.Seconds())
}

// ask runs ramify to its end in a folder of its own and reads the object that it
// ends with.
func (s *shop) ask(b *testing.B, into any, args ...string) time.Duration {
	b.Helper()
	dir, err := os.MkdirTemp(s.dir, "plan-") //nolint:usetesting // on the disk of the checkout, not in memory
	must(b, err)
	defer os.RemoveAll(dir)
	used, output, err := s.clock(b.Context(), dir, "", append([]string{s.path("ramify")}, args...))
	must(b, err)
	text, err := os.ReadFile(output)
	must(b, err)
	must(b, json.Unmarshal(text, into))
	return used.Wall
}

// planTable is what was planned beside what was, as Markdown.
func planTable(rows []foretold, message spread) string {
	var text strings.Builder
	fmt.Fprintf(&text, "### Plans, one task that is there, one message a node\n\nA message takes %s ms besides its node.\n\n",
		spread{message.low * 1e3, message.mid * 1e3, message.high * 1e3}.text(1))
	text.WriteString("| tree | nodes | slots | runs | real s | planned s | real ÷ planned | inside |\n|---|---|---|---|---|---|---|---|\n")
	for i := range rows {
		t := &rows[i]
		fmt.Fprintf(&text, "| %s | %d × %v | %d | %d | %s | %s | %.2f | %d of %d |\n", t.name, t.nodes(), time.Duration(t.spec.Work), t.slots, len(t.laps),
			t.real().text(2), t.planned.text(2), t.real().mid/t.planned.mid, t.inside(t.planned), len(t.laps))
	}
	text.WriteByte('\n')
	return text.String()
}

// load is the machine's load average of the last minute, where it can be known.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}

func TestATableOfPlans(t *testing.T) {
	row := foretold{
		name: "wide", slots: 8, spec: synthetic.Spec{Shape: synthetic.Wide, Fanout: 1600, Depth: 1, Work: synthetic.Duration(20 * time.Millisecond)},
		planned: spread{3, 4, 5}, laps: []float64{6, 5, 4.5},
	}
	text := planTable([]foretold{row}, spread{0.002, 0.0025, 0.01})
	require.Contains(t, text, "A message takes 2.5 (2.0–10.0) ms")
	require.Contains(t, text, "| wide | 1601 × 20ms | 8 | 3 | 5.00 (4.50–6.00) | 4.00 (3.00–5.00) | 1.25 | 2 of 3 |\n")
	chain := foretold{spec: synthetic.Spec{Shape: synthetic.Chain, Depth: 9}, laps: []float64{2, 1, 3}}
	require.InDelta(t, 0.2, chain.perNode().mid, 1e-9)
}
