package console

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/totals"
)

// committed is a sink that shows what was committed to it, and the ledger that knows the
// plans of what was planned.
type committed struct {
	ledger.Ledger
	blocks []sink.Followed
	plans  map[schema.PID]*ledger.Plan
	err    error // instead of the plans
	life   int
}

func (c *committed) Since(_ context.Context, _, mark string) iter.Seq2[sink.Followed, error] {
	return func(yield func(sink.Followed, error) bool) {
		from := 0
		if mark != "" {
			var life, at int
			if _, err := fmt.Sscanf(mark, "%d.%d", &life, &at); err != nil || life != c.life {
				yield(sink.Followed{}, sink.ErrAnew)
				return
			}
			from = at
		}
		for i := from; i < len(c.blocks); i++ {
			b := c.blocks[i]
			b.Mark = fmt.Sprintf("%d.%d", c.life, i+1)
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (c *committed) Read(_ context.Context, keys []ledger.Key) ([]ledger.Record, error) {
	records := make([]ledger.Record, len(keys))
	for i, k := range keys {
		records[i].Plan = c.plans[k.PID]
	}
	return records, c.err
}

// add commits a unit that found one object.
func (c *committed) add(t *testing.T, u sink.Committed, key string) {
	t.Helper()
	tally := totals.NewTally(0, totals.All)
	tally.Add(&inventory.Object{Key: key, Size: 1})
	require.NoError(t, tally.Take(func(block []byte) error {
		c.blocks = append(c.blocks, sink.Followed{Unit: u, Block: bytes.Clone(block)})
		return nil
	}))
}

func pid(n int) (p schema.PID) {
	binary.BigEndian.PutUint32(p[:], uint32(n))
	return p
}

func leaf(n int) sink.Committed { return sink.Committed{PID: pid(n), Leaf: true} }

// objects are how many the tree has.
func objects(t *testing.T, tree *Tree) int64 {
	t.Helper()
	part, err := totals.ReadPart(t.Context(), tree, "", 1, totals.Objects)
	require.NoError(t, err)
	return part.Objects
}

func newTree(t *testing.T, c *committed) *Tree {
	t.Helper()
	tree := NewTree(c, c, totals.All)
	t.Cleanup(tree.Close)
	return tree
}

// A tree that is far behind is read in pieces, each of which may be looked at.
func TestTreeCatchesUpInPieces(t *testing.T) {
	const all = 5*askAtOnce + 7
	c := &committed{}
	for i := range all {
		c.add(t, leaf(i), fmt.Sprintf("%d/object", i%10))
	}
	tree := newTree(t, c)
	for n := int64(1); n <= all/askAtOnce; n++ {
		_, whole, err := tree.CatchUp(t.Context(), 0)
		require.NoError(t, err)
		assert.False(t, whole)
		assert.Equal(t, n*askAtOnce, objects(t, tree))
	}
	taken, whole, err := tree.CatchUp(t.Context(), 0)
	require.NoError(t, err)
	assert.True(t, whole)
	assert.Equal(t, len(c.blocks), taken)
	assert.Equal(t, int64(all), objects(t, tree))

	again, whole, err := tree.CatchUp(t.Context(), time.Hour)
	require.NoError(t, err)
	assert.True(t, whole)
	assert.Equal(t, taken, again)
}

// What counts is for the plans to say, which come later than the blocks.
func TestTreeCountsWhatTheLedgerCounts(t *testing.T) {
	c := &committed{plans: map[schema.PID]*ledger.Plan{}}
	tree := newTree(t, c)
	look := func(want int64, why string) {
		t.Helper()
		_, whole, err := tree.CatchUp(t.Context(), time.Hour)
		require.NoError(t, err)
		assert.True(t, whole)
		assert.Equal(t, want, objects(t, tree), why)
	}
	c.add(t, leaf(1), "leaf")
	look(1, "a leaf without a plan")

	c.add(t, sink.Committed{PID: pid(2), Attempt: 7}, "planned")
	c.add(t, sink.Committed{PID: pid(2), Attempt: 8}, "of an attempt that lost")
	look(1, "children are not planned yet")
	c.plans[pid(2)] = &ledger.Plan{Type: ledger.Live, Attempt: 7}
	look(2, "of two attempts one has won")

	c.plans[pid(3)] = &ledger.Plan{Type: ledger.Live, Attempt: 1}
	c.add(t, leaf(3), "leaf of a node that has children")
	look(2, "another attempt has found children")

	c.plans[pid(4)] = &ledger.Plan{Type: ledger.Tomb}
	c.add(t, leaf(4), "given up")
	look(2, "the node was given up")
	c.plans[pid(4)] = &ledger.Plan{Type: ledger.Leaf}
	look(3, "it was redriven, and healed")
}

// Results that began anew are read anew, and a ledger that was away is asked again: no
// block comes twice.
func TestTreeBeginsAnew(t *testing.T) {
	c := &committed{}
	for i := range 2*askAtOnce + 1 {
		c.add(t, leaf(i), "object"+fmt.Sprint(i))
	}
	tree := newTree(t, c)
	_, _, err := tree.CatchUp(t.Context(), 0)
	require.NoError(t, err)

	c.err = errors.New("away")
	_, _, err = tree.CatchUp(t.Context(), time.Hour)
	require.ErrorIs(t, err, c.err)
	require.ErrorContains(t, err, "sum up prefixes: ")
	c.err = nil
	_, whole, err := tree.CatchUp(t.Context(), time.Hour)
	require.NoError(t, err)
	assert.True(t, whole)
	assert.Equal(t, int64(2*askAtOnce+1), objects(t, tree))

	c.life, c.blocks = 1, nil
	c.add(t, leaf(1), "again")
	_, _, err = tree.CatchUp(t.Context(), time.Hour)
	require.NoError(t, err)
	assert.Equal(t, int64(1), objects(t, tree))

	// What was read is shown until as much has been read again.
	for i := range 3 * askAtOnce {
		c.add(t, leaf(i+2), "more"+fmt.Sprint(i))
	}
	for range 2 {
		c.life++
		before := objects(t, tree)
		_, whole, err = tree.CatchUp(t.Context(), 0)
		require.NoError(t, err)
		assert.False(t, whole)
		assert.Equal(t, before, objects(t, tree))
		c.life++ // and once more, before that
		seen := map[int]bool{}
		for whole = false; !whole; {
			assert.Equal(t, before, objects(t, tree))
			var taken int
			taken, whole, err = tree.CatchUp(t.Context(), 0)
			require.NoError(t, err)
			assert.False(t, seen[taken], "by it others know that the lines are the same")
			seen[taken] = true
		}
		assert.Equal(t, int64(3*askAtOnce+1), objects(t, tree))
	}

	tree.Close()
	_, _, err = tree.CatchUp(t.Context(), time.Hour)
	require.ErrorIs(t, err, errTreeClosed)
}
