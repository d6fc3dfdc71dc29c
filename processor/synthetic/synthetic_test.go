package synthetic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/processor/synthetic"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

func root(kind string, s *synthetic.Spec) processor.Node {
	return processor.Node{Kind: kind, ID: synthetic.RootID, Args: s.Args()}
}

// specs are trees of at most some thousand nodes.
var specs = rapid.Custom(func(t *rapid.T) *synthetic.Spec {
	s := &synthetic.Spec{
		Seed:    rapid.Uint64().Draw(t, "seed"),
		Shape:   rapid.SampledFrom([]synthetic.Shape{"", synthetic.Uniform, synthetic.Chain, synthetic.Wide, synthetic.Skewed}).Draw(t, "shape"),
		Fanout:  rapid.IntRange(0, 5).Draw(t, "fanout"),
		Depth:   rapid.IntRange(0, 4).Draw(t, "depth"),
		Objects: rapid.Int64Range(0, 1000).Draw(t, "objects"),
		Bytes:   rapid.Int64Range(0, 1<<40).Draw(t, "bytes"),
		Rows:    rapid.Bool().Draw(t, "rows"),
	}
	if rapid.Bool().Draw(t, "uneven") {
		s.Jitter = rapid.Float64Range(0, 1).Draw(t, "jitter")
	}
	if rapid.Bool().Draw(t, "faulty") {
		s.Fail = rapid.Float64Range(0, 0.5).Draw(t, "fail")
		s.Poison = rapid.Float64Range(0, 0.1).Draw(t, "poison")
	}
	return s
})

func TestAWalkFindsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := specs.Draw(t, "spec")
		retries := rapid.IntRange(0, 4).Draw(t, "retries")
		truth := synthetic.Expect(spec, retries)

		var audit synthetic.Audit
		w := processortest.Walker{Retries: retries, Set: processor.Set{
			synthetic.Kind:       &synthetic.Processor{},
			synthetic.ReduceKind: &synthetic.Reducer{Hook: audit.Check},
		}}
		tree, err := w.Walk(context.Background(), root(synthetic.Kind, spec))
		require.NoError(t, err)
		require.Equal(t, truth.Account, tree.Account)
		require.Equal(t, schema.Whole, tree.Settled)
		require.Len(t, tree.Failed, len(truth.Failed))
		for i, f := range tree.Failed {
			require.Equal(t, truth.Failed[i], f.ID)
			require.ErrorIs(t, f.Err, synthetic.ErrFailed)
		}
		checkRows(t, truth, tree.Streams[sink.Rows])

		tree, err = w.Walk(context.Background(), root(synthetic.ReduceKind, spec))
		require.NoError(t, err)
		want := truth.Account
		want.Reduces = truth.Reduces
		require.Equal(t, want, tree.Account)
		require.Empty(t, audit.Faults())
		require.Len(t, audit.Reduced(), int(truth.Reduces))
	})
}

// checkRows: one valid row a node, no node twice, and their sums are the truth's.
func checkRows(t require.TestingT, truth synthetic.Truth, stream *processortest.Stream) {
	if truth.Rows == 0 {
		require.Nil(t, stream)
		return
	}
	require.Equal(t, int(truth.Rows), stream.Rows)
	seen := map[string]bool{}
	var objects, size int64
	for line := range bytes.Lines(stream.Bytes()) {
		var row struct {
			ID             string
			Objects, Bytes int64
		}
		require.NoError(t, json.Unmarshal(line, &row))
		require.False(t, seen[row.ID], row.ID)
		seen[row.ID] = true
		objects += row.Objects
		size += row.Bytes
	}
	require.Len(t, seen, int(truth.Rows))
	require.Equal(t, truth.Account.Objects, objects)
	require.Equal(t, truth.Account.Bytes, size)
}

func TestShapes(t *testing.T) {
	for _, c := range []struct {
		spec           synthetic.Spec
		nodes, reduces int64
	}{
		{synthetic.Spec{}, 1, 1},
		{synthetic.Spec{Fanout: 9}, 1, 1},
		{synthetic.Spec{Depth: 9}, 1, 1},
		{synthetic.Spec{Fanout: 10, Depth: 3}, 1 + 10 + 100 + 1000, 1111},
		{synthetic.Spec{Shape: synthetic.Uniform, Fanout: 1, Depth: 100}, 101, 101},
		{synthetic.Spec{Shape: synthetic.Chain, Depth: schema.MaxDepth}, schema.MaxDepth + 1, schema.MaxDepth + 1},
		{synthetic.Spec{Shape: synthetic.Chain, Depth: 7, Fanout: 50, Jitter: 1}, 8, 8},
		{synthetic.Spec{Shape: synthetic.Wide, Fanout: 10, Depth: 3}, 1001, 1001},
		{synthetic.Spec{Shape: synthetic.Wide, Fanout: 10}, 1, 1},
		{synthetic.Spec{Shape: synthetic.Skewed, Fanout: 10, Depth: 10}, 1024, 1024}, // a binomial tree
		{synthetic.Spec{Shape: synthetic.Skewed, Fanout: 1, Depth: 10}, 11, 11},
	} {
		truth := synthetic.Expect(&c.spec, 0)
		assert.Equal(t, schema.Account{Nodes: c.nodes}, truth.Account, "%s", c.spec.Args())
		assert.Equal(t, c.reduces, truth.Reduces, "%s", c.spec.Args())
		assert.Empty(t, truth.Failed)
	}
}

// A figure measured on a tree means something only while the tree is the same.
func TestTreesStayTheSame(t *testing.T) {
	spec, err := synthetic.ParseSpec(schema.Args(`{"seed":7,"fanout":6,"depth":4,"jitter":0.5,"work":"5ms","objects":100,"bytes":4096,"fail":0.2,"poison":0.01,"rows":true}`))
	require.NoError(t, err)
	assert.Equal(t, synthetic.Duration(5*time.Millisecond), spec.Work)
	truth := synthetic.Expect(spec, 2)
	assert.Equal(t, schema.Account{Nodes: 781, Objects: 77_584, Bytes: 3_204_486, Failures: 51}, truth.Account)
}

func TestJitterSpreadsAroundTheMean(t *testing.T) {
	spec := synthetic.Spec{Seed: 3, Shape: synthetic.Wide, Fanout: 10_000, Depth: 1, Jitter: 0.5, Objects: 1000, Bytes: 1 << 20}
	truth := synthetic.Expect(&spec, 0)
	n := float64(truth.Account.Nodes)
	assert.InDelta(t, 10_000, n, 5_001)
	assert.NotEqual(t, int64(10_001), truth.Account.Nodes)
	assert.InEpsilon(t, 1000*n, truth.Account.Objects, 0.02)
	assert.NotEqual(t, 1000*truth.Account.Nodes, truth.Account.Objects)
	assert.InEpsilon(t, n*(1<<20), truth.Account.Bytes, 0.02)
}

func TestFailuresFollowTheirProbability(t *testing.T) {
	spec := synthetic.Spec{Seed: 11, Shape: synthetic.Chain, Depth: 1, Fail: 0.1}
	share := func(spec synthetic.Spec, retries int) float64 {
		failed := 0
		for seed := range uint64(20_000) {
			spec.Seed = seed
			failed += min(1, len(synthetic.Expect(&spec, retries).Failed))
		}
		return float64(failed) / 20_000
	}
	assert.InDelta(t, 1-0.9*0.9, share(spec, 1), 0.01, "either of two nodes")
	assert.InDelta(t, 1-0.99*0.99, share(spec, 2), 0.003, "twice each")
	spec.Fail, spec.Poison = 0, 0.1
	assert.InDelta(t, 1-0.9*0.9, share(spec, 5), 0.01, "however often it is tried")
}

func TestAFailingAttemptLeavesSomethingToDiscard(t *testing.T) {
	spec := synthetic.Spec{Fanout: 10, Depth: 1, Poison: 1, Objects: 5, Bytes: 7, Rows: true, Heal: 2}
	n := root(synthetic.Kind, &spec)
	for _, n.Tries = range []int{0, 1, 100} {
		result, err := processortest.Run(t.Context(), &synthetic.Processor{}, &n)
		require.ErrorIs(t, err, synthetic.ErrFailed)
		assert.False(t, processor.IsPermanent(err), "a retry may mend it, for all the engine knows")
		assert.Len(t, result.Children, 5)
		assert.Equal(t, 1, result.Streams[sink.Rows].Rows)
		assert.Equal(t, int64(5), result.Objects)
	}
	n.Epoch = 1
	_, err := processortest.Run(t.Context(), &synthetic.Processor{}, &n)
	require.ErrorIs(t, err, synthetic.ErrFailed)
	n.Epoch = 2
	result, err := processortest.Run(t.Context(), &synthetic.Processor{}, &n)
	require.NoError(t, err, "healed in the second redrive")
	assert.Len(t, result.Children, 10)
}

func TestAttemptsAreAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := root(synthetic.Kind, specs.Draw(t, "spec"))
		n.Tries = rapid.IntRange(0, 3).Draw(t, "tries")
		p := &synthetic.Processor{}
		first, err := processortest.Run(context.Background(), p, &n)
		n.Depth, n.Run, n.Share = 5, "other", 1 // nothing else has a say
		second, again := processortest.Run(context.Background(), p, &n)
		fresh, afresh := processortest.Run(context.Background(), &synthetic.Processor{}, &n)
		require.Equal(t, first, second)
		require.Equal(t, first, fresh)
		require.Equal(t, fmt.Sprint(err), fmt.Sprint(again))
		require.Equal(t, fmt.Sprint(err), fmt.Sprint(afresh))
	})
}

func TestChildrenAreNamedByTheirPathAndShareTheArgs(t *testing.T) {
	spec := synthetic.Spec{Fanout: 11, Depth: 3}
	n := root(synthetic.Kind, &spec)
	n.ID = "0.3.10"
	result, err := processortest.Run(t.Context(), &synthetic.Processor{}, &n)
	require.NoError(t, err)
	require.Len(t, result.Children, 11)
	for slot, c := range result.Children {
		assert.Equal(t, fmt.Sprintf("0.3.10.%d", slot), c.ID)
		assert.Empty(t, c.Kind)
		assert.Same(t, &n.Args[0], &c.Args[0])
	}

	spec = synthetic.Spec{Shape: synthetic.Chain, Depth: 5000}
	n = root(synthetic.Kind, &spec)
	n.ID = "4321"
	result, err = processortest.Run(t.Context(), &synthetic.Processor{}, &n)
	require.NoError(t, err)
	require.Len(t, result.Children, 1)
	assert.Equal(t, "4322", result.Children[0].ID)
}

func TestNodesOutsideTheTreeFailForGood(t *testing.T) {
	tree, chain := synthetic.Spec{Fanout: 3, Depth: 2}, synthetic.Spec{Shape: synthetic.Chain, Depth: 3}
	for _, c := range []struct {
		spec synthetic.Spec
		id   string
	}{
		{tree, ""},
		{tree, "1"},
		{tree, "00"},
		{tree, "0."},
		{tree, "0.3"},
		{tree, "0.-1"},
		{tree, "0.1.2.0"},
		{tree, "0..1"},
		{tree, "0.x"},
		{tree, "0.1 "},
		{tree, "0." + strings.Repeat("9", 40)},
		{chain, "4"},
		{chain, "0.0"},
		{chain, "-1"},
		{chain, ""},
	} {
		n := root(synthetic.Kind, &c.spec)
		n.ID = c.id
		_, err := processortest.Run(t.Context(), &synthetic.Processor{}, &n)
		require.ErrorContains(t, err, fmt.Sprintf("find synthetic node %q", c.id))
		assert.True(t, processor.IsPermanent(err))
	}
}

func TestSpecsThatNoTreeHasFailForGood(t *testing.T) {
	for args, says := range map[string]string{
		`{"fanout":"3"}`:                "fanout",
		`{"width":3}`:                   `unknown field "width"`,
		`{"shape":"round"}`:             `shape is "round", want uniform, chain, wide or skewed`,
		`{"depth":-1}`:                  "depth",
		`{"depth":10001}`:               "depth",
		`{"fanout":-1,"depth":1}`:       "fanout",
		`{"fanout":9e9}`:                "fanout",
		`{"fanout":2,"depth":3000}`:     "paths have at most 4096 bytes",
		`{"jitter":1.1}`:                "jitter",
		`{"work":"5"}`:                  "missing unit",
		`{"work":"-5ms"}`:               `work is "-5ms"`,
		`{"objects":-1}`:                "objects and bytes",
		`{"bytes":-1}`:                  "objects and bytes",
		`{"fail":-0.1}`:                 "fail",
		`{"poison":2}`:                  "poison",
		`{"heal":-1}`:                   "heal",
		`[]`:                            "",
		`{"fanout":20000000,"depth":1}`: "fanout",
		`{"shape":"wide","fanout":1000,"depth":3}`: "fanout",
	} {
		_, err := processortest.Run(t.Context(), &synthetic.Processor{}, &processor.Node{ID: synthetic.RootID, Args: schema.Args(args)})
		require.ErrorContains(t, err, "parse synthetic spec", args)
		require.ErrorContains(t, err, says)
		assert.True(t, processor.IsPermanent(err), args)
	}
}

func TestSpecsComeBackFromArgs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := specs.Draw(t, "spec")
		spec.Work = synthetic.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "work"))
		got, err := synthetic.ParseSpec(spec.Args())
		require.NoError(t, err)
		require.Equal(t, spec, got)
	})
	none, err := synthetic.ParseSpec(nil)
	require.NoError(t, err)
	assert.Equal(t, &synthetic.Spec{}, none)
}

func TestWorkTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := root(synthetic.Kind, &synthetic.Spec{Work: synthetic.Duration(5 * time.Millisecond)})
		start := time.Now()
		_, err := processortest.Run(t.Context(), &synthetic.Processor{}, &n)
		require.NoError(t, err)
		assert.Equal(t, 5*time.Millisecond, time.Since(start))

		n = root(synthetic.Kind, &synthetic.Spec{Work: synthetic.Duration(time.Second), Jitter: 0.5})
		start = time.Now()
		_, err = processortest.Run(t.Context(), &synthetic.Processor{}, &n)
		require.NoError(t, err)
		assert.InDelta(t, time.Second, time.Since(start), float64(time.Second/2))
		assert.NotEqual(t, time.Second, time.Since(start))
	})
}

func TestALostLeaseEndsTheWork(t *testing.T) {
	lost := errors.New("lease lost")
	synctest.Test(t, func(t *testing.T) {
		for _, work := range []time.Duration{0, time.Hour} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(lost) })
			if work == 0 {
				cancel(lost)
			}
			start := time.Now()
			n := root(synthetic.Kind, &synthetic.Spec{Work: synthetic.Duration(work), Objects: 1})
			result, err := processortest.Run(ctx, &synthetic.Processor{}, &n)
			require.ErrorIs(t, err, lost)
			assert.LessOrEqual(t, time.Since(start), time.Second)
			assert.Zero(t, result.Objects)
		}
	})
}

func TestALostLeaseEndsAWideNode(t *testing.T) {
	lost := errors.New("lease lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	n := root(synthetic.Kind, &synthetic.Spec{Shape: synthetic.Wide, Fanout: 1_000_000, Depth: 1})
	r := &processortest.Recorder{Fault: func(string, int) error { cancel(lost); return nil }}
	result, err := r.Run(ctx, &synthetic.Processor{}, &n)
	require.ErrorIs(t, err, lost)
	assert.Less(t, len(result.Children), 10_000)
}

func TestErrorsOfOutFailTheAttempt(t *testing.T) {
	full := errors.New("disk full")
	for _, broken := range []string{"Child", "Write"} {
		n := root(synthetic.Kind, &synthetic.Spec{Fanout: 2, Depth: 1, Rows: true})
		r := &processortest.Recorder{Fault: func(method string, _ int) error {
			if method == broken {
				return full
			}
			return nil
		}}
		_, err := r.Run(t.Context(), &synthetic.Processor{}, &n)
		assert.ErrorIs(t, err, full, broken)
	}
}

func TestAuditFindsReducesThatAreWrong(t *testing.T) {
	spec := &synthetic.Spec{Fanout: 2, Depth: 2, Objects: 1, Fail: 0.9, Poison: 0.5}
	node := func(id string) *processor.Node {
		n := root(synthetic.ReduceKind, spec)
		n.ID = id
		return &n
	}
	leaf := schema.Account{Nodes: 1, Objects: 1}
	small, all := schema.Account{Nodes: 3, Objects: 3, Reduces: 2}, schema.Account{Nodes: 7, Objects: 7, Reduces: 6}
	leaves := func(a *synthetic.Audit, ids ...string) {
		for _, id := range ids {
			require.NoError(t, a.Check(node(id), leaf))
		}
	}

	var good synthetic.Audit
	leaves(&good, "0.0.0", "0.0.1", "0.1.0", "0.1.1")
	require.NoError(t, good.Check(node("0.0"), small))
	require.NoError(t, good.Check(node("0.1"), small))
	require.NoError(t, good.Check(node("0"), all))
	require.NoError(t, good.Check(node("0"), all), "an attempt may be repeated")
	assert.Equal(t, map[string]int{"0": 2, "0.0": 1, "0.1": 1, "0.0.0": 1, "0.0.1": 1, "0.1.0": 1, "0.1.1": 1}, good.Reduced())
	assert.Empty(t, good.Faults())

	var early synthetic.Audit
	leaves(&early, "0.1.0", "0.1.1")
	require.NoError(t, early.Check(node("0.1"), small))
	require.ErrorContains(t, early.Check(node("0"), all), "node 0 reduces before its child 0.0")
	assert.Len(t, early.Faults(), 1)

	var twice synthetic.Audit
	leaves(&twice, "0.0.0", "0.0.1")
	reducer := &synthetic.Reducer{Hook: twice.Check}
	_, err := new(processortest.Recorder).Reduce(t.Context(), reducer, node("0.0"), small.Add(small))
	require.ErrorContains(t, err, "reduce synthetic node 0.0: node 0.0 reduces with")
	assert.Len(t, twice.Faults(), 1)

	_, err = new(processortest.Recorder).Reduce(t.Context(), &synthetic.Reducer{}, node("0.0"), schema.Account{})
	assert.NoError(t, err, "no hook, nothing to say")
}
