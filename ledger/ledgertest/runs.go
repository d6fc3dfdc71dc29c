package ledgertest

import (
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// odd is text that has been through something.
const odd = "a b+c%2F//\\ 'quoted' \"twice\" <&> é日本🌲 \u2028\ufffd\uffff \x00\x01\x7f\r\n\t"

func createWhole(s *suite) {
	group := schema.GroupPID(schema.PID{1}, 2, 3, 4)
	r := ledger.Run{
		ID: "whole", Target: "s3://bucket/" + odd, State: ledger.Running, Epoch: 3, Paused: true,
		Root: ledger.Kid{
			Kind: "s3.crawl", ID: "s3://bucket/" + odd, Args: schema.Args(`{"a": "<&>", "b":[1 , 2.50]}`),
			Weight: 7, Deeper: 2, Group: &group, Count: 1 << 40,
		},
		Options: ledger.Options{
			Out: "s3://out/" + odd, Format: "parquet", Retries: 3, Inline: 10_000, Concurrency: 64,
			Params: map[string]string{"node": "range", odd: odd, "empty": ""},
		},
		Claim: 2, Via: true,
		Totals:   schema.Account{Nodes: 1 << 60, Objects: -1, Bytes: -1 << 62, Failures: 4, Reduces: 5},
		Created:  time.Date(2026, 11, 12, 13, 14, 15, 678_000_000, time.UTC),
		Finished: time.Date(2027, 1, 2, 3, 4, 5, 6_000_000, time.FixedZone("CET", 3600)),
	}
	s.create(r)
	require.Equal(s, tidyRun(r), s.run("whole"))

	least := ledger.Run{ID: "least", State: ledger.Running}
	s.create(least)
	got := s.run("least")
	require.True(s, got.Created.IsZero() && got.Finished.IsZero(), "zero times: %s, %s", got.Created, got.Finished)
	require.Equal(s, tidyRun(least), got)
}

func createTaken(s *suite) {
	r := s.newRun()
	other := r
	other.Target, other.State, other.Epoch = "file:other", ledger.Cancelled, 9
	err, _ := s.retry(func() error { return s.store.Create(s.Context(), other) })
	require.ErrorIs(s, err, ledger.ErrExists)
	require.Equal(s, tidyRun(r), s.run(r.ID))
}

func createRace(s *suite) {
	var mu sync.Mutex
	var won []string
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			r := ledger.Run{ID: "one", State: ledger.Running, Target: fmt.Sprint(i)}
			err, _ := s.retry(func() error { return s.store.Create(s.Context(), r) })
			if err != nil {
				assert.ErrorIs(s, err, ledger.ErrExists)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			won = append(won, r.Target)
		})
	}
	all.Wait()
	stored := s.run("one").Target
	if s.Lossy && len(won) == 0 {
		return // the winner's answer was lost
	}
	require.Equal(s, []string{stored}, won)
}

func noRun(s *suite) {
	s.newRun()
	err, _ := s.retry(func() error { _, err := s.store.Run(s.Context(), "nobody"); return err })
	require.ErrorIs(s, err, ledger.ErrNoRun)
	err, _ = s.retry(func() error {
		_, err := s.store.Amend(s.Context(), "nobody", ledger.Change{From: ledger.Running, State: ledger.Cancelled})
		return err
	})
	require.ErrorIs(s, err, ledger.ErrNoRun)
	err, _ = s.retry(func() error { _, err := s.store.Run(s.Context(), "nobody"); return err })
	require.ErrorIs(s, err, ledger.ErrNoRun, "an amendment creates no run")
}

func amendNamed(s *suite) {
	r := s.newRun()
	other := s.newRun()
	yes, no, eight, zero := true, false, 8, 0
	want := tidyRun(r)

	want.Paused = true
	require.Equal(s, want, s.amend(r.ID, ledger.Change{From: ledger.Running, Paused: &yes}))
	want.Options.Concurrency = 8
	require.Equal(s, want, s.amend(r.ID, ledger.Change{From: ledger.Running, Concurrency: &eight}))
	want.Paused, want.Options.Concurrency = false, 0
	require.Equal(s, want, s.amend(r.ID, ledger.Change{From: ledger.Running, Paused: &no, Concurrency: &zero}))
	want.Options = want.Options.With(map[string]string{"first": "1", odd: odd})
	require.Equal(s, want, s.amend(r.ID, ledger.Change{From: ledger.Running, Params: map[string]string{"first": "1", odd: odd}}))
	want.Options = want.Options.With(map[string]string{"first": "2", "empty": ""})
	require.Equal(s, want, s.amend(r.ID, ledger.Change{From: ledger.Running, Params: map[string]string{"first": "2", "empty": ""}}), "others stay")
	require.Equal(s, want, s.amend(r.ID, ledger.Change{From: ledger.Running}), "a change of nothing")
	want.State, want.Finished = ledger.Cancelled, time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	require.Equal(s, want, s.amend(r.ID, ledger.Change{From: ledger.Running, State: ledger.Cancelled, At: want.Finished}))

	require.Equal(s, want, s.run(r.ID))
	require.Equal(s, tidyRun(other), s.run(other.ID), "another run")
}

func amendConflict(s *suite) {
	r := s.newRun()
	yes, eight := true, 8
	all := ledger.Change{State: ledger.Cancelled, NextEpoch: true, Paused: &yes, Concurrency: &eight, Params: map[string]string{"p": "1"}, At: r.Created}
	for _, from := range []ledger.State{ledger.Finished, ledger.Failed, ledger.Cancelled, ""} {
		c := all
		c.From = from
		s.conflict(r.ID, c)
	}
	for _, epoch := range []int{-1, 1, 2} {
		c := all
		c.From, c.Epoch = ledger.Running, epoch
		s.conflict(r.ID, c)
	}
	s.amend(r.ID, ledger.Change{From: ledger.Running, State: ledger.Cancelled, At: r.Created})
	s.conflict(r.ID, ledger.Change{From: ledger.Running, State: ledger.Cancelled, At: r.Created})
	s.conflict(r.ID, ledger.Change{From: ledger.Failed, State: ledger.Running, NextEpoch: true})
}

func amendRedrive(s *suite) {
	r := s.newRun()
	s.settle(ledger.Settlement{Run: r.ID, Failed: true}, ledger.Won)
	redrive := ledger.Change{From: ledger.Failed, State: ledger.Running, NextEpoch: true}
	now := s.amend(r.ID, redrive)
	require.Equal(s, ledger.Running, now.State)
	require.Equal(s, 1, now.Epoch)
	require.Equal(s, now, s.run(r.ID))
	s.conflict(r.ID, redrive)
}

func finishOrCancel(s *suite) {
	for round := range 20 {
		r := s.newRun()
		var settled ledger.Outcome
		var cancelled error
		finish := func() {
			st := ledger.Settlement{Run: r.ID, Account: schema.Account{Nodes: 1}}
			err, _ := s.retry(func() (err error) { _, settled, err = s.store.Settle(s.Context(), st); return err })
			assert.NoError(s, err)
		}
		cancel := func() {
			c := ledger.Change{From: ledger.Running, State: ledger.Cancelled, At: r.Created}
			cancelled, _ = s.retry(func() error { _, err := s.store.Amend(s.Context(), r.ID, c); return err })
		}
		if round%2 == 0 { // who starts first mostly wins, or mostly loses
			finish, cancel = cancel, finish
		}
		var both sync.WaitGroup
		both.Go(finish)
		both.Go(cancel)
		both.Wait()
		now := s.run(r.ID)
		if cancelled != nil {
			require.ErrorIs(s, cancelled, ledger.ErrConflict)
		}
		if now.State == ledger.Finished {
			require.Equal(s, schema.Account{Nodes: 1}, now.Totals)
			require.ErrorIs(s, cancelled, ledger.ErrConflict, "cancelled what had finished")
			require.True(s, settled == ledger.Won || s.Lossy, "settled: %s", show(settled))
			continue
		}
		require.Equal(s, ledger.Cancelled, now.State)
		require.Zero(s, now.Totals)
		require.Equal(s, show(ledger.Over), show(settled))
		require.True(s, cancelled == nil || s.Lossy, "cancel: %v", cancelled)
	}
}
