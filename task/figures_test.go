package task

import (
	"context"
	"errors"
	"fmt"
	"testing"

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
	f := newFigures("w", newSlots(1))
	ask := func(run string) { f.change(run, func(w *ledger.Worker) { w.Requests["list"]++ }) }
	for round := range 3 {
		for i := range 2*maxRuns + 1 {
			ask(fmt.Sprint(i))
			if i%100 == 99 {
				require.NoError(t, f.report(t.Context(), board))
			}
		}
		require.NoError(t, f.report(t.Context(), board))
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
	f := newFigures("w", newSlots(1))
	for i := range maxRuns + 10 {
		f.change(fmt.Sprint(i), func(w *ledger.Worker) { w.Retries++ })
		if i%500 == 0 {
			require.Error(t, f.report(t.Context(), away{}))
		}
	}
	require.NoError(t, f.report(t.Context(), board))
	for i := range maxRuns + 10 {
		workers, err := board.Workers(t.Context(), fmt.Sprint(i))
		require.NoError(t, err)
		require.Len(t, workers, 1)
		require.EqualValues(t, 1, workers[0].Retries)
	}
}

// A message that does not belong to the run may have any share, the root's too: the
// sum stays one that is readable.
func TestFiguresNeverHaveMoreThanTheWhole(t *testing.T) {
	f := newFigures("w", newSlots(1))
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
	f := newFigures("w", slots)
	require.NoError(t, slots.acquire(t.Context()))
	f.begin("before")
	f.end("before")
	f.begin("now")
	f.begin("now")
	f.end("now")
	require.NoError(t, f.report(t.Context(), board))
	news, _ := f.news()
	require.Len(t, news, 1)
	assert.Equal(t, "now", news[0].Run)
	f.end("now")
	news, _ = f.news()
	assert.Empty(t, news)
}
