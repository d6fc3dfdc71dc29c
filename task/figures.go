package task

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// figures are this process's cumulative counters, one set a run, reported to the
// board every few seconds.
type figures struct {
	id      string
	started time.Time
	slots   *slots

	turn chan struct{} // of who reports: an older report must not follow a newer one

	mu      sync.Mutex
	runs    map[string]*ledger.Worker
	open    map[string]open // units under way, by run
	changed map[string]bool // since the last report
	pruned  int             // how often runs were forgotten

	sketching Sketching
	drawings  map[string]*drawing // by run
}

// open is units of a run that are under way.
type open struct {
	units int
	began time.Duration // the sum of when they did, since figures.started
}

func newFigures(id string, s *slots, k Sketching) *figures {
	return &figures{
		sketching: k, drawings: map[string]*drawing{}, id: id, started: time.Now(), slots: s, turn: make(chan struct{}, 1),
		runs: map[string]*ledger.Worker{}, open: map[string]open{}, changed: map[string]bool{},
	}
}

// begin counts a unit as under way: what it has taken so far is reported, too.
// Where messages take minutes, nobody would know it for as long.
func (f *figures) begin(run string, at time.Time, s *seen, node, kind string) {
	f.change(run, func(*ledger.Worker) { // people see who works before anything has settled
		f.shift(run, 1, at)
		if f.sketching.Doing > 0 {
			f.drawingOf(run).doing[s] = ledger.Doing{Node: node, Kind: kind, Since: at.UTC()}
		}
	})
}

// end counts what a unit has come to; began is zero where it was not under way.
func (f *figures) end(run string, began time.Time, s *seen, over bool) {
	f.change(run, func(w *ledger.Worker) {
		if !began.IsZero() {
			f.shift(run, -1, began)
		}
		w.Busy += s.busy
		if f.sketching.Every > 0 {
			d := f.drawingOf(run)
			delete(d.doing, s)
			d.fresh = true
			for _, one := range s.slowest {
				one.Node = f.cut(one.Node)
				d.slowest = insertSlow(d.slowest, f.sketching.Slowest, one)
			}
		}
		if over {
			w.Units++
			if s.own.Nodes > 0 && !s.kids {
				w.Leaves++
			}
		}
	})
}

// shift is for functions that change calls.
func (f *figures) shift(run string, units int, at time.Time) {
	o := f.open[run]
	o.units += units
	o.began += time.Duration(units) * at.Sub(f.started)
	if f.open[run] = o; o.units == 0 {
		delete(f.open, run)
	}
}

func (f *figures) change(run string, fn func(*ledger.Worker)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.runs[run]
	if w == nil {
		if len(f.runs) >= maxRuns {
			f.prune()
		}
		w = &ledger.Worker{Run: run, ID: f.id, Started: f.started, Requests: map[string]int64{}}
		if f.pruned > 0 {
			// It may have been here before: what was reported then must stay.
			w.ID, w.Started = fmt.Sprintf("%s-%d", f.id, f.pruned), time.Now()
		}
		f.runs[run] = w
	}
	fn(w)
	f.changed[run] = true
}

// prune forgets the runs of which the board knows all. What this process does for
// one of them later it does as another worker.
func (f *figures) prune() {
	for run := range f.runs {
		if d := f.drawings[run]; !f.changed[run] && f.open[run].units == 0 && (d == nil || !d.fresh) {
			delete(f.runs, run)
			delete(f.drawings, run)
		}
	}
	f.pruned++
}

// settled counts what was committed. In a redrive the shares had settled before.
func (f *figures) settled(run string, own schema.Account, share schema.Share, epoch int) {
	f.change(run, func(w *ledger.Worker) {
		w.Done = w.Done.Add(own)
		if epoch == 0 {
			// More than the whole is nobody's: a ledger may not give it back.
			w.Share = min(w.Share+share, schema.Whole)
		}
	})
}

// snapshot is the counters of all runs this task worked on.
func (f *figures) snapshot() []ledger.Worker {
	taken, capacity := f.slots.use()
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]ledger.Worker, 0, len(f.runs))
	for _, w := range f.runs {
		out = append(out, f.copyOf(w, taken, capacity))
	}
	return out
}

// news is the counters of the runs that were worked on since the last call, or
// still are, and by their presence in the second result which have changed.
func (f *figures) news() ([]ledger.Worker, map[string]bool) {
	taken, capacity := f.slots.use()
	f.mu.Lock()
	defer f.mu.Unlock()
	changed := f.changed
	f.changed = map[string]bool{}
	var out []ledger.Worker
	for run, w := range f.runs {
		if changed[run] || f.open[run].units > 0 {
			now := f.copyOf(w, taken, capacity)
			out = append(out, now)
			if f.sketching.Moments > 0 {
				f.drawingOf(run).take(&now, f.sketching.Moments)
			}
		}
	}
	return out, changed
}

func (f *figures) copyOf(w *ledger.Worker, taken, capacity int) ledger.Worker {
	c := *w
	c.Requests = maps.Clone(w.Requests)
	c.InFlight, c.Slots, c.At = taken, capacity, time.Now()
	if o := f.open[w.Run]; o.units > 0 {
		c.Busy += time.Duration(o.units)*c.At.Sub(f.started) - o.began
	}
	return c
}

// report writes the counters that have changed to the board, and the sketches that are
// due, or all. What a board does not take is news again.
func (f *figures) report(ctx context.Context, b ledger.Board, all bool) error {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	news, changed := f.news()
	if b == nil {
		return nil
	}
	for i, w := range news {
		if err := b.Report(ctx, w); err != nil {
			f.mu.Lock()
			for _, w := range news[i:] {
				if f.runs[w.Run] == nil { // forgotten meanwhile
					f.runs[w.Run] = &w
				}
				if changed[w.Run] {
					f.changed[w.Run] = true
				}
			}
			f.mu.Unlock()
			return err
		}
	}
	for _, s := range f.sketches(time.Now(), all) {
		if err := b.Draw(ctx, s); err != nil {
			f.stale(s.Run)
			return err
		}
	}
	return nil
}
