package sweep

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/ledger"
)

// budgets pauses the runs that have cost what they may. Where none has a budget it
// asks nothing. A task works on several runs, and what it costs is split between
// them: so the workers of all that go on are read.
func (w *watch) budgets(ctx context.Context) {
	if w.k.Cost == nil {
		return
	}
	var runs []ledger.Run
	due := false
	for _, v := range w.live {
		if v.run.ID == "" { // not read yet
			continue
		}
		runs = append(runs, v.run)
		due = due || v.run.Options.Budget() > 0 && !v.run.Paused
	}
	if !due {
		return
	}
	workers := make([][]ledger.Worker, len(runs))
	for i := range runs {
		var err error
		if workers[i], err = w.k.Board.Workers(ctx, runs[i].ID); err != nil {
			w.warn(ctx, "read workers for a budget", runs[i].ID, err) // it is tried again in the next round
			return
		}
	}
	for i, cost := range w.k.Cost(runs, workers) {
		if _, spent := runs[i].Exhaust(cost); !spent {
			continue
		}
		if err := w.exhaust(ctx, runs[i].ID, cost); err != nil {
			w.warn(ctx, "pause a run for its budget", runs[i].ID, err)
		}
	}
}

// exhaust pauses a run that has cost its budget, unless that was raised meanwhile.
func (w *watch) exhaust(ctx context.Context, run string, cost float64) error {
	r, err := w.k.Ledger.Run(ctx, run)
	if err != nil {
		return fmt.Errorf("read run: %w", err)
	}
	c, spent := r.Exhaust(cost)
	if !spent {
		return nil
	}
	if _, err := w.k.Ledger.Amend(ctx, run, c); err != nil {
		return err
	}
	w.k.Log.Warn("paused a run whose budget is spent", "run", run, "budget", r.Options.Budget(), "spent", cost)
	return nil
}
