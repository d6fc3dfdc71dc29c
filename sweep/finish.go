package sweep

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
)

// finishers is how many runs a keeper finishes at a time: a big run does not keep
// a small one waiting.
const finishers = 2

// longestPause is the longest time between two attempts to make a run's results.
const longestPause = time.Hour

// finisher makes the results of runs that are over. It needs no lease of the
// keeper: each run has one of its own.
type finisher struct {
	k *Keeper

	mu   sync.Mutex
	runs map[string]*ending
	due  []string // each once
	wake chan struct{}

	draining chan struct{} // closed: what is due is the last
	once     sync.Once
}

// ending is what is known of the results of a run.
type ending struct {
	waits    bool // it is among those due, or its results are being made
	again    bool // it was named meanwhile: it may be over once more, in another epoch
	made     int  // epoch+1 whose results were made; 0: none
	failures int
	next     time.Time // not before then, after a failure
}

func newFinisher(k *Keeper) *finisher {
	return &finisher{k: k, runs: map[string]*ending{}, wake: make(chan struct{}, finishers), draining: make(chan struct{})}
}

// add has the results of a run made, first of all or after the others, unless that
// has failed a moment ago.
func (f *finisher) add(run string, first bool) {
	if f.k.Finish == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.runs[run]
	if e == nil {
		e = &ending{}
		f.runs[run] = e
	}
	switch {
	case e.waits:
		e.again = true
		return
	case time.Now().Before(e.next):
		return
	}
	f.enqueue(run, e, first)
}

// enqueue puts a run among those due; f.mu is held.
func (f *finisher) enqueue(run string, e *ending, first bool) {
	e.waits, e.again = true, false
	if first {
		f.due = slices.Insert(f.due, 0, run)
	} else {
		f.due = append(f.due, run)
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// forget drops what is known of runs that keep does not name.
func (f *finisher) forget(keep func(run string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for run, e := range f.runs {
		if !e.waits && !keep(run) {
			delete(f.runs, run)
		}
	}
}

func (f *finisher) take() (run string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.due) == 0 {
		return "", false
	}
	run = f.due[0]
	f.due = slices.Delete(f.due, 0, 1)
	return run, true
}

// run makes results until ctx ends.
func (f *finisher) run(ctx context.Context) {
	for {
		for ctx.Err() == nil {
			run, ok := f.take()
			if !ok {
				break
			}
			epoch, err := f.finish(ctx, run)
			f.note(run, epoch, err)
			if err != nil && ctx.Err() == nil {
				f.k.Log.Warn("results not made; they will be tried again", "run", run, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-f.draining:
			if f.none() {
				return
			}
		case <-f.wake:
		}
	}
}

// drain has those who make results end when nothing is due.
func (f *finisher) drain() { f.once.Do(func() { close(f.draining) }) }

func (f *finisher) none() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.due) == 0
}

// note keeps how an attempt ended; made is epoch+1, or 0 where none was made.
func (f *finisher) note(run string, made int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.runs[run]
	e.waits = false
	e.made = max(e.made, made)
	if err == nil {
		e.failures, e.next = 0, time.Time{}
		if e.again {
			f.enqueue(run, e, true)
		}
		return
	}
	e.next = time.Now().Add(min(f.k.Every<<min(e.failures, 20), longestPause))
	e.failures++
}

// finish makes the results of a run if it is over, and returns for which epoch,
// plus 1. Only the holder of the run's own lease does.
func (f *finisher) finish(ctx context.Context, run string) (made int, err error) {
	k := f.k
	r, err := k.Ledger.Run(ctx, run)
	switch {
	case errors.Is(err, ledger.ErrNoRun):
		return 0, nil
	case err != nil:
		return 0, err
	case !finishes(r):
		return 0, nil
	}
	if f.has(r) {
		return r.Epoch + 1, nil
	}
	lease := "finish:" + run
	mine, _, err := k.take(ctx, lease)
	if err != nil || !mine {
		return 0, err // another makes them; if it dies, a round finds the run again
	}
	defer k.release(context.WithoutCancel(ctx), lease)
	ctx, cancel := context.WithCancelCause(ctx)
	var renewal sync.WaitGroup
	renewal.Go(func() { f.renew(ctx, lease, cancel) })
	began := time.Now()
	err = k.Finish(ctx, r)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	cancel(nil)
	renewal.Wait()
	if err != nil {
		return 0, err
	}
	k.Log.Info("results made", "run", run, "epoch", r.Epoch, "took", time.Since(began).Round(time.Millisecond).String())
	return r.Epoch + 1, nil
}

// has reports whether this keeper has made the results of a run.
func (f *finisher) has(r ledger.Run) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.runs[r.ID]
	return e != nil && e.made > r.Epoch
}

// renew keeps a run's lease while its results are made, and ends that when it is
// lost.
func (f *finisher) renew(ctx context.Context, lease string, lost context.CancelCauseFunc) {
	tick := time.NewTicker(f.k.Every)
	defer tick.Stop()
	until := time.Now().Add(f.k.lasts())
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		mine, end, err := f.k.take(ctx, lease)
		switch {
		case err == nil && mine:
			until = end
		case err == nil, time.Now().After(until):
			lost(ErrLeaseLost)
			return
		}
	}
}

// finishes reports whether results are to be made of a run as it is.
func finishes(r ledger.Run) bool {
	return r.Options.Out != "" && (r.State == ledger.Finished || r.State == ledger.Failed)
}
