package synthetic

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
)

// discard is an Out that costs nothing.
type discard struct{}

var _ processor.Out = (*discard)(nil)

func (*discard) Child(processor.Child) error     { return nil }
func (*discard) Write(string, []byte, int) error { return nil }
func (*discard) Count(int64, int64)              {}
func (*discard) Keep(float64)                    {}
func (*discard) Request(string, int64)           {}
func (*discard) Borrow() (processor.Slot, bool)  { return nil, false }
func (*discard) Due() processor.Due              { return processor.NotDue }

func TestANodeCostsItsChildrensNames(t *testing.T) {
	spec := &Spec{Fanout: 100, Depth: 3, Jitter: 0, Objects: 1, Bytes: 1, Fail: 1e-9}
	p, n, out := &Processor{}, &processor.Node{ID: "0.7.7", Args: spec.Args()}, &discard{}
	allocs := testing.AllocsPerRun(10, func() { _ = p.Process(context.Background(), n, out) })
	assert.LessOrEqual(t, allocs, 100.0+1, "one string a child")

	n.ID = "0.7.7.7"
	assert.LessOrEqual(t, testing.AllocsPerRun(10, func() { _ = p.Process(context.Background(), n, out) }), 1.0, "a leaf")
}

func TestSpecsKeptAreFew(t *testing.T) {
	p := &Processor{}
	for seed := range uint64(1000) {
		spec := Spec{Seed: seed}
		for range 2 {
			require.NoError(t, p.Process(t.Context(), &processor.Node{ID: RootID, Args: spec.Args()}, &discard{}))
		}
		require.LessOrEqual(t, len(*p.specs.Load()), maxSpecs)
	}
}

// BenchmarkProcess is the cost of Process alone for one node and the children
// it reveals.
func BenchmarkProcess(b *testing.B) {
	specs := map[string]Spec{
		"leaf":                    {Fanout: 10, Depth: 5},
		"leaf,jitter,rows,faults": {Fanout: 10, Depth: 5, Jitter: 0.1, Rows: true, Objects: 10, Bytes: 1000, Fail: 1e-9, Poison: 1e-9},
		"children=1":              {Fanout: 1, Depth: 9},
		"children=10":             {Fanout: 10, Depth: 9},
		"children=256":            {Fanout: 256, Depth: 9},
	}
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		b.Run(name, func(b *testing.B) {
			spec := specs[name]
			p, n, out := &Processor{}, &processor.Node{ID: "0.0.0.0.0.0", Args: spec.Args()}, &discard{}
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Process(context.Background(), n, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTree is the cost of Process alone for a whole tree, fan-out 10.
func BenchmarkTree(b *testing.B) {
	spec := &Spec{Fanout: 10, Depth: 5, Objects: 1, Bytes: 1}
	p, nodes, out := &Processor{}, 0, &stack{}
	b.ReportAllocs()
	for b.Loop() {
		out.children = append(out.children, processor.Child{ID: RootID, Args: spec.Args()})
		for n := new(processor.Node); len(out.children) > 0; nodes++ {
			last := len(out.children) - 1
			n.ID, n.Args = out.children[last].ID, out.children[last].Args
			out.children = out.children[:last]
			if err := p.Process(context.Background(), n, out); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(nodes), "ns/node")
}

// stack is an Out that keeps the children not yet processed.
type stack struct {
	discard
	children []processor.Child
}

func (s *stack) Child(c processor.Child) error { s.children = append(s.children, c); return nil }

func BenchmarkExpect(b *testing.B) {
	spec, nodes := &Spec{Fanout: 10, Depth: 5}, int64(0)
	for b.Loop() {
		nodes += Expect(spec, 1).Account.Nodes
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(nodes), "ns/node")
}
