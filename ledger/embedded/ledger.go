// Package embedded is a ledger in the file of a run, for one process that works
// the run on one machine, while others look at it, pause it or cancel it.
//
// Every method is one record and one durable write, as the contract says; that
// the writes of many callers share a transaction makes them cheap, and nothing
// relies on it. The rules are those of docs/state-machine.md.
package embedded

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/internal/gate"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
)

// Ledger is the ledger and the board of a store. It implements ledger.Ledger,
// ledger.Board, ledger.Leaser, ledger.Visits and ledger.Ticks.
type Ledger struct {
	store   *store.Store
	tallies tallies // only the store's writer uses it
	figures figures

	calls *gate.Gate
}

var (
	_ ledger.Ledger = (*Ledger)(nil)
	_ ledger.Board  = (*Ledger)(nil)
	_ ledger.Leaser = (*Ledger)(nil)
	_ ledger.Visits = (*Ledger)(nil)
)

// Plans and tallies have a row number of their own and are found by an index on
// their random key: so rows that are written together lie together, and a
// transaction touches few pages but those of the index.
const createTables = `
	CREATE TABLE IF NOT EXISTS run (
		id      TEXT PRIMARY KEY,
		created INTEGER NOT NULL, -- microseconds since 1970
		body    TEXT NOT NULL,    -- ledger.Run as JSON, without its root
		root    BLOB NOT NULL     -- packed as a plan's children
	);
	CREATE TABLE IF NOT EXISTS plan (
		id    INTEGER PRIMARY KEY,
		pid   BLOB NOT NULL UNIQUE,
		type  TEXT NOT NULL,
		epoch INTEGER NOT NULL,
		body  TEXT NOT NULL, -- what else there is of ledger.Plan, as JSON
		kids  BLOB           -- packed
	);
	CREATE TABLE IF NOT EXISTS tally (
		id    INTEGER PRIMARY KEY,
		pid   BLOB NOT NULL,
		epoch INTEGER NOT NULL,
		body  BLOB NOT NULL, -- see pack.go
		UNIQUE (pid, epoch)
	);
	CREATE TABLE IF NOT EXISTS sketch (
		run  TEXT NOT NULL,
		id   TEXT NOT NULL,
		body TEXT NOT NULL, -- ledger.Sketch as JSON
		PRIMARY KEY (run, id)
	);
	CREATE TABLE IF NOT EXISTS worker (
		run  TEXT NOT NULL,
		id   TEXT NOT NULL,
		body TEXT NOT NULL, -- ledger.Worker as JSON
		PRIMARY KEY (run, id)
	);
	CREATE TABLE IF NOT EXISTS lease (
		name  TEXT PRIMARY KEY,
		owner TEXT NOT NULL,
		until INTEGER NOT NULL -- microseconds since 1970
	);
	CREATE TABLE IF NOT EXISTS visit (
		id     INTEGER PRIMARY KEY,
		vertex BLOB NOT NULL UNIQUE,
		claims BLOB NOT NULL -- packed
	);
	CREATE TABLE IF NOT EXISTS tick (
		schedule TEXT PRIMARY KEY,
		at       INTEGER NOT NULL -- microseconds since 1970
	)`

// Open opens the ledger of a store and makes its tables in a new one. In a store
// that this process does not own, all methods work, if slowly.
func Open(ctx context.Context, s *store.Store) (*Ledger, error) {
	err := s.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(createTables)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return &Ledger{store: s, calls: gate.New(ledger.ErrClosed)}, nil
}

// Close waits for calls in progress and leaves the store open.
func (l *Ledger) Close() error {
	l.calls.Close()
	return nil
}

// update and view are those of the store, as calls of the ledger.

func (l *Ledger) update(ctx context.Context, fn func(*store.Tx) error) error {
	if err := l.calls.Enter(ctx); err != nil {
		return err
	}
	defer l.calls.Leave()
	return l.store.Update(ctx, fn)
}

func (l *Ledger) view(ctx context.Context, fn func(*store.Tx) error) error {
	if err := l.calls.Enter(ctx); err != nil {
		return err
	}
	defer l.calls.Leave()
	return l.store.View(ctx, fn)
}
