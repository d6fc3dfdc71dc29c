package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// lookTime is for how long a lock that another has is asked for again.
const lookTime = 300 * time.Millisecond

// acquire takes the lock by which one process at a time owns a run. It is a
// file beside the state, not the state itself: closing any descriptor of a file
// would drop the POSIX locks that SQLite holds on it.
func acquire(path string) (*flock.Flock, error) {
	for {
		f := flock.New(path, flock.SetPermissions(0o600))
		// Who only looks whether there is an owner holds it for microseconds.
		within, cancel := context.WithTimeout(context.Background(), lookTime)
		ok, err := f.TryLockContext(within, lookTime/20)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("lock %s: %w", path, classifyOS(err))
		}
		if !ok {
			_ = f.Close()
			return nil, ErrLocked
		}
		if hasName(f) {
			return f, nil
		}
		if err := f.Unlock(); err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// Owned reports whether a process owns the file now. It does not wait for one
// that is about to begin or to leave.
func (s *Store) Owned() bool {
	if s.lock != nil {
		return true
	}
	path := s.path + ".lock"
	if _, err := os.Stat(path); err != nil {
		return false
	}
	// A shared lock cannot be had beside an owner's, and lookers do not disturb
	// each other. An owner that begins at this moment asks again.
	f := flock.New(path, flock.SetFlag(os.O_RDONLY))
	got, err := f.TryRLock()
	_ = f.Close()
	return err == nil && !got
}

// hasName reports whether the file that is locked is the one that others will
// find. An owner that left may have removed the name between our opening and
// our locking it.
func hasName(f *flock.Flock) bool {
	held, heldErr := f.Stat()
	named, namedErr := os.Stat(f.Path())
	return heldErr == nil && namedErr == nil && os.SameFile(held, named)
}

// release removes the lock file while it is still held, so that nobody can hold
// a lock on a name that somebody else removes. Where a file in use cannot be
// removed (Windows) it stays; it locks nothing by being there. One that somebody has
// removed, and another owner has made again, is that owner's.
func release(f *flock.Flock) error {
	if hasName(f) {
		_ = os.Remove(f.Path())
	}
	return f.Unlock()
}
