package none_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/none"
	"github.com/ramify/ramify/schema"
)

func open(t *testing.T, post func(context.Context, ledger.Plan) error) *none.Ledger {
	t.Helper()
	l := none.New(none.Options{Run: ledger.Options{Retries: 7, Params: map[string]string{"a": "b"}}, Post: post})
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func refuse(context.Context, ledger.Plan) error { return errors.New("not to be posted") }

func TestAnyRunGoesOnForEver(t *testing.T) {
	l := open(t, refuse)
	ctx := t.Context()
	require.NoError(t, l.Create(ctx, ledger.Run{ID: "r"}))
	require.NoError(t, l.Create(ctx, ledger.Run{ID: "r"}), "nothing is kept of a run: its name is free")
	root := ledger.Settlement{Run: "r", Failed: true}
	_, outcome, err := l.Settle(ctx, root)
	require.NoError(t, err)
	assert.Equal(t, ledger.Won, outcome)
	r, err := l.Run(ctx, "r")
	require.NoError(t, err)
	assert.Equal(t, ledger.Run{ID: "r", State: ledger.Running, Options: ledger.Options{Retries: 7, Params: map[string]string{"a": "b"}}}, r)
	r.Options.Params["a"] = "changed"
	again, err := l.Run(ctx, "other")
	require.NoError(t, err)
	assert.Equal(t, "b", again.Options.Params["a"], "what was returned is the caller's")

	_, err = l.Amend(ctx, "r", ledger.Change{From: ledger.Running, State: ledger.Cancelled})
	require.ErrorIs(t, err, none.ErrNotKept)
	assert.Contains(t, err.Error(), "change run r")
}

func TestNothingIsEverComplete(t *testing.T) {
	l := open(t, refuse)
	at := schema.Place{Parent: schema.PID{1}, Slot: 3}
	for range 300 {
		tally, outcome, err := l.Settle(t.Context(), ledger.Settlement{Run: "r", At: at, Header: &schema.Header{Required: 1}, Unfenced: true})
		require.NoError(t, err)
		assert.Equal(t, ledger.Won, outcome)
		assert.False(t, tally.Complete())
		require.NotNil(t, tally.Header, "or whoever settles would look for the plan")
	}
	_, outcome, err := l.Claim(t.Context(), "r", at, 0)
	require.NoError(t, err)
	assert.Equal(t, ledger.Won, outcome)
	records, err := l.Read(t.Context(), []ledger.Key{{PID: schema.PID{1}}, {PID: schema.PID{1}, Tally: true}})
	require.NoError(t, err)
	assert.Equal(t, make([]ledger.Record, 2), records)
}

func TestEveryPlanWins(t *testing.T) {
	l := open(t, refuse)
	for _, kind := range []ledger.PlanType{ledger.Live, ledger.Leaf, ledger.Tomb} {
		p := ledger.Plan{PID: schema.PID{1}, Run: "r", Type: kind, Own: schema.Account{Nodes: 1}, Err: "why"}
		if kind == ledger.Live {
			p.Kids = []ledger.Kid{{Kind: "k", ID: "child"}}
		}
		stored, won, err := l.Plan(t.Context(), p)
		require.NoError(t, err)
		assert.True(t, won)
		assert.Equal(t, p, stored)
	}
}

func TestPagesArePostedAsTheyCome(t *testing.T) {
	var posted []ledger.Plan
	fail := true
	l := open(t, func(_ context.Context, p ledger.Plan) error {
		if fail {
			return errors.New("the queue is away")
		}
		posted = append(posted, p)
		return nil
	})
	page := ledger.Plan{PID: schema.PID{2}, Run: "r", Type: ledger.Group, Kids: []ledger.Kid{{Kind: "k", ID: "a"}, {Kind: "k", ID: "b"}}}
	_, won, err := l.Plan(t.Context(), page)
	require.ErrorContains(t, err, "the queue is away")
	assert.False(t, won)

	fail = false
	_, won, err = l.Plan(t.Context(), page)
	require.NoError(t, err)
	assert.True(t, won)
	assert.Equal(t, []ledger.Plan{page}, posted)

	above := []ledger.Kid{{ID: "0", Group: &page.PID, Count: 2}}
	for _, kind := range []ledger.PlanType{ledger.Group, ledger.Live} {
		stored, won, err := l.Plan(t.Context(), ledger.Plan{PID: schema.PID{3}, Run: "r", Type: kind, Kids: above})
		require.NoError(t, err)
		assert.True(t, won)
		assert.Empty(t, stored.Kids, "the children of the page are on the queue")
	}
	assert.Len(t, posted, 1)
}

func TestCallsEndWithTheirContextAndTheLedger(t *testing.T) {
	posting, answer := make(chan struct{}), make(chan struct{})
	l := none.New(none.Options{Post: func(context.Context, ledger.Plan) error {
		close(posting)
		<-answer
		return nil
	}})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.Run(ended, "r")
	require.ErrorIs(t, err, context.Canceled)

	result := make(chan error, 1)
	go func() {
		_, _, err := l.Plan(context.WithoutCancel(t.Context()), ledger.Plan{Type: ledger.Group, Kids: []ledger.Kid{{ID: "a"}}})
		result <- err
	}()
	<-posting
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	close(answer)
	require.NoError(t, <-result)
	require.NoError(t, <-closed)
	_, _, err = l.Settle(t.Context(), ledger.Settlement{})
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.NoError(t, l.Close())
}

func TestNeedsAWayToPost(t *testing.T) {
	assert.Panics(t, func() { none.New(none.Options{}) })
}
