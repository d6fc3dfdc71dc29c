// Package hostile is a ledger in memory that is as unkind as the contract of
// package ledger allows: what the engine does right on it, it does right on any
// ledger. Without faults it is the contract's reference: rules.go is how each
// record changes, one at a time, in the words of the protocol.
//
// Chance comes from a seed: the same calls in the same order meet the same
// faults. Time is that of package time and nothing runs between calls, so it
// works in a bubble of testing/synctest; with Faults.Latency, calls there act
// at different moments of the fake clock, in an order that the seed decides.
package hostile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// ErrFault is the error of every fault: the medium's, as a caller sees it.
var ErrFault = errors.New("injected fault of the ledger")

// Ledger is the hostile ledger, its board, its leases, its visits and its ticks.
type Ledger struct {
	closing chan struct{}
	active  sync.WaitGroup // calls in progress

	mu       sync.Mutex
	closed   bool
	dice     *rand.Rand
	faults   Faults
	calls    Calls
	runs     map[string]ledger.Run
	plans    map[schema.PID]ledger.Plan
	tallies  map[ledger.Key]ledger.Tally // of every claim and settlement
	workers  map[[2]string]ledger.Worker // by run and worker
	sketches map[[2]string]ledger.Sketch
	leases   map[string]ledger.Lease     // by name, without From
	visits   map[schema.PID]ledger.Visit // by vertex
	ticks    map[string]time.Time        // by schedule
}

var (
	_ ledger.Ledger = (*Ledger)(nil)
	_ ledger.Board  = (*Ledger)(nil)
	_ ledger.Leaser = (*Ledger)(nil)
	_ ledger.Visits = (*Ledger)(nil)
)

// New makes an empty ledger.
func New(seed uint64, f Faults) *Ledger {
	return &Ledger{
		closing: make(chan struct{}),
		dice:    rand.New(rand.NewPCG(seed, 0x6c6564676572)),
		faults:  f,
		runs:    map[string]ledger.Run{},
		plans:   map[schema.PID]ledger.Plan{},
		tallies: map[ledger.Key]ledger.Tally{},
		workers: map[[2]string]ledger.Worker{}, sketches: map[[2]string]ledger.Sketch{},
		leases: map[string]ledger.Lease{},
		visits: map[schema.PID]ledger.Visit{},
		ticks:  map[string]time.Time{},
	}
}

// Set changes the faults from now on.
func (l *Ledger) Set(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

// Calls is the record of all calls so far.
func (l *Ledger) Calls() Calls {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// Create puts a run if its name is free.
func (l *Ledger) Create(ctx context.Context, run ledger.Run) error {
	return l.write(ctx, &l.calls.Create, func() error {
		if _, ok := l.runs[run.ID]; ok {
			return fmt.Errorf("create run %s: %w", run.ID, ledger.ErrExists)
		}
		l.runs[run.ID] = copyRun(run)
		return nil
	})
}

// Run is the run's record.
func (l *Ledger) Run(ctx context.Context, run string) (r ledger.Run, err error) {
	err = l.read(ctx, &l.calls.Run, func() error {
		if _, ok := l.runs[run]; !ok {
			return fmt.Errorf("read run %s: %w", run, ledger.ErrNoRun)
		}
		r = copyRun(l.runs[run])
		return nil
	})
	return r, err
}

// Amend changes a run's state.
func (l *Ledger) Amend(ctx context.Context, run string, c ledger.Change) (ledger.Run, error) {
	var now ledger.Run
	err := l.write(ctx, &l.calls.Amend, func() error {
		old, ok := l.runs[run]
		if !ok {
			return fmt.Errorf("amend run %s: %w", run, ledger.ErrNoRun)
		}
		changed, err := amend(old, c)
		l.runs[run] = changed
		now = copyRun(changed)
		return err
	})
	if err != nil && !errors.Is(err, ledger.ErrConflict) {
		return ledger.Run{}, err
	}
	return now, err
}

// Plan puts a plan if the node has none.
func (l *Ledger) Plan(ctx context.Context, p ledger.Plan) (stored ledger.Plan, won bool, err error) {
	p.At = p.At.UTC().Truncate(time.Millisecond)
	err = l.write(ctx, &l.calls.Plan, func() error {
		var old *ledger.Plan
		if there, ok := l.plans[p.PID]; ok {
			old = &there
		}
		if !plans(old, p) {
			stored, won = copyPlan(*old), sameTry(*old, p)
			return nil
		}
		l.plans[p.PID] = copyPlan(p)
		stored, won = copyPlan(p), true
		return nil
	})
	if err != nil {
		return ledger.Plan{}, false, err
	}
	return stored, won, nil
}

// Claim marks that a plan exists for the child in the slot.
func (l *Ledger) Claim(ctx context.Context, run string, at schema.Place, epoch int) (ledger.Tally, ledger.Outcome, error) {
	return l.slot(ctx, &l.calls.Claim, run, at, epoch, func(r *ledger.Run, t *ledger.Tally) ledger.Outcome {
		if r != nil {
			return claimRoot(r, epoch)
		}
		return claim(t, at.Slot)
	})
}

// Settle adds a slot and its account.
func (l *Ledger) Settle(ctx context.Context, s ledger.Settlement) (ledger.Tally, ledger.Outcome, error) {
	once := func(r *ledger.Run, t *ledger.Tally) ledger.Outcome {
		if r != nil {
			return settleRoot(r, s)
		}
		return settle(t, s)
	}
	return l.slot(ctx, &l.calls.Settle, s.Run, s.At, s.Epoch, func(r *ledger.Run, t *ledger.Tally) ledger.Outcome {
		outcome := once(r, t)
		if l.chance(l.faults.Again) {
			return once(r, t)
		}
		return outcome
	})
}

// slot writes the record of a slot: the run's at the root, elsewhere a tally.
func (l *Ledger) slot(
	ctx context.Context, count *Count, run string, at schema.Place, epoch int,
	change func(*ledger.Run, *ledger.Tally) ledger.Outcome,
) (now ledger.Tally, outcome ledger.Outcome, err error) {
	if at.Slot < 0 || at.Slot >= schema.MaxSlots {
		return now, 0, fmt.Errorf("write slot of run %s: slot %d, want 0 to %d", run, at.Slot, schema.MaxSlots-1)
	}
	err = l.write(ctx, count, func() error {
		if at.IsRoot() {
			r, ok := l.runs[run]
			if !ok {
				return fmt.Errorf("write root slot of run %s: %w", run, ledger.ErrNoRun)
			}
			outcome = change(&r, nil)
			l.runs[run] = r
			return nil
		}
		key := ledger.Key{PID: at.Parent, Tally: true, Epoch: epoch}
		t, ok := l.tallies[key]
		if !ok {
			t = ledger.Tally{PID: at.Parent, Epoch: epoch}
		}
		outcome = change(nil, &t)
		l.tallies[key] = t
		now = copyTally(t)
		return nil
	})
	if err != nil {
		return ledger.Tally{}, 0, err
	}
	return now, outcome, nil
}

// Read reads records.
func (l *Ledger) Read(ctx context.Context, keys []ledger.Key) (records []ledger.Record, err error) {
	err = l.read(ctx, &l.calls.Read, func() error {
		records = make([]ledger.Record, len(keys))
		for i, k := range keys {
			if t, ok := l.tallies[k]; ok && k.Tally {
				t = copyTally(t)
				records[i].Tally = &t
			}
			if p, ok := l.plans[k.PID]; ok && !k.Tally {
				p = copyPlan(p)
				records[i].Plan = &p
			}
		}
		return nil
	})
	return records, err
}

// Report overwrites the counters of one worker.
func (l *Ledger) Report(ctx context.Context, w ledger.Worker) error {
	return l.write(ctx, &l.calls.Report, func() error {
		l.workers[[2]string{w.Run, w.ID}] = copyWorker(w)
		return nil
	})
}

// Workers are all that ever reported on a run, by name.
func (l *Ledger) Workers(ctx context.Context, run string) (workers []ledger.Worker, err error) {
	err = l.read(ctx, &l.calls.Workers, func() error {
		for _, w := range l.workers {
			if w.Run == run {
				workers = append(workers, copyWorker(w))
			}
		}
		slices.SortFunc(workers, func(a, b ledger.Worker) int { return strings.Compare(a.ID, b.ID) })
		return nil
	})
	return workers, err
}

// Draw overwrites the sketch of one worker.
func (l *Ledger) Draw(ctx context.Context, s ledger.Sketch) error {
	return l.write(ctx, &l.calls.Draw, func() error {
		l.sketches[[2]string{s.Run, s.ID}] = copySketch(s)
		return nil
	})
}

// Sketches are those of a run, by the names of their workers.
func (l *Ledger) Sketches(ctx context.Context, run string) (all []ledger.Sketch, err error) {
	err = l.read(ctx, &l.calls.Sketches, func() error {
		for _, s := range l.sketches {
			if s.Run == run {
				all = append(all, copySketch(s))
			}
		}
		slices.SortFunc(all, func(a, b ledger.Sketch) int { return strings.Compare(a.ID, b.ID) })
		return nil
	})
	return all, err
}

func copySketch(s ledger.Sketch) ledger.Sketch {
	s.Doing, s.Slowest, s.History = slices.Clone(s.Doing), slices.Clone(s.Slowest), slices.Clone(s.History)
	return s
}

// Runs are all runs, newest first; those of one moment by name.
func (l *Ledger) Runs(ctx context.Context) (runs []ledger.Run, err error) {
	err = l.read(ctx, &l.calls.Runs, func() error {
		for _, r := range l.runs {
			runs = append(runs, copyRun(r))
		}
		slices.SortFunc(runs, func(a, b ledger.Run) int {
			if c := b.Created.Compare(a.Created); c != 0 {
				return c
			}
			return strings.Compare(a.ID, b.ID)
		})
		return nil
	})
	return runs, err
}

// Close ends all calls in progress with ErrClosed and waits for them. The
// records are gone with the ledger.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ledger.ErrClosed
	}
	l.closed = true
	close(l.closing)
	l.mu.Unlock()
	l.active.Wait()
	return nil
}
