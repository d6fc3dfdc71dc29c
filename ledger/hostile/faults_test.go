package hostile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/schema"
)

// calls are a call of each method that writes the run "r" or a record of it.
var writes = map[string]func(context.Context, *hostile.Ledger) error{
	"Create": func(ctx context.Context, l *hostile.Ledger) error {
		return l.Create(ctx, ledger.Run{ID: "new", State: ledger.Running})
	},
	"Amend": func(ctx context.Context, l *hostile.Ledger) error {
		_, err := l.Amend(ctx, "r", ledger.Change{From: ledger.Running, State: ledger.Cancelled})
		return err
	},
	"Plan": func(ctx context.Context, l *hostile.Ledger) error {
		_, _, err := l.Plan(ctx, ledger.Plan{PID: schema.PID{1}, Run: "r", Type: ledger.Live})
		return err
	},
	"Claim": func(ctx context.Context, l *hostile.Ledger) error {
		_, _, err := l.Claim(ctx, "r", schema.Place{}, 0)
		return err
	},
	"Settle": func(ctx context.Context, l *hostile.Ledger) error {
		_, _, err := l.Settle(ctx, ledger.Settlement{Run: "r", At: schema.Place{Parent: schema.PID{1}}})
		return err
	},
	"Report": func(ctx context.Context, l *hostile.Ledger) error {
		return l.Report(ctx, ledger.Worker{Run: "r", ID: "w"})
	},
}

// contents are all that those calls may have written.
func contents(t *testing.T, l *hostile.Ledger) string {
	t.Helper()
	ctx := t.Context()
	runs, err := l.Runs(ctx)
	require.NoError(t, err)
	workers, err := l.Workers(ctx, "r")
	require.NoError(t, err)
	records, err := l.Read(ctx, []ledger.Key{{PID: schema.PID{1}}, {PID: schema.PID{1}, Tally: true}})
	require.NoError(t, err)
	return fmt.Sprint(runs, workers, records[0].Plan != nil, records[1].Tally != nil)
}

func fresh(t *testing.T) *hostile.Ledger {
	t.Helper()
	l := hostile.New(1, hostile.Faults{})
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	require.NoError(t, l.Create(t.Context(), ledger.Run{ID: "r", State: ledger.Running}))
	return l
}

func TestLostWrites(t *testing.T) {
	for method, write := range writes {
		t.Run(method, func(t *testing.T) {
			l := fresh(t)
			before := contents(t, l)
			l.Set(hostile.Faults{Before: 1})
			require.ErrorIs(t, write(t.Context(), l), hostile.ErrFault)
			l.Set(hostile.Faults{})
			require.Equal(t, before, contents(t, l), "failed before it acted")

			l.Set(hostile.Faults{After: 1})
			require.ErrorIs(t, write(t.Context(), l), hostile.ErrFault)
			l.Set(hostile.Faults{})
			require.NotEqual(t, before, contents(t, l), "acted, and its answer was lost")
		})
	}
}

func TestLostReads(t *testing.T) {
	l := fresh(t)
	l.Set(hostile.Faults{Read: 1})
	_, err := l.Run(t.Context(), "r")
	require.ErrorIs(t, err, hostile.ErrFault)
	_, err = l.Read(t.Context(), nil)
	require.ErrorIs(t, err, hostile.ErrFault)
	_, err = l.Workers(t.Context(), "r")
	require.ErrorIs(t, err, hostile.ErrFault)
	_, err = l.Runs(t.Context())
	require.ErrorIs(t, err, hostile.ErrFault)
	for method, write := range writes {
		require.NoError(t, write(t.Context(), l), method)
	}
}

func TestSettledAgain(t *testing.T) {
	l := fresh(t)
	l.Set(hostile.Faults{Again: 1})
	st := ledger.Settlement{Run: "r", At: schema.Place{Parent: schema.PID{1}, Slot: 2}, Account: schema.Account{Nodes: 1}}
	tally, outcome, err := l.Settle(t.Context(), st)
	require.NoError(t, err)
	require.Equal(t, ledger.Already, outcome)
	require.Equal(t, int64(1), tally.Sum.Nodes)

	_, outcome, err = l.Settle(t.Context(), ledger.Settlement{Run: "r", Account: schema.Account{Nodes: 1}})
	require.NoError(t, err)
	require.Equal(t, ledger.Over, outcome)
	r, err := l.Run(t.Context(), "r")
	require.NoError(t, err)
	require.Equal(t, int64(1), r.Totals.Nodes)
}

func TestWriteBudgetIsCounted(t *testing.T) {
	l := fresh(t)
	ctx := t.Context()
	require.NoError(t, writes["Plan"](ctx, l))
	require.NoError(t, writes["Settle"](ctx, l))
	require.NoError(t, writes["Settle"](ctx, l)) // its condition fails, and it is paid for
	require.NoError(t, writes["Claim"](ctx, l))
	require.NoError(t, writes["Report"](ctx, l))
	l.Set(hostile.Faults{Before: 1})
	require.Error(t, writes["Settle"](ctx, l))
	_, err := l.Run(ctx, "r")
	require.NoError(t, err)

	c := l.Calls()
	require.Equal(t, 4, c.Writes())
	require.Equal(t, hostile.Count{Calls: 3, Acted: 2, Faults: 1}, c.Settle)
	require.Equal(t, hostile.Count{Calls: 1, Acted: 1}, c.Run)
	require.Equal(t, hostile.Count{Calls: 1, Acted: 1}, c.Create)
}

func TestSlotsOutOfRange(t *testing.T) {
	l := fresh(t)
	for _, slot := range []int{-1, schema.MaxSlots} {
		at := schema.Place{Parent: schema.PID{1}, Slot: slot}
		_, _, err := l.Settle(t.Context(), ledger.Settlement{Run: "r", At: at})
		require.Error(t, err)
		_, _, err = l.Claim(t.Context(), "r", at, 0)
		require.Error(t, err)
	}
}

func TestLatencyAndStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := fresh(t)
		l.Set(hostile.Faults{Latency: time.Second})
		start := time.Now()
		require.NoError(t, writes["Plan"](t.Context(), l))
		require.Positive(t, time.Since(start))
		require.LessOrEqual(t, time.Since(start), 2*time.Second)

		l.Set(hostile.Faults{Stall: 1, StallFor: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		require.ErrorIs(t, writes["Settle"](ctx, l), context.DeadlineExceeded)
	})
}

func TestCloseEndsStalledCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := hostile.New(1, hostile.Faults{Stall: 1, StallFor: time.Hour})
		done := make(chan error)
		go func() { done <- writes["Create"](t.Context(), l) }()
		synctest.Wait() // it stalls
		start := time.Now()
		go l.Close()
		require.ErrorIs(t, <-done, ledger.ErrClosed)
		require.Zero(t, time.Since(start))
	})
}

func TestSeedReplays(t *testing.T) {
	script := func(seed uint64) (log string) {
		synctest.Test(t, func(t *testing.T) {
			l := hostile.New(seed, hostile.Unkind(0.2))
			defer l.Close()
			var b strings.Builder
			start := time.Now()
			for slot := range 40 {
				at := schema.Place{Parent: schema.PID{1}, Slot: slot}
				tally, outcome, err := l.Settle(t.Context(), ledger.Settlement{Run: "r", At: at})
				fmt.Fprintln(&b, tally.Done, outcome, err, l.Create(t.Context(), ledger.Run{ID: fmt.Sprint(slot)}))
				records, err := l.Read(t.Context(), []ledger.Key{{PID: at.Parent, Tally: true}})
				fmt.Fprintln(&b, len(records), err, time.Since(start))
			}
			fmt.Fprintln(&b, l.Calls())
			log = b.String()
		})
		return log
	}
	var logs []string
	for seed := range uint64(20) {
		log := script(seed)
		require.Equal(t, log, script(seed), "seed %d", seed)
		require.NotContains(t, logs, log, "two seeds, one story")
		logs = append(logs, log)
	}
}
