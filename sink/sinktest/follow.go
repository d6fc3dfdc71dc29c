package sinktest

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/sink"
)

// since is what a follower shows after a mark, block and unit, and the last mark.
func since(t *testing.T, f sink.Follower, mark string) (blocks []string, units []sink.Committed, last string) {
	for b, err := range f.Since(t.Context(), sink.Prefixes, mark) {
		require.NoError(t, err)
		blocks, units, mark = append(blocks, string(b.Block)), append(units, b.Unit), b.Mark
	}
	return blocks, units, mark
}

func followed(t *testing.T, b *bench) {
	if b.subject.Follow == nil {
		return
	}
	f := b.subject.Follow(t, b.home)
	blocks, _, mark := since(t, f, "")
	assert.Empty(t, blocks, "before there is anything")

	s := b.open()
	put := func(n int, attempt uint64, leaf bool, texts ...string) {
		p := b.begin(t, s, n, attempt, "a row")
		for _, text := range texts {
			write(t, p, sink.Prefixes, []byte(text), 1)
		}
		commit(t, p, leaf, account(1))
	}
	open := b.begin(t, s, 9, 1)
	write(t, open, sink.Prefixes, []byte("not committed"), 1)
	put(1, 1, true, "one", "more of one")
	put(2, 7, false, "two")
	blocks, units, mark := since(t, f, mark)
	assert.Equal(t, map[string]sink.Committed{"one": leaf(1), "more of one": leaf(1), "two": plan(2, 7)}, byBlock(blocks, units))

	blocks, _, mark = since(t, f, mark)
	assert.Empty(t, blocks, "all of it was shown")

	put(1, 2, true, "one once more") // the first of a leaf has won
	put(2, 8, false, "two, of another attempt")
	put(3, 1, true)
	put(4, 1, true, "four")
	blocks, units, mark = since(t, f, mark)
	assert.Equal(t, map[string]sink.Committed{"two, of another attempt": plan(2, 8), "four": leaf(4)}, byBlock(blocks, units))

	b.crash()
	s = b.open()
	f = b.subject.Follow(t, b.home)
	put(5, 1, true, "five")
	if anew(t, f, mark) { // it is another that looks
		blocks, _, mark = since(t, f, "")
		assert.ElementsMatch(t, []string{"one", "more of one", "two", "two, of another attempt", "four", "five"}, blocks)
	} else {
		blocks, _, mark = since(t, f, mark)
		assert.Equal(t, []string{"five"}, blocks, "after a crash it goes on")
	}

	for _, err := range f.Since(t.Context(), sink.Prefixes, "") {
		require.NoError(t, err)
		break // a reader may stop
	}
	if anew(t, f, mark) {
		_, _, mark = since(t, f, "")
	}
	finish(t, s, leaf(1), plan(2, 7), leaf(3), leaf(4), leaf(5))
	var err error
	blocks = nil
	for b, e := range f.Since(t.Context(), sink.Prefixes, mark) {
		if err = e; err == nil {
			blocks = append(blocks, string(b.Block))
		}
	}
	if err != nil { // what is there has changed, and it says so
		require.ErrorIs(t, err, sink.ErrAnew)
	}
	assert.Empty(t, blocks)

	done, cancel := context.WithCancel(t.Context())
	cancel()
	err = nil
	for _, err = range f.Since(done, sink.Prefixes, "") {
	}
	assert.ErrorIs(t, err, context.Canceled)
}

func byBlock(blocks []string, units []sink.Committed) map[string]sink.Committed {
	all := map[string]sink.Committed{}
	for i, b := range blocks {
		if slices.Contains(blocks[:i], b) {
			b += " again"
		}
		all[b] = units[i]
	}
	return all
}

// anew reports whether a follower no longer knows a mark.
func anew(t *testing.T, f sink.Follower, mark string) bool {
	for _, err := range f.Since(t.Context(), sink.Prefixes, mark) {
		if err != nil {
			require.ErrorIs(t, err, sink.ErrAnew)
			return true
		}
		return false
	}
	return false
}
