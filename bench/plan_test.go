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
// A plan is told what a node takes, not what this machine's queue and ledger take
// for its message. The chain, where one is done at a time, tells that; the
// others are planned a second time with it, which asks the model alone.
func BenchmarkPlan(b *testing.B) {
	o := options{runs: number(b, "RUNS", "3"), tables: parseOptions(b, "0s").tables}
	s := openShop(b)
	const short, long = synthetic.Duration(20 * time.Millisecond), synthetic.Duration(100 * time.Millisecond)
	rows := []foretold{
		{name: "chain", slots: 32, tree: "nodes=201,fanout=1", spec: synthetic.Spec{Shape: synthetic.Chain, Depth: 200, Work: short}},
		{name: "fan-out 10", slots: 32, tree: "levels=1/10/100/1000/10000", spec: synthetic.Spec{Fanout: 10, Depth: 4, Work: short}},
		{name: "wide", slots: 32, tree: "levels=1/10000", spec: synthetic.Spec{Shape: synthetic.Wide, Fanout: 10_000, Depth: 1, Work: short}},
		{name: "long nodes", slots: 32, tree: "levels=1/10/100/1000", spec: synthetic.Spec{Fanout: 10, Depth: 3, Work: long}},
	}
	before := load()
	// Round after round: whatever else the machine does meets all alike.
	for range o.runs * b.N {
		for i := range rows {
			s.live(b, &rows[i])
		}
	}
	after := load()
	for i := range rows {
		t := &rows[i]
		t.planned = s.foresee(b, t, 0)
		if i > 0 {
			more := rows[0].more()
			t.told = &spread{s.foresee(b, t, more.low).low, s.foresee(b, t, more.mid).mid, s.foresee(b, t, more.high).high}
		}
		b.ReportMetric(t.real().mid/t.planned.mid, strings.ReplaceAll(t.name, " ", "-")+"-×planned")
	}
	b.ReportMetric(0, "ns/op")
	o.publish(b, planTable(rows)+occasion()+"; load average "+before+" before, "+after+" after\n\n")
}

// foretold is a tree, what the plan says of it and what it took.
type foretold struct {
	name  string
	slots int
	tree  string // the fields of the plan's model that make the tree
	spec  synthetic.Spec

	planned spread    // seconds
	told    *spread   // planned with what a message takes besides; nil: it is this that tells
	laps    []float64 // seconds of wall time of the process, its start included
}

func (t *foretold) nodes() int64 { return synthetic.Expect(&t.spec, 0).Account.Nodes }

func (t *foretold) real() spread { return spreadOf(slices.Clone(t.laps)) }

// more is what a message held its slot for besides its node's time, in seconds,
// if all of what was not planned was that.
func (t *foretold) more() spread {
	node := time.Duration(t.spec.Work).Seconds()
	per := func(wall float64) float64 { return node * (wall/t.planned.mid - 1) }
	r := t.real()
	return spread{per(r.low), per(r.mid), per(r.high)}
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

// foresee plans, with nodes that take so many seconds more than they do. A minimum
// of one task is one that runs from the seed on.
func (s *shop) foresee(b *testing.B, t *foretold, more float64) spread {
	b.Helper()
	var said plan.Estimate
	took := time.Duration(t.spec.Work) + time.Duration(more*1e9).Round(time.Microsecond)
	model := fmt.Sprintf("tree:%s,time=%v,inline=0", t.tree, took)
	s.ask(b, &said, "plan", model, "--min", "1", "--max", "1", "--concurrency", strconv.Itoa(t.slots), "--json")
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
func planTable(rows []foretold) string {
	var text strings.Builder
	text.WriteString("### Plans, one task that is there, one message a node\n\n")
	text.WriteString("| tree | nodes | slots | runs | real s | planned s | real ÷ planned | inside | more a message, ms | told of the chain's: planned s | real ÷ planned | inside |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for i := range rows {
		t := &rows[i]
		beside := func(plan spread) string {
			return fmt.Sprintf("%s | %.2f | %d of %d", plan.text(2), t.real().mid/plan.mid, t.inside(plan), len(t.laps))
		}
		more := t.more()
		again := " | | "
		if t.told != nil {
			again = beside(*t.told)
		}
		fmt.Fprintf(&text, "| %s | %d × %v | %d | %d | %s | %s | %s | %s |\n", t.name, t.nodes(), time.Duration(t.spec.Work), t.slots, len(t.laps),
			t.real().text(2), beside(t.planned), spread{more.low * 1e3, more.mid * 1e3, more.high * 1e3}.text(1), again)
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
	require.Contains(t, planTable([]foretold{row}),
		"| wide | 1601 × 20ms | 8 | 3 | 5.00 (4.50–6.00) | 4.00 (3.00–5.00) | 1.25 | 2 of 3 | 5.0 (2.5–10.0) |  | |  |")
	row.told = &spread{4, 5, 7}
	require.Contains(t, planTable([]foretold{row}), "| 5.00 (4.00–7.00) | 1.00 | 3 of 3 |\n")
}
