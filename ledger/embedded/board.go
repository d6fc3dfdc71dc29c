package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
)

const (
	putWorker = `INSERT INTO worker (run, id, body) VALUES (?, ?, ?)
		ON CONFLICT (run, id) DO UPDATE SET body = excluded.body`
	selectWorkers = `SELECT body FROM worker WHERE run = ? ORDER BY id`

	putSketch = `INSERT INTO sketch (run, id, body) VALUES (?, ?, ?)
		ON CONFLICT (run, id) DO UPDATE SET body = excluded.body`
	selectSketches = `SELECT body FROM sketch WHERE run = ? ORDER BY id`
)

// Report overwrites the figures of a worker.
func (l *Ledger) Report(ctx context.Context, w ledger.Worker) error {
	body, err := json.Marshal(w)
	if err == nil {
		err = l.update(ctx, func(tx *store.Tx) error {
			l.figures.note(tx) // w may be older than what a commit wrote meanwhile
			_, err := tx.Exec(putWorker, w.Run, w.ID, string(body))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("report figures of worker %s: %w", w.ID, err)
	}
	return nil
}

// figures are those of this process's own worker, written with what it commits.
type figures struct {
	source atomic.Pointer[func() []ledger.Worker]
	tx     *store.Tx // the transaction at whose end they are written; the writer's alone
}

// Follow writes the figures of a worker, whose source may be called at any time,
// also with every transaction of plans and tallies. So what the board knows is
// never behind what is committed, however the process ends; it costs one small
// row a commit, and no commit of its own. The ledger's contract asks for no such
// thing: elsewhere a crash loses what was counted since the last report.
func (l *Ledger) Follow(source func() []ledger.Worker) { l.figures.source.Store(&source) }

// note has the figures written at the end of a transaction.
func (f *figures) note(tx *store.Tx) {
	source := f.source.Load()
	if source == nil || f.tx == tx {
		return
	}
	f.tx = tx
	tx.BeforeCommit(func(tx *store.Tx) error {
		for _, w := range (*source)() {
			body, err := json.Marshal(w)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(putWorker, w.Run, w.ID, string(body)); err != nil {
				return err
			}
		}
		return nil
	})
	tx.AfterCommit(func(error) { f.tx = nil })
}

// Workers are all that reported on a run, by their ids.
func (l *Ledger) Workers(ctx context.Context, run string) ([]ledger.Worker, error) {
	all, err := bodies[ledger.Worker](ctx, l, selectWorkers, run)
	if err != nil {
		return nil, fmt.Errorf("read workers of run %s: %w", run, err)
	}
	return all, nil
}

// Draw overwrites the sketch of a worker.
func (l *Ledger) Draw(ctx context.Context, s ledger.Sketch) error {
	body, err := json.Marshal(s)
	if err == nil {
		err = l.update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(putSketch, s.Run, s.ID, string(body))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("draw sketch of worker %s: %w", s.ID, err)
	}
	return nil
}

// Sketches are those of a run, by the ids of their workers.
func (l *Ledger) Sketches(ctx context.Context, run string) ([]ledger.Sketch, error) {
	all, err := bodies[ledger.Sketch](ctx, l, selectSketches, run)
	if err != nil {
		return nil, fmt.Errorf("read sketches of run %s: %w", run, err)
	}
	return all, nil
}

// bodies are the rows of a query that has one column, JSON.
func bodies[T any](ctx context.Context, l *Ledger, query, run string) (all []T, err error) {
	err = l.view(ctx, func(tx *store.Tx) error {
		for row, err := range tx.Query(query, run) {
			if err != nil {
				return err
			}
			var body string
			var one T
			if err := row.Scan(&body); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(body), &one); err != nil {
				return fmt.Errorf("unpack figures: %w", err)
			}
			all = append(all, one)
		}
		return nil
	})
	return all, err
}

// Runs are all runs of the file, newest first.
func (l *Ledger) Runs(ctx context.Context) (all []ledger.Run, err error) {
	err = l.view(ctx, func(tx *store.Tx) error {
		for row, err := range tx.Query(allRuns) {
			if err != nil {
				return err
			}
			r, err := scanRun(row)
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	return all, nil
}
