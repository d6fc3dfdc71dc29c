package task

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	ledgerhostile "github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/schema"
)

// A process that works on runs without end remembers some, and what the board
// knows of those it forgot stays, also when it works on one of them again.
func TestFiguresOfManyRuns(t *testing.T) {
	board := ledgerhostile.New(1, ledgerhostile.Faults{})
	f := newFigures("w", newSlots(1), Sketching{})
	ask := func(run string) { f.change(run, func(w *ledger.Worker) { w.Requests["list"]++ }) }
	for round := range 3 {
		for i := range 2*maxRuns + 1 {
			ask(fmt.Sprint(i))
			if i%100 == 99 {
				require.NoError(t, f.report(t.Context(), board, false))
			}
		}
		require.NoError(t, f.report(t.Context(), board, false))
		assert.LessOrEqual(t, len(f.runs), maxRuns+100, "runs remembered in round %d", round)
	}
	for _, run := range []string{"0", "700", fmt.Sprint(2 * maxRuns)} {
		workers, err := board.Workers(t.Context(), run)
		require.NoError(t, err)
		var asked int64
		for _, w := range workers {
			asked += w.Requests["list"]
		}
		assert.EqualValues(t, 3, asked, "requests of run %s", run)
	}
}

// away is a board that does not answer.
type away struct{ ledger.Board }

func (away) Report(context.Context, ledger.Worker) error { return errors.New("away") }

func TestFiguresThatWereNotReportedAreKept(t *testing.T) {
	board := ledgerhostile.New(1, ledgerhostile.Faults{})
	f := newFigures("w", newSlots(1), Sketching{})
	for i := range maxRuns + 10 {
		f.change(fmt.Sprint(i), func(w *ledger.Worker) { w.Retries++ })
		if i%500 == 0 {
			require.Error(t, f.report(t.Context(), away{}, false))
		}
	}
	require.NoError(t, f.report(t.Context(), board, false))
	for i := range maxRuns + 10 {
		workers, err := board.Workers(t.Context(), fmt.Sprint(i))
		require.NoError(t, err)
		require.Len(t, workers, 1)
		require.EqualValues(t, 1, workers[0].Retries)
	}
}

// What a unit under way has taken is reported before it has ended, and once.
func TestFiguresOfUnitsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFigures("w", newSlots(2), Sketching{})
		report := func() ledger.Worker {
			all := f.snapshot()
			require.Len(t, all, 1)
			return all[0]
		}
		time.Sleep(time.Second)
		first := time.Now()
		f.begin("r", first, &seen{}, "", "")
		time.Sleep(10 * time.Second)
		second := time.Now()
		f.begin("r", second, &seen{}, "", "")
		time.Sleep(20 * time.Second)
		assert.Equal(t, 50*time.Second, report().Busy)

		leaf := seen{own: schema.Account{Nodes: 3}, busy: time.Since(first)}
		f.end("r", first, &leaf, true)
		time.Sleep(time.Minute)
		w := report()
		assert.Equal(t, 110*time.Second, w.Busy)
		assert.EqualValues(t, 1, w.Units)
		assert.EqualValues(t, 1, w.Leaves)

		parent := seen{own: schema.Account{Nodes: 1}, kids: true, busy: time.Since(second)}
		f.end("r", second, &parent, true)
		f.end("r", time.Time{}, &seen{}, false) // one that was put back at once
		w = report()
		assert.Equal(t, 110*time.Second, w.Busy)
		assert.EqualValues(t, 2, w.Units)
		assert.EqualValues(t, 1, w.Leaves, "one that has posted children is none")
		assert.Empty(t, f.open)
	})
}

// A message that does not belong to the run may have any share, the root's too: the
// sum stays one that is readable.
func TestFiguresNeverHaveMoreThanTheWhole(t *testing.T) {
	f := newFigures("w", newSlots(1), Sketching{})
	for range 5 {
		f.settled("run", schema.Account{Nodes: 1}, schema.Whole, 0)
	}
	assert.Equal(t, schema.Whole, f.snapshot()[0].Share)
}

// A task that works on one run reports that one, also where a unit takes hours, and
// not all others that it has ever worked on.
func TestFiguresAreOfTheRunsAtWork(t *testing.T) {
	board := ledgerhostile.New(1, ledgerhostile.Faults{})
	slots := newSlots(2)
	f := newFigures("w", slots, Sketching{})
	require.NoError(t, slots.acquire(t.Context()))
	began := time.Now()
	end := func(run string) { f.end(run, began, &seen{}, true) }
	f.begin("before", began, &seen{}, "", "")
	end("before")
	f.begin("now", began, &seen{}, "", "")
	f.begin("now", began, &seen{}, "", "")
	end("now")
	require.NoError(t, f.report(t.Context(), board, false))
	news, _ := f.news()
	require.Len(t, news, 1)
	assert.Equal(t, "now", news[0].Run)
	end("now")
	news, _ = f.news()
	require.Len(t, news, 1, "what the last unit came to")
	news, _ = f.news()
	assert.Empty(t, news)
}
