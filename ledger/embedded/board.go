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
func (l *Ledger) Workers(ctx context.Context, run string) (all []ledger.Worker, err error) {
	err = l.view(ctx, func(tx *store.Tx) error {
		for row, err := range tx.Query(selectWorkers, run) {
			if err != nil {
				return err
			}
			var body string
			var w ledger.Worker
			if err := row.Scan(&body); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(body), &w); err != nil {
				return fmt.Errorf("unpack figures: %w", err)
			}
			all = append(all, w)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read workers of run %s: %w", run, err)
	}
	return all, nil
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
