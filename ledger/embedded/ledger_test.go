package embedded_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/embedded"
	"github.com/ramify/ramify/schema"
)

const runName = "run"

// opened is a ledger and its store, with a run in it.
type opened struct {
	*embedded.Ledger
	store *store.Store
}

func open(t *testing.T, path string) opened {
	t.Helper()
	s := openStore(t, path, store.Options{Owner: true})
	return opened{openLedger(t, s), s}
}

func fresh(t *testing.T) opened {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "run.db"))
	require.NoError(t, l.Create(t.Context(), ledger.Run{ID: runName, State: ledger.Running, Created: time.Now()}))
	return l
}

func place(plan, slot int) schema.Place {
	p := schema.Place{Slot: slot}
	binary.BigEndian.PutUint64(p.Parent[:], uint64(plan)+1)
	return p
}

func settlement(plan, slot int) ledger.Settlement {
	return ledger.Settlement{Run: runName, At: place(plan, slot), Account: schema.Account{Nodes: 1, Bytes: 10}, Unfenced: true}
}

func settle(t *testing.T, l ledger.Ledger, s ledger.Settlement, want ledger.Outcome) ledger.Tally {
	t.Helper()
	tally, o, err := l.Settle(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, want, o)
	return tally
}

func tally(t *testing.T, l ledger.Ledger, plan int) *ledger.Tally {
	t.Helper()
	r, err := l.Read(t.Context(), []ledger.Key{{PID: place(plan, 0).Parent, Tally: true}})
	require.NoError(t, err)
	return r[0].Tally
}

// The cache must not remember what the file did not keep.
func TestFailedTransactionIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := fresh(t)
		settle(t, l, settlement(1, 0), ledger.Won)

		in, out := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			assert.NoError(t, l.store.Update(t.Context(), func(*store.Tx) error { close(in); <-out; return nil }))
		})
		<-in
		broken := errors.New("broken")
		var first, repeated, other error
		wg.Go(func() {
			_, _, first = l.Settle(t.Context(), settlement(1, 1))
			_, _, repeated = l.Settle(t.Context(), settlement(1, 1)) // finds no trace of it
		})
		wg.Go(func() {
			_, _, other = l.Settle(t.Context(), settlement(2, 0)) // a new tally, with a row number that is not used
		})
		synctest.Wait()
		wg.Go(func() {
			_ = l.store.Update(t.Context(), func(tx *store.Tx) error {
				tx.BeforeCommit(func(*store.Tx) error { return broken })
				return nil
			})
		})
		synctest.Wait()
		close(out)
		wg.Wait()
		require.ErrorIs(t, first, broken)
		require.ErrorIs(t, other, broken)
		require.NoError(t, repeated)

		assert.Nil(t, tally(t, l, 2))
		settle(t, l, settlement(3, 0), ledger.Won)
		settle(t, l, settlement(2, 0), ledger.Won)
		now := settle(t, l, settlement(1, 2), ledger.Won)
		assert.Equal(t, ledger.FirstSlots(3), now.Done)
		assert.Equal(t, schema.Account{Nodes: 3, Bytes: 30}, now.Sum)
		assert.Equal(t, now, *tally(t, l, 1))
	})
}

// Many settlements of one transaction are one write of a tally, and each caller
// is told what its own made of it.
func TestSettlementsOfOneTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := fresh(t)
		in, out := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			assert.NoError(t, l.store.Update(t.Context(), func(*store.Tx) error { close(in); <-out; return nil }))
		})
		<-in
		var mu sync.Mutex
		lens := map[int]int{}
		for slot := range 256 {
			wg.Go(func() {
				now, o, err := l.Settle(t.Context(), settlement(1, slot))
				assert.True(t, err == nil && o == ledger.Won, "slot %d: %v", slot, err)
				mu.Lock()
				defer mu.Unlock()
				lens[now.Done.Len()]++
			})
		}
		synctest.Wait()
		close(out)
		wg.Wait()
		assert.Len(t, lens, 256, "each caller saw a tally of its own")
		assert.Equal(t, ledger.FirstSlots(256), tally(t, l, 1).Done)
	})
}

func TestAnotherProcess(t *testing.T) {
	l := fresh(t)
	other := openLedger(t, openStore(t, l.store.Path(), store.Options{MustExist: true}))
	settle(t, l, settlement(1, 0), ledger.Won)

	run, err := other.Run(t.Context(), runName)
	require.NoError(t, err)
	assert.False(t, run.Paused)
	yes := true
	_, err = other.Amend(t.Context(), runName, ledger.Change{From: ledger.Running, Paused: &yes})
	require.NoError(t, err)
	run, err = l.Run(t.Context(), runName)
	require.NoError(t, err)
	assert.True(t, run.Paused)

	require.NoError(t, l.Report(t.Context(), ledger.Worker{Run: runName, ID: "w", Slots: 4}))
	workers, err := other.Workers(t.Context(), runName)
	require.NoError(t, err)
	require.Len(t, workers, 1)
	assert.Equal(t, 4, workers[0].Slots)
	runs, err := other.Runs(t.Context())
	require.NoError(t, err)
	assert.Len(t, runs, 1)
	assert.Equal(t, schema.Account{Nodes: 1, Bytes: 10}, tally(t, other, 1).Sum)

	// The caches of both give way where the other has written.
	settle(t, other, settlement(1, 1), ledger.Won)
	settle(t, other, settlement(5, 0), ledger.Won)
	settle(t, l, settlement(1, 1), ledger.Already)
	settle(t, l, settlement(6, 0), ledger.Won)
	settle(t, l, settlement(1, 2), ledger.Won)
	now := settle(t, other, settlement(1, 3), ledger.Won)
	assert.Equal(t, ledger.FirstSlots(4), now.Done)
	assert.Equal(t, now, *tally(t, l, 1))

	// Cancelled from there, the run does not finish here.
	_, err = other.Amend(t.Context(), runName, ledger.Change{From: ledger.Running, State: ledger.Cancelled, At: time.Now()})
	require.NoError(t, err)
	settle(t, l, ledger.Settlement{Run: runName}, ledger.Over)
}

// More tallies than the cache holds are read back from the file.
func TestMoreTalliesThanTheCacheHolds(t *testing.T) {
	l := fresh(t)
	const plans, workers = 17_000, 1000
	round := func(slot int, want ledger.Outcome) {
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for plan := w; plan < plans; plan += workers {
					now, o, err := l.Settle(t.Context(), settlement(plan, slot))
					if !assert.True(t, err == nil && o == want && now.Done.Len() == slot+1, "plan %d: %v, outcome %d", plan, err, o) {
						return
					}
				}
			})
		}
		wg.Wait()
	}
	round(0, ledger.Won)
	round(1, ledger.Won)
	round(1, ledger.Already)
}

func TestRestart(t *testing.T) {
	l := fresh(t)
	header := &schema.Header{Required: 300, Up: place(9, 7), Own: schema.Account{Nodes: 1, Objects: -5}, Reduce: true}
	s := settlement(1, 255)
	s.Header, s.Failed, s.Via = header, true, true
	settle(t, l, s, ledger.Won)
	_, o, err := l.Claim(t.Context(), runName, place(1, 8), 0)
	require.NoError(t, err)
	require.Equal(t, ledger.Won, o)
	kept := settle(t, l, settlement(1, 8), ledger.Claimed)
	require.Equal(t, header, kept.Header)

	path := filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(l.store.Path() + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+suffix, b, 0o600))
	}
	c := open(t, path)
	assert.Equal(t, kept, *tally(t, c, 1))
	assert.Equal(t, kept, settle(t, c, settlement(1, 8), ledger.Claimed))
	run, err := c.Run(t.Context(), runName)
	require.NoError(t, err)
	assert.Equal(t, runName, run.ID)
}

func TestSlotOutOfRange(t *testing.T) {
	l := fresh(t)
	for _, slot := range []int{-1, 256} {
		_, _, err := l.Settle(t.Context(), settlement(1, slot))
		require.ErrorContains(t, err, "slot from 0 to 255")
		_, _, err = l.Claim(t.Context(), runName, place(1, slot), 0)
		require.ErrorContains(t, err, "slot from 0 to 255")
	}
}

// What a worker has counted is known with what it has committed, however it ends,
// and a report that was made before and comes after does not undo it.
func TestFiguresAreNeverBehindCommits(t *testing.T) {
	l := fresh(t)
	other := openLedger(t, openStore(t, l.store.Path(), store.Options{MustExist: true}))
	var asked atomic.Int64
	now := func() ledger.Worker {
		return ledger.Worker{Run: runName, ID: "w", Requests: map[string]int64{"list": asked.Load()}}
	}
	l.Follow(func() []ledger.Worker { return []ledger.Worker{now()} })
	known := func() int64 {
		workers, err := other.Workers(t.Context(), runName)
		require.NoError(t, err)
		require.Len(t, workers, 1)
		return workers[0].Requests["list"]
	}
	before := now()
	asked.Add(1)
	settle(t, l, settlement(1, 0), ledger.Won)
	assert.EqualValues(t, 1, known(), "with a settlement")
	asked.Add(1)
	_, _, err := l.Plan(t.Context(), ledger.Plan{PID: place(9, 0).Parent, Run: runName, Type: ledger.Live})
	require.NoError(t, err)
	assert.EqualValues(t, 2, known(), "with a plan")
	require.NoError(t, l.Report(t.Context(), before))
	assert.EqualValues(t, 2, known(), "after a report of what was")
	asked.Add(1)
	_, o, err := l.Settle(t.Context(), ledger.Settlement{Run: runName})
	require.NoError(t, err)
	require.Equal(t, ledger.Won, o)
	assert.EqualValues(t, 3, known(), "with the end of the run")
}
