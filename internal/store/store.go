// Package store is the one file in which a run on one machine lives: an SQLite
// database that a single writer commits for many callers at once. The embedded
// queue and ledger and the file sink keep their tables in it.
//
// The file is in WAL mode with synchronous=FULL, so that what Update has
// returned survives a power failure ("Write-Ahead Logging" and "PRAGMA
// synchronous" in the SQLite documentation). One process owns a run and does
// its work; others may open the same file to look and to write single records.
package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"
)

// readers is how many Views run at a time. They read for people and for
// suspects, which are few; each costs a page cache of its own.
const readers = 4

// Store is an open file. Its methods may be called from many goroutines.
type Store struct {
	path    string
	options Options
	lock    *flock.Flock // nil unless the store is the owner
	writer  *writer
	readers chan *conn // tokens; a nil one stands for a connection not opened yet

	closing sync.Once
	closed  chan struct{}
	discard bool // the files go with the store
	closeOK error
}

// Options say how to open a file. The zero Options open what is there and
// create what is not.
type Options struct {
	Create    bool // the file must not exist yet, else ErrExists
	MustExist bool // the file must exist, else ErrMissing
	Owner     bool // lock the file for this process, else ErrLocked
}

// Open opens the file and makes its folder (mode 0700) if it creates it. The
// error is one line that names the file and the way out; it is one of the
// errors of this package where it is not the operating system's.
func Open(path string, o Options) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	s := &Store{path: path, options: o, readers: make(chan *conn, readers), closed: make(chan struct{})}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	for range readers {
		s.readers <- nil
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if err := prepareFile(s.path, s.options); err != nil {
		return err
	}
	if s.options.Owner {
		if s.lock, err = acquire(s.path + ".lock"); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				_ = release(s.lock)
			}
		}()
	}
	created, err := touch(s.path, s.options)
	if err != nil {
		return err
	}
	c, err := openWriter(s.path, created, s.options.MustExist)
	if err != nil {
		return err
	}
	s.writer = startWriter(c, s.lock)
	return nil
}

// Path is the absolute path of the file.
func (s *Store) Path() string { return s.path }

// Owner reports whether this process owns the file, so that nobody else works
// on the run.
func (s *Store) Owner() bool { return s.options.Owner }

// Update runs fn in the next transaction and returns when that is durable, or
// with the error for which it is not.
//
// Many callers share one transaction, which is what makes a durable write
// cheap; so fn must be short, must not wait for anything, and must not have
// written anything where it returns an error: the others commit all the same,
// and only this caller gets the error. Where SQLite itself fails, nothing of
// the transaction is kept and all its callers get that error.
//
// A context that ends before fn was started drops it. Once started, the answer
// is awaited whatever the context.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := s.writer.do(ctx, fn); err != nil {
		return s.name(err)
	}
	return nil
}

// View runs fn on a snapshot that holds all that was committed before the call.
// Exec fails inside a View.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	var c *conn
	select {
	case <-s.closed:
		return ErrClosed
	default:
	}
	select {
	case c = <-s.readers:
	case <-s.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.readers <- c }()
	if c == nil {
		opened, err := openReader(s.path)
		if err != nil {
			return s.name(err)
		}
		c = opened
	}
	if err := view(ctx, c, fn); err != nil {
		return s.name(err)
	}
	return nil
}

func view(ctx context.Context, c *conn, fn func(*Tx) error) error {
	if _, err := c.exec("BEGIN"); err != nil {
		return err
	}
	err := fn(&Tx{conn: c, ctx: ctx})
	if _, endErr := c.exec("ROLLBACK"); err == nil {
		err = endErr
	}
	return err
}

// name puts the file's path before the errors that are about the file.
func (s *Store) name(err error) error {
	for _, about := range []error{ErrFull, ErrBroken, ErrNoLock, ErrCorrupt, ErrForeign, ErrBusy, ErrFiles} {
		if errors.Is(err, about) {
			return fmt.Errorf("state %s: %w", s.path, err)
		}
	}
	return err
}

// Close commits what waits, closes the file and, in its owner, removes the
// lock. Calls made afterwards return ErrClosed; closing twice is closing once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.closed)
		s.closeOK = s.close()
	})
	return s.closeOK
}

// Discard closes the file and removes it, while the owner's lock still keeps others from
// making one of the same name.
func (s *Store) Discard() error {
	s.closing.Do(func() {
		close(s.closed)
		s.discard = true
		s.closeOK = s.close()
	})
	return s.closeOK
}

func (s *Store) close() error {
	s.writer.stop() // the connection stays open: the last to close the file folds the log into it
	var errs []error
	for range readers {
		if c := <-s.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	errs = append(errs, s.writer.conn.close())
	for _, end := range []string{"", "-wal", "-shm"} {
		if s.discard {
			_ = os.Remove(s.path + end)
		}
	}
	if s.lock != nil {
		errs = append(errs, release(s.lock))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close state %s: %w", s.path, err)
	}
	return nil
}
