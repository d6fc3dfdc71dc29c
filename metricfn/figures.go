package metricfn

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schema"
)

// RunFigures are those of one run.
type RunFigures struct {
	Run          string
	FractionDone float64 // 0 to 1; below 1 until it is over
	Failures     int64   // nodes given up; exact once it is over
	Cost         float64 // dollars, estimated; see Prices
	Over         bool
}

func (r *RunFigures) metrics() scaling.Metrics {
	return scaling.Metrics{
		{Name: MetricFractionDone, Value: r.FractionDone, Unit: "None"},
		{Name: MetricFailures, Value: float64(r.Failures), Unit: "Count"},
		{Name: MetricCost, Value: r.Cost, Unit: "None"},
	}
}

const (
	relist    = time.Minute - 5*time.Second // between two lists of all runs
	lag       = 5 * time.Second             // of a list behind what was written
	atATime   = 8                           // runs that are read
	published = 100                         // runs of which figures are published, the newest: each is three metrics
)

// worker is a task on a run.
type worker struct{ run, id string }

// figures make sums of what workers report that only ever grow: a run that is over
// takes its workers' counters away, and one that is redriven brings old ones back.
type figures struct {
	ledger Ledger
	prices Prices

	listed  time.Time             // all runs; what has begun since may not have been seen
	live    map[string]ledger.Run // at the last look
	ended   map[string]bool       // runs whose end was seen since the last list
	counted map[worker]ledger.Worker
	settled int64
	busy    time.Duration
	primed  bool
}

func newFigures(l Ledger, p Prices) figures {
	return figures{ledger: l, prices: p, counted: map[worker]ledger.Worker{}}
}

// look reads the live runs. It is all or nothing: sums over some of the runs would
// be wrong.
func (f *figures) look(ctx context.Context, now time.Time, q *scaling.Queue) (*scaling.Ledger, []RunFigures, error) {
	runs, list, err := f.runs(ctx, now, q)
	if err != nil {
		return nil, nil, err
	}
	workers, err := f.workers(ctx, runs)
	if err != nil {
		return nil, nil, err
	}
	f.count(runs, workers)
	sum := scaling.Ledger{Settled: f.settled, Busy: f.busy}
	var all []RunFigures
	costs := f.prices.Split(begun(runs, workers), workers)
	f.live = map[string]ledger.Run{}
	if list {
		f.listed, f.ended = now, map[string]bool{}
	}
	for i, r := range runs {
		one := figuresOf(r, workers[i])
		one.Cost = costs[i]
		if i < published {
			all = append(all, one)
		}
		switch {
		case r.State.Over():
			f.ended[r.ID] = true
			continue
		case r.Paused:
			sum.Paused = true
		default:
			sum.Unsettled = true
			sum.Expected += expected(workers[i])
		}
		f.live[r.ID] = r
	}
	sum.Paused = sum.Paused && !sum.Unsettled
	slices.SortFunc(all, byName)
	return &sum, all, nil
}

// runs are the live ones, and those that have ended since the last look, the newest
// first, and whether they were taken from a list of all. A list costs a read of every
// run that there ever was: it is made once a minute, where a run may be new, and before
// nothing is taken to be left, or all to be paused: else a fleet that was woken for a
// new run beside paused ones is sent back to sleep.
func (f *figures) runs(ctx context.Context, now time.Time, q *scaling.Queue) (some []ledger.Run, list bool, err error) {
	if q != nil && q.Outstanding() > 0 && len(f.live) > 0 && now.Sub(f.listed) < relist {
		some, err = f.again(ctx)
		if err != nil || slices.ContainsFunc(some, goesOn) {
			return some, false, err
		}
		some = nil
	}
	all, err := f.ledger.Runs(ctx)
	for _, r := range all {
		_, was := f.live[r.ID]
		unseen := f.since(r.Finished) && !f.ended[r.ID]
		if !r.State.Over() || was || unseen {
			some = append(some, r)
		}
	}
	return some, true, err
}

func goesOn(r ledger.Run) bool { return !r.State.Over() && !r.Paused }

// since is whether something may have been after the last list.
func (f *figures) since(at time.Time) bool { return !f.listed.IsZero() && at.After(f.listed.Add(-lag)) }

// again reads the runs that were live.
func (f *figures) again(ctx context.Context) ([]ledger.Run, error) {
	names := slices.Collect(maps.Keys(f.live))
	found := make([]*ledger.Run, len(names))
	err := each(len(names), func(i int) error {
		r, err := f.ledger.Run(ctx, names[i])
		if errors.Is(err, ledger.ErrNoRun) { // removed
			return nil
		}
		if err == nil {
			found[i] = &r
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var some []ledger.Run
	for _, r := range found {
		if r != nil {
			some = append(some, *r)
		}
	}
	slices.SortFunc(some, func(a, b ledger.Run) int { return b.Created.Compare(a.Created) })
	return some, nil
}

func (f *figures) workers(ctx context.Context, runs []ledger.Run) ([][]ledger.Worker, error) {
	all := make([][]ledger.Worker, len(runs))
	err := each(len(runs), func(i int) (err error) {
		all[i], err = f.ledger.Workers(ctx, runs[i].ID)
		return err
	})
	return all, err
}

// count adds what is new. Of a worker that is seen for the first time all is new,
// unless its run has been there for longer and was not looked at: then it is where
// counting begins.
func (f *figures) count(runs []ledger.Run, workers [][]ledger.Worker) {
	counted := map[worker]ledger.Worker{}
	for i, r := range runs {
		_, was := f.live[r.ID]
		// One that was never redriven and was not among the live ones of the last list has
		// begun since, whatever its seeder's clock says.
		began := r.Epoch == 0 && !f.ended[r.ID]
		fresh := f.listed.IsZero() || was || began || f.since(r.Created)
		for _, w := range workers[i] {
			key := worker{r.ID, w.ID}
			before, known := f.counted[key]
			if known || fresh {
				f.settled += max(w.Units-before.Units, 0)
				f.busy += max(w.Busy-before.Busy, 0)
			}
			counted[key] = w
		}
	}
	f.counted = counted
}

// begun are the runs, of which none has begun after its tasks must have: a seeder whose
// clock is ahead would take the first part of their time away. A task has worked on a
// run for as long at least as its slots were taken, all at once.
func begun(runs []ledger.Run, workers [][]ledger.Worker) []ledger.Run {
	runs = slices.Clone(runs)
	for i := range runs {
		for _, w := range workers[i] {
			if w.At.IsZero() {
				continue
			}
			at := w.At
			if w.Slots > 0 {
				at = at.Add(-max(w.Busy, 0) / time.Duration(w.Slots))
			}
			if at.Before(w.Started) {
				at = w.Started
			}
			if at.Before(runs[i].Created) {
				runs[i].Created = at
			}
		}
	}
	return runs
}

func figuresOf(r ledger.Run, workers []ledger.Worker) RunFigures {
	one := RunFigures{Run: r.ID, Over: r.State.Over()}
	for _, w := range workers {
		one.Failures += w.Done.Failures
	}
	one.FractionDone = min(share(workers), math.Nextafter(1, 0)) // workers may have counted twice
	switch r.State {
	case ledger.Finished, ledger.Failed:
		one.FractionDone, one.Failures = 1, r.Totals.Failures
	}
	one.Failures = max(one.Failures, 0) // a redrive that heals takes away
	return one
}

func share(workers []ledger.Worker) float64 {
	var s float64
	for _, w := range workers {
		s += w.Share.Fraction()
	}
	return s
}

func expected(workers []ledger.Worker) int64 {
	var leaves int64
	for _, w := range workers {
		leaves = schema.Sum(leaves, w.Leaves)
	}
	return scaling.Expect(leaves, share(workers))
}

// each does something for each number below n, some at a time, and returns the first error.
func each(n int, do func(int) error) error {
	var all sync.WaitGroup
	errs := make([]error, n)
	turn := make(chan struct{}, atATime)
	for i := range n {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			errs[i] = do(i)
		})
	}
	all.Wait()
	return cmp.Or(errs...)
}
