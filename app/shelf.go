package app

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/totals"
)

// The totals per prefix of a run that is over are kept with it as the pages of a
// book. They are made beside those that are there, and replace them at once.
var makeBooks = []string{
	`CREATE TABLE IF NOT EXISTS prefix_book (
		one      INTEGER PRIMARY KEY CHECK (one = 1),
		edition  INTEGER NOT NULL, -- of its pages
		epoch    INTEGER NOT NULL, -- of the run
		prefixes INTEGER NOT NULL
	)`,
	`CREATE TABLE IF NOT EXISTS prefix_page (
		id      INTEGER PRIMARY KEY,
		edition INTEGER NOT NULL,
		key     BLOB NOT NULL,
		body    BLOB NOT NULL,
		UNIQUE (edition, key)
	)`,
}

// book is what is known of the book of a run.
type book struct{ edition, epoch, prefixes int64 }

// shelf keeps the pages of an edition.
type shelf struct {
	store   *store.Store
	edition int64
}

var _ totals.Shelf = (*shelf)(nil)

// Put implements totals.Shelf.
func (s *shelf) Put(ctx context.Context, pages []totals.Page) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		for _, p := range pages {
			if _, err := tx.Exec("INSERT INTO prefix_page (edition, key, body) VALUES (?, ?, ?)", s.edition, p.Key, p.Body); err != nil {
				return err
			}
		}
		return nil
	})
}

var errReplaced = errors.New("the totals were made anew meanwhile: look again")

// Get implements totals.Shelf.
func (s *shelf) Get(ctx context.Context, key []byte) (page, next []byte, err error) {
	err = s.store.View(ctx, func(tx *store.Tx) error {
		var now int64
		if _, err := tx.Get([]any{&now}, "SELECT edition FROM prefix_book"); err != nil {
			return err
		}
		if now != s.edition {
			return errReplaced
		}
		if _, err := tx.Get([]any{&page}, "SELECT body FROM prefix_page WHERE edition = ? AND key <= ? ORDER BY key DESC LIMIT 1", s.edition, key); err != nil {
			return err
		}
		_, err := tx.Get([]any{&next}, "SELECT key FROM prefix_page WHERE edition = ? AND key > ? ORDER BY key LIMIT 1", s.edition, key)
		return err
	})
	return page, next, err
}

// loadBook is what is known of the run's book, if it has one.
func (s *state) loadBook(ctx context.Context) (b book, found bool, err error) {
	err = s.store.View(ctx, func(tx *store.Tx) error {
		var name string
		made, err := tx.Get([]any{&name}, "SELECT name FROM sqlite_master WHERE name = 'prefix_book'")
		if err != nil || !made {
			return err
		}
		found, err = tx.Get([]any{&b.edition, &b.epoch, &b.prefixes}, "SELECT edition, epoch, prefixes FROM prefix_book")
		return err
	})
	return b, found, err
}

// openBook opens the run's book; nil if there is none, or nothing in it.
func (s *state) openBook(ctx context.Context) (*totals.Book, error) {
	b, found, err := s.loadBook(ctx)
	if err != nil || !found {
		return nil, err
	}
	return totals.Open(ctx, &shelf{s.store, b.edition})
}

// makeBook makes the run's book for an epoch of the committed blocks, unless it
// has been made, and returns the number of distinct prefixes. Where keys come in
// any order, lines of all depths come (totals.Loose); the book has those down to depth.
func (s *state) makeBook(ctx context.Context, epoch, depth int, blocks iter.Seq2[[]byte, error]) (prefixes int64, err error) {
	if err := s.store.Update(ctx, func(tx *store.Tx) error {
		for _, sql := range makeBooks {
			if _, err := tx.Exec(sql); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return 0, fmt.Errorf("keep totals: %w", err)
	}
	old, found, err := s.loadBook(ctx)
	if err != nil {
		return 0, err
	}
	if found && old.epoch == int64(epoch) {
		return old.prefixes, nil
	}
	edition := old.edition + 1
	drop := func(keep int64) error { // what a crash may have left, or what is replaced
		return s.store.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec("DELETE FROM prefix_page WHERE edition <> ?", keep)
			return err
		})
	}
	if err := drop(old.edition); err != nil {
		return 0, fmt.Errorf("keep totals: %w", err)
	}
	m := totals.Merge(blocks)
	if err := totals.Keep(ctx, &shelf{s.store, edition}, downTo(depth, m.Lines())); err != nil {
		return 0, err
	}
	if err := s.store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec("INSERT OR REPLACE INTO prefix_book VALUES (1, ?, ?, ?)", edition, epoch, m.Prefixes())
		return err
	}); err != nil {
		return 0, fmt.Errorf("keep totals: %w", err)
	}
	return m.Prefixes(), drop(edition)
}

// downTo is the lines down to a depth. All are read.
func downTo(depth int, lines iter.Seq2[totals.Line, error]) iter.Seq2[totals.Line, error] {
	return func(yield func(totals.Line, error) bool) {
		for l, err := range lines {
			if err == nil && l.Depth > depth {
				continue
			}
			if !yield(l, err) {
				return
			}
		}
	}
}
