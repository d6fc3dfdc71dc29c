package processortest_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/schema"
)

// paths reveals the children that a map lists, and sums below them.
type paths struct {
	children map[string][]string
	fail     func(n *processor.Node) error
	reduced  []string
}

func (p *paths) Process(_ context.Context, n *processor.Node, out processor.Out) error {
	out.Count(1, int64(len(n.ID)))
	out.Request("look", 1)
	if err := out.Write("rows", []byte(n.ID+"\n"), 1); err != nil {
		return err
	}
	for _, id := range p.children[n.ID] {
		if err := out.Child(processor.Child{ID: id}); err != nil {
			return err
		}
	}
	if p.fail != nil {
		return p.fail(n)
	}
	return nil
}

// sums reduces, too.
type sums struct{ *paths }

func (p sums) Reduce(_ context.Context, n *processor.Node, sum schema.Account, out processor.Out) error {
	p.reduced = append(p.reduced, n.ID+"="+strconv.FormatInt(sum.Objects, 10))
	out.Count(0, 1000)
	return out.Write("sums", []byte(n.ID+"\n"), 1)
}

var family = map[string][]string{"a": {"ab", "ac"}, "ac": {"acd", "ace"}}

func TestWalkSumsATree(t *testing.T) {
	p := sums{&paths{children: family}}
	tree, err := processortest.Walk(t.Context(), processor.Set{"p": p}, processor.Node{Kind: "p", ID: "a"})
	require.NoError(t, err)
	assert.Equal(t, schema.Account{Nodes: 5, Objects: 5, Bytes: 11 + 5000, Reduces: 5}, tree.Account)
	assert.Equal(t, "a\nab\nac\nacd\nace\n", string(tree.Streams["rows"].Bytes()))
	assert.Equal(t, "ab\nacd\nace\nac\na\n", string(tree.Streams["sums"].Bytes()))
	assert.Equal(t, []string{"ab=1", "acd=1", "ace=1", "ac=3", "a=5"}, p.reduced, "after the children, with their account")
	assert.Equal(t, map[string]int64{"look": 5}, tree.Requests)
	assert.Equal(t, schema.Whole, tree.Settled)
	assert.Empty(t, tree.Failed)
}

func TestWalkTellsNodesTheirPlace(t *testing.T) {
	places := map[string]processor.Node{}
	p := &paths{children: family}
	p.fail = func(n *processor.Node) error {
		places[n.ID] = *n
		return nil
	}
	root := processor.Node{Run: "r", Kind: "p", ID: "a", Params: map[string]string{"x": "y"}, Epoch: 3}
	_, err := processortest.Walk(t.Context(), processor.Set{"p": p}, root)
	require.NoError(t, err)

	a := schema.PIDOf("r", schema.Place{})
	ac := schema.PIDOf("r", schema.Place{Parent: a, Slot: 1})
	for id, want := range map[string]struct {
		key   schema.PID
		depth int
		share schema.Share
	}{
		"a":   {a, 0, schema.Whole},
		"ac":  {ac, 1, schema.Whole / 2},
		"ace": {schema.PIDOf("r", schema.Place{Parent: ac, Slot: 1}), 2, schema.Whole / 4},
	} {
		n := places[id]
		assert.Equal(t, want.key, n.Key(), id)
		assert.Equal(t, want.depth, n.Depth, id)
		assert.Equal(t, want.share, n.Share, id)
		assert.Equal(t, "y", n.Params["x"], id)
		assert.Equal(t, 3, n.Epoch, id)
	}
}

func TestWalkDividesWhatANodeDoesNotKeep(t *testing.T) {
	shares := map[string]schema.Share{}
	p := process(func(_ context.Context, n *processor.Node, out processor.Out) error {
		shares[n.ID] = n.Share
		if n.ID != "root" {
			return nil
		}
		out.Keep(0.5)
		return errors.Join(out.Child(processor.Child{ID: "three", Weight: 3}), out.Child(processor.Child{ID: "one"}))
	})
	tree, err := processortest.Walk(t.Context(), processor.Set{"p": p}, processor.Node{Kind: "p", ID: "root"})
	require.NoError(t, err)
	assert.Equal(t, map[string]schema.Share{"root": schema.Whole, "three": schema.Whole / 8 * 3, "one": schema.Whole / 8}, shares)
	assert.Equal(t, schema.Whole, tree.Settled)
}

func TestWalkRetriesAndGivesUp(t *testing.T) {
	oops := errors.New("oops")
	attempts := map[string]int{}
	p := sums{&paths{children: family}}
	p.fail = func(n *processor.Node) error {
		assert.Equal(t, attempts[n.ID], n.Tries, n.ID)
		attempts[n.ID]++
		n.Tries = 99 // what an attempt does to its node is forgotten
		switch {
		case n.ID == "ab" && attempts["ab"] < 3:
			return oops // twice
		case n.ID == "acd":
			return oops // always
		}
		return nil
	}
	tree, err := processortest.Walker{Set: processor.Set{"p": p}, Retries: 3}.Walk(t.Context(), processor.Node{Kind: "p", ID: "a"})
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"a": 1, "ab": 3, "ac": 1, "acd": 3, "ace": 1}, attempts)
	assert.Equal(t, schema.Account{Nodes: 4, Objects: 4, Bytes: 8 + 2000, Reduces: 2, Failures: 1}, tree.Account)
	assert.Equal(t, []processortest.Failure{{ID: "acd", Err: oops}}, tree.Failed)
	assert.Equal(t, "a\nab\nac\nace\n", string(tree.Streams["rows"].Bytes()), "each once, none of a failed attempt")
	assert.Equal(t, int64(9), tree.Requests["look"], "requests were made all the same")
	assert.Equal(t, []string{"ab=1", "ace=1"}, p.reduced, "nothing above a failure reduces")
	assert.Equal(t, schema.Whole, tree.Settled)
}

func TestWalkGivesUpAtOnceWhatNoRetryMends(t *testing.T) {
	attempts := 0
	p := process(func(context.Context, *processor.Node, processor.Out) error {
		attempts++
		return processor.Permanent(errors.New("no"))
	})
	tree, err := processortest.Walker{Set: processor.Set{"p": p}, Retries: 5}.Walk(t.Context(), processor.Node{Kind: "p"})
	require.NoError(t, err)
	assert.Equal(t, 1, attempts)
	assert.Equal(t, schema.Account{Failures: 1}, tree.Account)
}

// stubborn fails to reduce.
type stubborn struct{ *paths }

func (stubborn) Reduce(_ context.Context, _ *processor.Node, _ schema.Account, out processor.Out) error {
	return out.Child(processor.Child{ID: "late"})
}

func TestWalkGivesUpAReduce(t *testing.T) {
	set := processor.Set{"p": stubborn{&paths{children: family}}}
	tree, err := processortest.Walk(t.Context(), set, processor.Node{Kind: "p", ID: "a"})
	require.NoError(t, err)
	assert.Equal(t, schema.Account{Nodes: 2, Objects: 2, Bytes: 3, Failures: 3}, tree.Account, "the leaves fail, so nothing above reduces")
	require.Len(t, tree.Failed, 3)
	assert.ErrorContains(t, tree.Failed[0].Err, "a reduce has no children")
}

func TestWalkCannotGoOn(t *testing.T) {
	t.Run("unknown kind", func(t *testing.T) {
		_, err := processortest.Walk(t.Context(), processor.Set{}, processor.Node{Kind: "what", ID: "a"})
		assert.ErrorContains(t, err, `walk node a: kind is "what"`)
	})
	t.Run("cycle", func(t *testing.T) {
		p := &paths{children: map[string][]string{"a": {"a"}}}
		_, err := processortest.Walk(t.Context(), processor.Set{"p": p}, processor.Node{Kind: "p", ID: "a"})
		assert.ErrorContains(t, err, "cycle")
	})
	t.Run("cancelled", func(t *testing.T) {
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		p := &paths{children: family}
		p.fail = func(n *processor.Node) error {
			if strings.HasPrefix(n.ID, "ac") {
				cancel(enough)
				return errors.New("context canceled somewhere")
			}
			return nil
		}
		tree, err := processortest.Walk(ctx, processor.Set{"p": p}, processor.Node{Kind: "p", ID: "a"})
		assert.Equal(t, enough, err)
		assert.Equal(t, schema.Account{Nodes: 2, Objects: 2, Bytes: 3}, tree.Account, "neither done nor failed")
	})
}

func TestWalkUsesTheRecordersItIsGiven(t *testing.T) {
	var due []processor.Due
	p := process(func(_ context.Context, _ *processor.Node, out processor.Out) error {
		due = append(due, out.Due())
		return nil
	})
	w := processortest.Walker{Set: processor.Set{"p": p}, Out: func() *processortest.Recorder {
		return &processortest.Recorder{Dues: []processor.Due{processor.Stop}}
	}}
	_, err := w.Walk(t.Context(), processor.Node{Kind: "p"})
	require.NoError(t, err)
	assert.Equal(t, []processor.Due{processor.Stop}, due)
}
