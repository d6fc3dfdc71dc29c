package task

import (
	"context"
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

	mu      sync.Mutex
	runs    map[string]*ledger.Worker
	changed map[string]bool // since the last report
}

func newFigures(id string, s *slots) *figures {
	return &figures{id: id, started: time.Now(), slots: s, runs: map[string]*ledger.Worker{}, changed: map[string]bool{}}
}

func (f *figures) change(run string, fn func(*ledger.Worker)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.runs[run]
	if w == nil {
		w = &ledger.Worker{Run: run, ID: f.id, Started: f.started, Requests: map[string]int64{}}
		f.runs[run] = w
	}
	fn(w)
	f.changed[run] = true
}

// settled counts what was committed. In a redrive the shares had settled before.
func (f *figures) settled(run string, own schema.Account, share schema.Share, epoch int) {
	f.change(run, func(w *ledger.Worker) {
		w.Done = w.Done.Add(own)
		if epoch == 0 {
			w.Share += share
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
		c := *w
		c.Requests = maps.Clone(w.Requests)
		c.InFlight, c.Slots, c.At = taken, capacity, time.Now()
		out = append(out, c)
	}
	return out
}

// report writes the counters that have changed to the board; it is called every
// cfg.Report and at the end.
func (f *figures) report(ctx context.Context, b ledger.Board) error {
	if b == nil {
		return nil
	}
	for _, w := range f.snapshot() {
		f.mu.Lock()
		changed := f.changed[w.Run]
		delete(f.changed, w.Run)
		f.mu.Unlock()
		if !changed && w.InFlight == 0 {
			continue
		}
		if err := b.Report(ctx, w); err != nil {
			f.mu.Lock()
			f.changed[w.Run] = true
			f.mu.Unlock()
			return err
		}
	}
	return nil
}
