package sweep

import (
	"context"
	"errors"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// What a round costs at most.
const (
	runsRound = 100                // live runs read in one round
	recent    = 7 * 24 * time.Hour // results are made of runs that ended within
	longest   = 4 * time.Hour      // between two sweeps of a run that bring nothing
)

// watch looks after the runs: those that go on and make no progress are swept,
// those that are over get their results. All times are of this keeper's clock.
//
// A list of all runs reads each of them, and there may be ten thousand, so it is
// made a few times within NoProgress; between two lists only runs that are known
// to go on are read. A run's end is seen in the next round, and mostly was told by
// Kick before.
type watch struct {
	k      *Keeper
	listed time.Time
	live   map[string]*vigil
	order  []string // of live: who was read longest ago comes first
}

// vigil is what is known of the progress of a run that goes on.
type vigil struct {
	run    ledger.Run // as last read
	seen   progress
	since  time.Time // seen has not changed, or the run was swept
	looked time.Time
	wait   time.Duration // from since to the next sweep
}

// progress is what changes while a run goes on.
type progress struct {
	epoch   int
	paused  bool
	done    schema.Account
	share   schema.Share
	retries int64
}

func (w *watch) begin() { w.listed, w.live, w.order = time.Time{}, map[string]*vigil{}, nil }

func (w *watch) round(ctx context.Context) {
	if time.Since(w.listed) >= w.k.NoProgress/4 {
		if err := w.list(ctx); err != nil {
			w.warn(ctx, "list runs", "", err)
		}
	}
	n := min(len(w.order), runsRound)
	now := w.order[:n]
	w.order = append([]string(nil), w.order[n:]...)
	for _, run := range now {
		goes, err := w.look(ctx, run)
		if err != nil {
			w.warn(ctx, "look after run", run, err)
		}
		if goes || err != nil {
			w.order = append(w.order, run)
		} else {
			delete(w.live, run)
		}
	}
	w.budgets(ctx)
}

func (w *watch) warn(ctx context.Context, what, run string, err error) {
	if ctx.Err() == nil {
		w.k.Log.Warn(what, "run", run, "error", err) //nolint:sloglint // one of two
	}
}

// list finds the runs that go on, and those that ended of late without results.
func (w *watch) list(ctx context.Context) error {
	runs, err := w.k.Board.Runs(ctx)
	if err != nil {
		return err
	}
	w.listed = time.Now()
	known := make(map[string]bool, len(runs))
	for _, r := range runs {
		known[r.ID] = true
		switch {
		case !r.State.Over() && w.live[r.ID] == nil:
			w.live[r.ID] = &vigil{since: time.Now(), wait: w.k.NoProgress}
			w.order = append(w.order, r.ID)
		case finishes(r) && time.Since(r.Finished) < recent && !w.k.finisher.has(r):
			w.k.finisher.add(r.ID, false)
		}
	}
	w.k.finisher.forget(func(run string) bool { return known[run] })
	return nil
}

// look reads a run and sweeps it where nothing has changed for long. It reports
// whether the run goes on.
func (w *watch) look(ctx context.Context, run string) (goes bool, err error) {
	r, err := w.k.Ledger.Run(ctx, run)
	switch {
	case errors.Is(err, ledger.ErrNoRun):
		return false, nil
	case err != nil:
		return true, err
	case r.State.Over():
		if finishes(r) {
			w.k.finisher.add(run, true)
		}
		return false, nil
	}
	v := w.live[run]
	v.run = r
	now := time.Now()
	if now.Sub(v.looked) < w.k.NoProgress/10 {
		return true, nil
	}
	workers, err := w.k.Board.Workers(ctx, run)
	if err != nil {
		return true, err
	}
	v.looked = now
	seen := progress{epoch: r.Epoch, paused: r.Paused}
	for i := range workers {
		seen.done = seen.done.Add(workers[i].Done)
		seen.share += workers[i].Share
		seen.retries += workers[i].Retries
	}
	if seen != v.seen || r.Paused {
		v.seen, v.since, v.wait = seen, now, w.k.NoProgress
		return true, nil
	}
	if now.Sub(v.since) < v.wait {
		return true, nil
	}
	posted, err := Run(ctx, w.k.Ledger, w.k.Poster, run)
	if err != nil {
		return true, err // it is tried again at the next look
	}
	if posted > 0 {
		w.k.Log.Warn("swept a run without progress", "run", run, "since", v.since, "posted", posted)
	}
	// One unit may take hours, and what is posted beside it is in vain.
	v.since, v.wait = time.Now(), min(2*v.wait, max(longest, w.k.NoProgress))
	return true, nil
}
