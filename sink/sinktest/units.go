package sinktest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

func named(t *testing.T, b *bench) {
	assert.Equal(t, b.subject.Name, fmt.Sprintf("%T", b.open()))
}

func leafFirstWins(t *testing.T, b *bench) {
	s := b.open()
	const attempts = 20
	got := make([]schema.Account, attempts)
	var all sync.WaitGroup
	for i := range attempts {
		all.Go(func() {
			p := b.begin(t, s, 1, uint64(i)+100, fmt.Sprint("attempt ", i), "and more")
			write(t, p, sink.Prefixes, fmt.Append(nil, "attempt ", i), 1)
			got[i] = commit(t, p, true, account(i))
		})
	}
	all.Wait()
	for i := range got {
		assert.Equal(t, got[0], got[i], "all attempts settle one account")
	}
	winner := int(got[0].Objects)
	assert.Equal(t, account(winner), got[0], "the account is that of an attempt, whole")
	late := b.begin(t, s, 1, 7, "late")
	assert.Equal(t, got[0], commit(t, late, true, account(77)), "a late attempt settles what won")

	sum := finish(t, s, leaf(1))
	b.expect(sum, fmt.Sprint("attempt ", winner), "and more")
	assert.Equal(t, []string{fmt.Sprint("attempt ", winner)}, prefixes(t, s))
}

func planDecides(t *testing.T, b *bench) {
	s := b.open()
	for attempt := uint64(1); attempt <= 3; attempt++ {
		p := b.begin(t, s, 1, attempt, fmt.Sprint("of ", attempt))
		assert.Equal(t, account(int(attempt)), commit(t, p, false, account(int(attempt))), "a node with children settles its own")
	}
	high := b.begin(t, s, 2, 1<<63+5, "of a high number")
	commit(t, high, false, account(1))
	b.expect(finish(t, s, plan(1, 2), plan(2, 1<<63+5)), "of 2", "of a high number")
}

func leafAndPlan(t *testing.T, b *bench) {
	s := b.open()
	commit(t, b.begin(t, s, 1, 1, "1 as leaf"), true, account(1))
	commit(t, b.begin(t, s, 1, 2, "1 as plan"), false, account(2))
	commit(t, b.begin(t, s, 2, 1, "2 as plan"), false, account(1))
	commit(t, b.begin(t, s, 2, 2, "2 as leaf"), true, account(2))
	commit(t, b.begin(t, s, 3, 0, "3 as plan"), false, account(2))
	b.expect(finish(t, s, plan(1, 2), leaf(2), plan(3, 0)), "1 as plan", "2 as leaf", "3 as plan")
}

func losersAbsent(t *testing.T, b *bench) {
	s := b.open()
	commit(t, b.begin(t, s, 1, 1, "kept"), true, account(1))
	commit(t, b.begin(t, s, 2, 1, "of a node that was given up"), true, account(1))
	commit(t, b.begin(t, s, 3, 1, "of a lost plan"), false, account(1))
	b.begin(t, s, 4, 1, "aborted").Abort()
	left := b.begin(t, s, 5, 1, "never ended")
	require.NoError(t, left.Write(context.Background(), sink.Prefixes, []byte("never ended"), 1))
	given := b.begin(t, s, 6, 1)
	require.NoError(t, given.Write(context.Background(), sink.Prefixes, []byte("given up"), 1))
	commit(t, given, true, account(1))
	b.expect(finish(t, s, leaf(1)), "kept")
	assert.Empty(t, prefixes(t, s))
}

func emptyUnits(t *testing.T, b *bench) {
	s := b.open()
	p := b.begin(t, s, 1, 1)
	require.NoError(t, p.Write(context.Background(), sink.Rows, nil, 0))
	assert.Equal(t, account(1), commit(t, p, true, account(1)))
	assert.Equal(t, account(1), commit(t, b.begin(t, s, 1, 2, "late"), true, account(2)), "no rows can be first, too")
	commit(t, b.begin(t, s, 2, 1), false, account(1))
	b.expect(finish(t, s, leaf(1), plan(2, 1), leaf(3), plan(4, 4)))
	assert.Empty(t, prefixes(t, s))
}

// Two units write by turns, small blocks and large ones.
func orderWithinUnit(t *testing.T, b *bench) {
	s := b.open()
	const blocks = 300
	var want [2][]string
	parts := [2]sink.Part{b.begin(t, s, 0, 1), b.begin(t, s, 1, 1)}
	for i := range blocks {
		for n, p := range parts {
			size := 1
			if (i+n)%10 == 0 {
				size = 2000
			}
			var texts []string
			for j := range size {
				texts = append(texts, fmt.Sprintf("unit %d block %05d row %05d of some length", n, i, j))
			}
			want[n] = append(want[n], texts...)
			require.NoError(t, p.Write(context.Background(), sink.Rows, b.block(texts), size))
		}
	}
	for _, p := range parts {
		commit(t, p, false, account(1))
	}
	b.expect(finish(t, s, plan(0, 1), plan(1, 1)), append(want[0], want[1]...)...)
	got := b.subject.Rows(t, b.home)
	for n := range want {
		same(t, want[n], of(got, fmt.Sprint("unit ", n)))
	}
}

func manyWriters(t *testing.T, b *bench) {
	s := b.open()
	const units, writers, blocks = 4, 8, 10
	var mu sync.Mutex
	var want []string
	var committed []sink.Committed
	var all sync.WaitGroup
	for n := range units {
		all.Go(func() {
			p := b.begin(t, s, n, 9)
			var own sync.WaitGroup
			for w := range writers {
				own.Go(func() {
					for i := range blocks {
						var texts []string
						for j := range 100 * (i + 1) {
							texts = append(texts, fmt.Sprintf("unit %d writer %d block %d row %d of some length", n, w, i, j))
						}
						write(t, p, sink.Rows, b.block(texts), len(texts))
						mu.Lock()
						want = append(want, texts...)
						mu.Unlock()
					}
				})
			}
			own.Wait()
			commit(t, p, false, account(1))
		})
		committed = append(committed, plan(n, 9))
	}
	all.Wait()
	b.expect(finish(t, s, committed...), want...)
}

func streamsReadBack(t *testing.T, b *bench) {
	s := b.open()
	ctx := context.Background()
	p := b.begin(t, s, 1, 1, "a row")
	reused := []byte("first")
	require.NoError(t, p.Write(ctx, sink.Prefixes, reused, 1))
	copy(reused, "XXXXX") // the block is not kept
	require.NoError(t, p.Write(ctx, sink.Prefixes, []byte("second\n\x00"), 2))
	require.NoError(t, p.Write(ctx, "unheard-of", []byte("other"), 1))
	commit(t, p, true, account(1))
	q := b.begin(t, s, 2, 1)
	require.NoError(t, q.Write(ctx, sink.Prefixes, []byte("third"), 1))
	commit(t, q, false, account(1))

	finish(t, s, leaf(1), plan(2, 1))
	assert.Equal(t, []string{"first", "second\n\x00", "third"}, prefixes(t, s))
	for _, err := range s.Read(ctx, sink.Prefixes) {
		require.NoError(t, err)
		break // a reader may stop
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	var err error
	for _, err = range s.Read(done, sink.Prefixes) {
	}
	assert.ErrorIs(t, err, context.Canceled)
}

// Blocks come in the order of their bytes, whoever wrote them and when, and
// equal ones as often as they were written. There are more than a sink may sort
// in memory.
func streamsReadInOrder(t *testing.T, b *bench) {
	const units, blocks = 20, 40
	s := b.open()
	random := rand.New(rand.NewPCG(1, 2))
	want := []string{}
	var committed []sink.Committed
	for n := range units {
		p := b.begin(t, s, n, 1)
		for i := range blocks {
			block := make([]byte, 1+random.IntN(20_000))
			for at := range block {
				block[at] = byte(random.IntN(4) * 85) // many begin alike, and all bits matter
			}
			if i == 0 {
				block = []byte("written by every unit")
			}
			write(t, p, sink.Prefixes, block, 1)
			want = append(want, string(block))
		}
		commit(t, p, false, account(1))
		committed = append(committed, plan(n, 1))
	}
	finish(t, s, committed...)
	slices.Sort(want)
	var held [][]byte // a block is the reader's
	for block, err := range s.Read(context.Background(), sink.Prefixes) {
		require.NoError(t, err)
		held = append(held, block)
	}
	got := make([]string, len(held))
	for i := range held {
		got[i] = string(held[i])
	}
	same(t, want, got)
}
