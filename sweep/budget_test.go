package sweep_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	ledgerhostile "github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/sweep"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(line string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), line)
}

// dollar is the cost of runs whose units cost a dollar.
func dollar(runs []ledger.Run, workers [][]ledger.Worker) []float64 {
	costs := make([]float64, len(runs))
	for i := range runs {
		for _, w := range workers[i] {
			costs[i] += float64(w.Units)
		}
	}
	return costs
}

func (y *yard) worked(run string, units int64) {
	require.NoError(y.t, y.ledger.Report(y.t.Context(), ledger.Worker{Run: run, ID: "w", Units: units, At: time.Now()}))
}

// now is the run as it stands.
func (y *yard) now(run string) ledger.Run {
	r, err := y.ledger.Run(y.t.Context(), run)
	require.NoError(y.t, err)
	return r
}

func (y *yard) amend(run string, c ledger.Change) {
	c.From = ledger.Running
	_, err := y.ledger.Amend(y.t.Context(), run, c)
	require.NoError(y.t, err)
}

// A run that has cost its budget is paused, and said once to be; others go on, and so
// does it with a higher budget.
func TestARunThatHasCostItsBudgetIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		for _, run := range []string{"some", "much", "free"} {
			y.run(run, "")
		}
		y.amend("some", ledger.Change{Params: map[string]string{ledger.ParamBudget: "10"}})
		y.amend("much", ledger.Change{Params: map[string]string{ledger.ParamBudget: "1000"}})
		var log journal
		y.keeper(func(o *sweep.Options) { o.Cost, o.Log = dollar, slog.New(slog.NewTextHandler(&log, nil)) })
		const line = "paused a run whose budget is spent"
		for _, run := range []string{"some", "much", "free"} {
			y.worked(run, 9)
		}
		time.Sleep(time.Minute)
		assert.False(t, y.now("some").Paused)
		for _, run := range []string{"some", "much", "free"} {
			y.worked(run, 11)
		}
		time.Sleep(15 * time.Second)
		some := y.now("some")
		assert.True(t, some.Paused)
		assert.Equal(t, ledger.Running, some.State)
		assert.True(t, some.Options.OverBudget())
		assert.InDelta(t, 11, some.Options.Spent(), 0)
		time.Sleep(time.Hour)
		assert.False(t, y.now("much").Paused)
		assert.False(t, y.now("free").Paused)
		assert.Equal(t, 1, log.count(line))

		no := false
		y.amend("some", ledger.Change{Paused: &no, Params: map[string]string{ledger.ParamBudget: "20"}})
		y.worked("some", 19)
		time.Sleep(time.Minute)
		assert.False(t, y.now("some").Paused)
		y.worked("some", 20)
		time.Sleep(15 * time.Second)
		assert.True(t, y.now("some").Paused)
		assert.Equal(t, 2, log.count(line))
	})
}

// Who has no budgets pays for none: no worker is read for them.
func TestWithoutBudgetsNothingIsAsked(t *testing.T) {
	reads := func(cost bool, budget string) (n int) {
		synctest.Test(t, func(t *testing.T) {
			y := newYard(t)
			y.run("run", "")
			if budget != "" {
				y.amend("run", ledger.Change{Params: map[string]string{ledger.ParamBudget: budget}})
			}
			y.keeper(func(o *sweep.Options) {
				if cost {
					o.Cost = dollar
				}
			})
			time.Sleep(time.Hour)
			n = y.ledger.Calls().Workers.Calls
		})
		return n
	}
	without := reads(false, "")
	assert.InDelta(t, without, reads(true, ""), 2, "once a minute, for progress")
	assert.InDelta(t, without, reads(false, "5"), 2)
	assert.Greater(t, reads(true, "5"), without+300)
}

func TestFaultsDelayABudgetAndDoNotForgetIt(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			y := newYard(t)
			y.run("run", "")
			y.amend("run", ledger.Change{Params: map[string]string{ledger.ParamBudget: "1"}})
			y.worked("run", 1)
			y.ledger.Set(ledgerhostile.Unkind(0.1 + float64(seed)/20))
			for range 3 {
				y.keeper(func(o *sweep.Options) { o.Cost = dollar })
			}
			time.Sleep(time.Hour)
			y.ledger.Set(ledgerhostile.Faults{})
			assert.True(t, y.now("run").Paused)
			assert.True(t, y.now("run").Options.OverBudget())
		})
	}
}
