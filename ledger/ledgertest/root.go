package ledgertest

import (
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// rootOf settles the root of a run.
func rootOf(run string) ledger.Settlement {
	return ledger.Settlement{Run: run, Account: schema.Account{Nodes: 5, Objects: 6, Bytes: 1 << 61, Failures: 0, Reduces: 8}}
}

// ended checks that a run is over by the settlement, and returns its record.
func (s *suite) ended(before ledger.Run, st ledger.Settlement, state ledger.State) ledger.Run {
	s.Helper()
	now := s.run(before.ID)
	require.False(s, now.Finished.IsZero(), "the time it ended")
	require.InDelta(s, 0, time.Since(now.Finished).Hours(), 25, "the time it ended")
	want := before
	want.State, want.Via, want.Totals, want.Finished = state, st.Via, before.Totals.Add(st.Account), now.Finished
	require.Equal(s, tidyRun(want), now)
	return now
}

func rootFinishes(s *suite) {
	for _, via := range []bool{false, true} {
		r := s.newRun()
		yes := true
		r.Paused = true
		s.amend(r.ID, ledger.Change{From: ledger.Running, Paused: &yes}) // whoever is at work may end it
		st := rootOf(r.ID)
		st.Via, st.Header, st.Unfenced = via, header(1), !via
		require.Zero(s, s.settle(st, ledger.Won), "the tally of the root")
		s.ended(r, st, ledger.Finished)
		s.missing(ledger.Key{Tally: true}) // above the root
	}
}

func rootFails(s *suite) {
	r := s.newRun()
	st := rootOf(r.ID)
	st.Failed, st.Account.Failures = true, 1
	require.Zero(s, s.settle(st, ledger.Won))
	s.ended(r, st, ledger.Failed)
}

func rootOver(s *suite) {
	r := s.newRun()
	for _, epoch := range []int{-1, 1, 2} {
		st := rootOf(r.ID)
		st.Epoch = epoch
		require.Zero(s, s.settle(st, ledger.Over), "in epoch %d", epoch)
		require.Equal(s, tidyRun(r), s.run(r.ID))
	}
	s.settle(rootOf(r.ID), ledger.Won)
	over := s.run(r.ID)
	for _, failed := range []bool{false, true} {
		st := rootOf(r.ID)
		st.Failed, st.Via = failed, true
		require.Zero(s, s.settle(st, ledger.Over), "again")
		require.Equal(s, over, s.run(r.ID))
	}

	c := s.newRun()
	s.claim(c.ID, schema.Place{}, 0, ledger.Won)
	cancelled := s.amend(c.ID, ledger.Change{From: ledger.Running, State: ledger.Cancelled, At: c.Created})
	unfenced := rootOf(c.ID)
	unfenced.Unfenced = true
	s.settle(rootOf(c.ID), ledger.Over)
	s.settle(unfenced, ledger.Over) // over comes before claimed
	require.Equal(s, cancelled, s.run(c.ID))
}

func rootFence(s *suite) {
	r := s.newRun()
	s.claim(r.ID, schema.Place{}, 0, ledger.Won)
	claimed := s.run(r.ID)
	unfenced := rootOf(r.ID)
	unfenced.Unfenced = true
	require.Zero(s, s.settle(unfenced, ledger.Claimed))
	require.Equal(s, claimed, s.run(r.ID), "refused")

	fenced := rootOf(r.ID)
	fenced.Failed = true
	s.settle(fenced, ledger.Won)
	s.amend(r.ID, ledger.Change{From: ledger.Failed, State: ledger.Running, NextEpoch: true})
	unfenced.Epoch = 1
	s.settle(unfenced, ledger.Won) // the claim was of another epoch
}

func rootRedriven(s *suite) {
	r := s.newRun()
	st := rootOf(r.ID)
	st.Failed, st.Account.Failures = true, 2
	s.settle(st, ledger.Won)
	before := s.amend(r.ID, ledger.Change{From: ledger.Failed, State: ledger.Running, NextEpoch: true})

	s.settle(st, ledger.Over) // the old epoch's, late
	require.Equal(s, before, s.run(r.ID))

	healed := ledger.Settlement{Run: r.ID, Epoch: 1, Via: true, Account: schema.Account{Nodes: 2, Objects: 10, Bytes: -7, Failures: -2}}
	s.settle(healed, ledger.Won)
	now := s.ended(before, healed, ledger.Finished)
	require.Equal(s, schema.Account{Nodes: 7, Objects: 16, Bytes: 1<<61 - 7, Failures: 0, Reduces: 8}, now.Totals)
}

func rootRace(s *suite) {
	for range 10 {
		r := s.newRun()
		var mu sync.Mutex
		var won []int64
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				st := ledger.Settlement{Run: r.ID, Account: schema.Account{Nodes: int64(i + 1)}}
				var o ledger.Outcome
				err, _ := s.retry(func() (err error) { _, o, err = s.store.Settle(s.Context(), st); return err })
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					s.Errorf("settle root: %v", err)
				}
				if o == ledger.Won {
					won = append(won, st.Account.Nodes)
				} else {
					assert.Equal(s, show(ledger.Over), show(o))
				}
			})
		}
		all.Wait()
		total := s.run(r.ID).Totals.Nodes
		if s.Lossy && len(won) == 0 {
			require.True(s, total > 0 && total <= 20, "totals of one settlement: %d", total)
			continue
		}
		require.Equal(s, []int64{total}, won)
	}
}

func rootOfNothing(s *suite) {
	err, _ := s.retry(func() error {
		_, o, err := s.store.Settle(s.Context(), rootOf("nobody"))
		if err == nil {
			assert.NotEqual(s, show(ledger.Won), show(o), "the root of no run")
			return ledger.ErrNoRun
		}
		return err
	})
	require.Error(s, err)
	err, _ = s.retry(func() error { _, err := s.store.Run(s.Context(), "nobody"); return err })
	require.ErrorIs(s, err, ledger.ErrNoRun)
}
