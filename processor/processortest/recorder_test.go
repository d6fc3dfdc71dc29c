package processortest_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/schema"
)

// process is a processor made of a function.
type process func(ctx context.Context, n *processor.Node, out processor.Out) error

func (f process) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	return f(ctx, n, out)
}

func TestRunKeepsWhatAnAttemptBringsForth(t *testing.T) {
	oops := errors.New("oops")
	result, err := processortest.Run(t.Context(), process(func(_ context.Context, n *processor.Node, out processor.Out) error {
		block := []byte("a\n")
		require.NoError(t, out.Write("rows", block, 1))
		block[0] = 'b' // not kept: it may be used again
		require.NoError(t, out.Write("rows", block, 1))
		require.NoError(t, out.Write("empty", nil, 0))
		require.NoError(t, out.Child(processor.Child{ID: n.ID + "/x", Kind: "other", Args: schema.Args(`{}`), Weight: 3}))
		out.Count(1, 10)
		out.Count(2, 20)
		out.Keep(0.5)
		out.Keep(0.25)
		out.Request("list", 1)
		out.Request("list", 2)
		assert.Equal(t, processor.NotDue, out.Due())
		_, lent := out.Borrow()
		assert.False(t, lent)
		return oops
	}), &processor.Node{ID: "n"})

	assert.Equal(t, oops, err, "the processor's own")
	assert.Equal(t, &processortest.Result{
		Children: []processor.Child{{ID: "n/x", Kind: "other", Args: schema.Args(`{}`), Weight: 3}},
		Streams: map[string]*processortest.Stream{
			"rows":  {Blocks: [][]byte{[]byte("a\n"), []byte("b\n")}, Rows: 2},
			"empty": {Blocks: [][]byte{nil}},
		},
		Objects: 3, Bytes: 30, Kept: 0.25, Requests: map[string]int64{"list": 3},
	}, result)
	assert.Equal(t, "a\nb\n", string(result.Streams["rows"].Bytes()))
	assert.Empty(t, result.Streams["none"].Bytes())
}

func TestChildrenThatNoEngineTakesFailTheAttemptForGood(t *testing.T) {
	for says, child := range map[string]processor.Child{
		`kind is "No"`:  {ID: "a", Kind: "No"},
		"4096 bytes":    {ID: strings.Repeat("x", schema.MaxID+1)},
		"UTF-8":         {ID: "\xff"},
		`args is "[]"`:  {ID: "a", Args: schema.Args("[]")},
		`args is "{"`:   {ID: "a", Args: schema.Args("{")},
		"524288 bytes":  {ID: "a", Args: schema.Args(`{"x":"` + strings.Repeat("x", schema.MaxMessage/2) + `"}`)},
		`"{\"a\":\"\xf`: {ID: "a", Args: schema.Args("{\"a\":\"\xff\"}")},
	} {
		result, err := processortest.Run(t.Context(), process(func(_ context.Context, _ *processor.Node, out processor.Out) error {
			return out.Child(child)
		}), &processor.Node{})
		require.ErrorContains(t, err, says)
		assert.True(t, processor.IsPermanent(err), says)
		assert.Empty(t, result.Children)
	}
}

func TestFaultsAreInjectedByCall(t *testing.T) {
	full := errors.New("full")
	r := &processortest.Recorder{Fault: func(method string, before int) error {
		if method == "Write" && before == 2 {
			return full
		}
		return nil
	}}
	result, err := r.Run(t.Context(), process(func(_ context.Context, _ *processor.Node, out processor.Out) error {
		for {
			if err := errors.Join(out.Child(processor.Child{ID: "c"}), out.Write("rows", []byte("x"), 1)); err != nil {
				return err
			}
		}
	}), &processor.Node{})
	require.ErrorIs(t, err, full)
	assert.Len(t, result.Children, 3)
	assert.Equal(t, 2, result.Streams["rows"].Rows)
}

func TestDuesComeInOrder(t *testing.T) {
	r := &processortest.Recorder{Dues: []processor.Due{processor.NotDue, processor.Share, processor.Stop}}
	_, err := r.Run(t.Context(), process(func(_ context.Context, _ *processor.Node, out processor.Out) error {
		for _, want := range []processor.Due{processor.NotDue, processor.Share, processor.Stop, processor.NotDue} {
			assert.Equal(t, want, out.Due())
		}
		return nil
	}), &processor.Node{})
	assert.NoError(t, err)
}

func TestSlotsAreLentAndMustComeBack(t *testing.T) {
	wanted := false
	r := &processortest.Recorder{Idle: 2, Wanted: func() bool { return wanted }}
	result, err := r.Run(t.Context(), process(func(_ context.Context, _ *processor.Node, out processor.Out) error {
		a, ok := out.Borrow()
		require.True(t, ok)
		assert.False(t, a.Wanted())
		wanted = true
		assert.True(t, a.Wanted())
		_, ok = out.Borrow()
		require.True(t, ok)
		_, ok = out.Borrow()
		assert.False(t, ok, "two are idle")
		a.Return()
		a.Return() // no effect
		_, ok = out.Borrow()
		assert.True(t, ok)
		_, ok = out.Borrow()
		assert.False(t, ok)
		return nil
	}), &processor.Node{})
	assert.Equal(t, 3, result.Borrowed)
	assert.ErrorContains(t, err, "borrowed slots are 2, want all returned")
}

func TestRulesThatOutCannotRefuse(t *testing.T) {
	for _, part := range []float64{-0.1, 1.1, math.NaN()} {
		result, err := processortest.Run(t.Context(), process(func(_ context.Context, _ *processor.Node, out processor.Out) error {
			out.Keep(part)
			return nil
		}), &processor.Node{})
		require.ErrorContains(t, err, "kept share is")
		assert.Zero(t, result.Kept)
	}

	var kept processor.Out
	_, err := processortest.Run(t.Context(), process(func(_ context.Context, _ *processor.Node, out processor.Out) error {
		kept = out
		return out.Write("rows", nil, -1)
	}), &processor.Node{})
	require.ErrorContains(t, err, `rows is "-1"`)
	for method, call := range map[string]func(){
		"Child": func() { _ = kept.Child(processor.Child{}) }, "Write": func() { _ = kept.Write("rows", nil, 0) },
		"Count": func() { kept.Count(1, 1) }, "Keep": func() { kept.Keep(1) }, "Request": func() { kept.Request("x", 1) },
		"Borrow": func() { kept.Borrow() }, "Due": func() { kept.Due() },
	} {
		assert.PanicsWithValue(t, "processortest: "+method+" called after the attempt was over", call)
	}
}

func TestOutIsCalledFromManyGoroutines(t *testing.T) {
	r := &processortest.Recorder{Idle: 8}
	result, err := r.Run(t.Context(), process(func(_ context.Context, _ *processor.Node, out processor.Out) error {
		var wg sync.WaitGroup
		for range 8 {
			s, ok := out.Borrow()
			require.True(t, ok)
			wg.Go(func() {
				defer s.Return()
				for range 100 {
					assert.NoError(t, out.Child(processor.Child{ID: "c"}))
					assert.NoError(t, out.Write("rows", []byte("r"), 1))
					out.Count(1, 2)
					out.Request("get", 1)
					out.Keep(1)
					out.Due()
				}
			})
		}
		wg.Wait()
		return nil
	}), &processor.Node{})
	require.NoError(t, err)
	assert.Len(t, result.Children, 800)
	assert.Equal(t, 800, result.Streams["rows"].Rows)
	assert.Equal(t, int64(1600), result.Bytes)
	assert.Equal(t, int64(800), result.Requests["get"])
}
