package seed_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	ledgerhostile "github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/post"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/seed"
)

func TestNamesAreValidAndSortByAge(t *testing.T) {
	now := time.Now()
	a, b := seed.Name(now), seed.Name(now.Add(time.Second))
	assert.Less(t, a, b)
	require.NoError(t, schema.CheckRunName(a))
	again := seed.Name(now)
	assert.NotEqual(t, a, again, "two runs of one second")
}

func TestNothingIsCreatedForARunThatCannotBe(t *testing.T) {
	for name, r := range map[string]ledger.Run{
		"run name":    {ID: "../x", Root: ledger.Kid{Kind: "k"}},
		"kind":        {ID: "x", Root: ledger.Kid{Kind: "No Such"}},
		"args":        {ID: "x", Root: ledger.Kid{Kind: "k", Args: schema.Args("[1]")}},
		"name's size": {ID: "x", Root: ledger.Kid{Kind: "k", ID: string(make([]byte, schema.MaxID+1))}},
	} {
		t.Run(name, func(t *testing.T) {
			l, q := ledgerhostile.New(1, ledgerhostile.Faults{}), queuehostile.New(1, queuehostile.Faults{})
			require.Error(t, seed.Run(t.Context(), l, &post.Poster{Queue: q}, r))
			assert.Zero(t, l.Calls().Create.Calls)
			assert.Zero(t, q.Calls().Send.Calls)
		})
	}
}

func TestANameIsTakenOnce(t *testing.T) {
	l, q := ledgerhostile.New(1, ledgerhostile.Faults{}), queuehostile.New(1, queuehostile.Faults{})
	p := &post.Poster{Queue: q}
	r := ledger.Run{ID: "x", Root: ledger.Kid{Kind: "k", ID: "0"}}
	require.NoError(t, seed.Run(t.Context(), l, p, r))
	require.ErrorIs(t, seed.Run(t.Context(), l, p, r), ledger.ErrExists)
	assert.Equal(t, 1, q.Calls().Send.Entries)
}

func TestRedriveOnlyWhatFinishedWithFailures(t *testing.T) {
	l, q := ledgerhostile.New(1, ledgerhostile.Faults{}), queuehostile.New(1, queuehostile.Faults{})
	p := &post.Poster{Queue: q}
	require.NoError(t, seed.Run(t.Context(), l, p, ledger.Run{ID: "x", Root: ledger.Kid{Kind: "k", ID: "0"}}))
	_, err := seed.Redrive(t.Context(), l, p, "x")
	require.ErrorIs(t, err, ledger.ErrConflict)
	yes := true // paused while its last node was under way
	_, err = l.Amend(t.Context(), "x", ledger.Change{From: ledger.Running, Paused: &yes})
	require.NoError(t, err)
	_, _, err = l.Settle(t.Context(), ledger.Settlement{Run: "x", Failed: true, Account: schema.Account{Failures: 1}})
	require.NoError(t, err)
	r, err := seed.Redrive(t.Context(), l, p, "x")
	require.NoError(t, err)
	assert.Equal(t, 1, r.Epoch)
	assert.Equal(t, ledger.Running, r.State)
	assert.False(t, r.Paused)
	_, err = seed.Redrive(t.Context(), l, p, "none")
	require.ErrorIs(t, err, ledger.ErrNoRun)
}
