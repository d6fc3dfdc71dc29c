package sinktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/sink"
)

func crash(t *testing.T, b *bench) {
	s := b.open()
	commit(t, b.begin(t, s, 1, 1, "before"), true, account(1))
	torn := b.begin(t, s, 2, 1)
	for i := range 50_000 {
		b.write(t, torn, fmt.Sprint("torn ", i))
	}
	commit(t, b.begin(t, s, 3, 1, "before, too"), false, account(3))

	b.crash()
	s = b.open()
	assert.Equal(t, account(1), commit(t, b.begin(t, s, 1, 2, "again"), true, account(11)), "the first commit is remembered")
	commit(t, b.begin(t, s, 2, 2, "second try"), true, account(2))
	commit(t, b.begin(t, s, 3, 2, "another try"), false, account(3))

	b.crash()
	s = b.open()
	commit(t, b.begin(t, s, 4, 1, "after"), true, account(4))
	b.expect(finish(t, s, leaf(1), leaf(2), plan(3, 1), leaf(4)), "before", "second try", "before, too", "after")
}

func finishRepeated(t *testing.T, b *bench) {
	s := b.open()
	p := b.begin(t, s, 1, 1, "a", "b")
	require.NoError(t, p.Write(context.Background(), sink.Prefixes, []byte("p"), 1))
	commit(t, p, true, account(1))
	commit(t, b.begin(t, s, 2, 1, "c"), false, account(1))
	first := finish(t, s, leaf(1), plan(2, 1))
	b.expect(first, "a", "b", "c")
	assert.Equal(t, first, finish(t, s, plan(2, 1), leaf(1)))
	b.expect(first, "a", "b", "c")

	require.NoError(t, s.Close())
	s = b.open()
	assert.Equal(t, first, finish(t, s, leaf(1), plan(2, 1)))
	b.expect(first, "a", "b", "c")
	assert.Equal(t, []string{"p"}, prefixes(t, s))
}

// A redrive: a unit that was given up is done after all.
func finishAgainWithMore(t *testing.T, b *bench) {
	s := b.open()
	commit(t, b.begin(t, s, 1, 1, "first run"), true, account(1))
	commit(t, b.begin(t, s, 2, 1, "committed, but settled as failed"), true, account(2))
	commit(t, b.begin(t, s, 3, 1, "plan"), false, account(3))
	b.expect(finish(t, s, leaf(1), plan(3, 1)), "first run", "plan")

	require.NoError(t, s.Close())
	s = b.open()
	// The sink may remember what Finish left out or forget it, but rows and
	// account go together.
	rows := map[int64]string{2: "committed, but settled as failed", 22: "second run"}
	settled := commit(t, b.begin(t, s, 2, 2, "second run"), true, account(22))
	require.Contains(t, rows, settled.Objects)
	assert.Equal(t, account(1), commit(t, b.begin(t, s, 1, 2, "again"), true, account(11)), "what it kept is not")
	sum := finish(t, s, leaf(1), plan(3, 1), leaf(2))
	b.expect(sum, "first run", "plan", rows[settled.Objects])
	assert.Equal(t, sum, finish(t, s, leaf(1), plan(3, 1), leaf(2)))
}

func finishFails(t *testing.T, b *bench) {
	s := b.open()
	commit(t, b.begin(t, s, 1, 1, "a"), true, account(1))
	commit(t, b.begin(t, s, 2, 1, "b"), true, account(1))
	lost := errors.New("the ledger cannot be read")
	_, err := s.Finish(context.Background(), func(yield func(sink.Committed, error) bool) {
		if yield(leaf(1), nil) {
			yield(sink.Committed{}, lost)
		}
	})
	require.ErrorIs(t, err, lost)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = s.Finish(cancelled, each([]sink.Committed{leaf(1)}))
	require.ErrorIs(t, err, context.Canceled)
	commit(t, b.begin(t, s, 3, 1, "c"), true, account(1))
	b.expect(finish(t, s, leaf(1), leaf(2), leaf(3)), "a", "b", "c")
}

func manySmall(t *testing.T, b *bench) {
	s := b.open()
	units := b.subject.SmallUnits
	losers := units / 20
	require.Positive(t, losers)
	isLeaf := func(n int) bool { return n%2 == 0 }
	inParallel(units, func(n int) {
		p := b.begin(t, s, n, 1, fmt.Sprint(n, " a"), fmt.Sprint(n, " b"), fmt.Sprint(n, " c"))
		commit(t, p, isLeaf(n), account(n))
	})
	inParallel(losers, func(n int) {
		commit(t, b.begin(t, s, n, 2, fmt.Sprint(n, " lost")), isLeaf(n), account(0))
	})
	var want []string
	var committed []sink.Committed
	for n := range units {
		if isLeaf(n) {
			committed = append(committed, leaf(n))
		} else {
			committed = append(committed, plan(n, 1))
		}
		want = append(want, fmt.Sprint(n, " a"), fmt.Sprint(n, " b"), fmt.Sprint(n, " c"))
	}
	sum := finish(t, s, committed...)
	b.expect(sum, want...)
	assert.LessOrEqual(t, sum.Files, 4, "a few large files, not one a unit")
}

// inParallel does n things, 64 at a time.
func inParallel(n int, do func(int)) {
	next := make(chan int)
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

func once(t *testing.T, b *bench) {
	s := b.open()
	ctx := context.Background()
	p := b.begin(t, s, 1, 1, "a")
	commit(t, p, true, account(1))
	assert.NotPanics(t, p.Abort, "Abort after Commit has no effect")
	q := b.begin(t, s, 2, 1, "b")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := q.Commit(cancelled, true, account(1))
	require.ErrorIs(t, err, context.Canceled)
	b.expect(finish(t, s, leaf(1), leaf(2)), "a")
}

func closed(t *testing.T, b *bench) {
	s := b.open()
	commit(t, b.begin(t, s, 1, 1, "a"), true, account(1))
	p := b.begin(t, s, 2, 1, "b")
	require.NoError(t, s.Close())
	_, err := p.Commit(context.Background(), true, account(1))
	require.Error(t, err, "what was not committed is forgotten")
	s = b.open()
	b.expect(finish(t, s, leaf(1), leaf(2)), "a")
}
