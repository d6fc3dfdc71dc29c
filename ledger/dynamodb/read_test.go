package dynamodb_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/schema"
)

// What people look at costs a request for a hundred runs, and for one run the same
// however many there are. Nothing scans.
func TestBoardOfAThousandRuns(t *testing.T) {
	const runs = 1000
	m := newMeter()
	l := local.open(t, dynamodb.Options{Consumed: m.count})
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var all sync.WaitGroup
	for w := range 20 {
		all.Go(func() {
			for i := w; i < runs; i += 20 {
				r := ledger.Run{
					ID: fmt.Sprintf("run-%04d", i), State: ledger.Finished, Root: ledger.Kid{Kind: "s3", ID: "s3://bucket"},
					Created: begin.Add(time.Duration(i) * time.Minute),
				}
				assert.NoError(t, l.Create(t.Context(), r))
				assert.NoError(t, l.Report(t.Context(), ledger.Worker{Run: r.ID, ID: "w"}))
			}
		})
	}
	all.Wait()
	calls := func(f func()) map[string]int {
		m.mu.Lock()
		clear(m.calls)
		m.mu.Unlock()
		f()
		m.mu.Lock()
		defer m.mu.Unlock()
		return maps.Clone(m.calls)
	}

	got := calls(func() {
		list, err := l.Runs(t.Context())
		require.NoError(t, err)
		require.Len(t, list, runs)
		for i, r := range list {
			assert.Equal(t, fmt.Sprintf("run-%04d", runs-1-i), r.ID, "newest first")
		}
	})
	assert.Equal(t, map[string]int{"Query": 1, "BatchGetItem": runs / 100}, got)

	got = calls(func() {
		_, err := l.Run(t.Context(), "run-0500")
		require.NoError(t, err)
		workers, err := l.Workers(t.Context(), "run-0500")
		require.NoError(t, err)
		assert.Len(t, workers, 1)
	})
	assert.Equal(t, map[string]int{"GetItem": 1, "Query": 1, "BatchGetItem": 1}, got)
}

// A walk over many plans asks for a hundred records a request, and does not wait
// for each request in turn.
func TestAWalkReadsManyPlansAtATime(t *testing.T) {
	const width, below = 200, 5
	config, table := local.table(t)
	var requests atomic.Int64
	together := make(chan struct{})
	config.HTTPClient = through(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetItem") {
			return next.RoundTrip(r)
		}
		switch n := requests.Add(1); n {
		case 1: // the root's
			return next.RoundTrip(r)
		case 1 + 2*width/100:
			close(together)
		}
		select {
		case <-together: // none is answered before all are under way
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		return next.RoundTrip(r)
	})
	l := dynamodb.New(config, table, dynamodb.Options{})
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()

	settle := func(at schema.Place, via bool) {
		_, _, err := l.Settle(ctx, ledger.Settlement{Run: "run", At: at, Via: via, Account: schema.Account{Nodes: 1}})
		assert.NoError(t, err)
	}
	plan := func(at schema.Place, kids int) schema.PID {
		p := ledger.Plan{PID: schema.PIDOf("run", at), Run: "run", Type: ledger.Live, Up: at, Own: schema.Account{Nodes: 1}}
		for i := range kids {
			p.Kids = append(p.Kids, ledger.Kid{Kind: "k", ID: fmt.Sprint(i), Deeper: 1})
		}
		_, _, err := l.Plan(ctx, p)
		assert.NoError(t, err)
		return p.PID
	}
	require.NoError(t, l.Create(ctx, ledger.Run{ID: "run", State: ledger.Running, Root: ledger.Kid{Kind: "k", ID: "root"}}))
	root := plan(schema.Place{}, width)
	var all sync.WaitGroup
	for slot := range width {
		all.Go(func() {
			at := schema.Place{Parent: root, Slot: slot}
			pid := plan(at, below)
			for leaf := range below {
				settle(schema.Place{Parent: pid, Slot: leaf}, false)
			}
			settle(at, true)
		})
	}
	all.Wait()
	settle(schema.Place{}, true)
	run, err := l.Run(ctx, "run")
	require.NoError(t, err)
	require.Equal(t, ledger.Finished, run.State)

	require.Zero(t, requests.Load())
	seen := map[schema.PID]bool{}
	for u, err := range ledger.Units(ctx, l, run) {
		require.NoError(t, err)
		assert.False(t, seen[u.PID])
		seen[u.PID] = true
	}
	assert.Len(t, seen, 1+width+width*below)
	assert.EqualValues(t, 1+2*width/100, requests.Load())
}
