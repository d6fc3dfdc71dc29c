package store

import (
	"fmt"
	"os"

	"github.com/gofrs/flock"
)

// acquire takes the lock by which one process at a time owns a run. It is a
// file beside the state, not the state itself: closing any descriptor of a file
// would drop the POSIX locks that SQLite holds on it.
func acquire(path string) (*flock.Flock, error) {
	for {
		f := flock.New(path, flock.SetPermissions(0o600))
		ok, err := f.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, classifyOS(err))
		}
		if !ok {
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
// removed (Windows) it stays; it locks nothing by being there.
func release(f *flock.Flock) error {
	_ = os.Remove(f.Path())
	return f.Unlock()
}
