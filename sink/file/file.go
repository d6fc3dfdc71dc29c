// Package file is a sink in a folder of this machine, exact: what is in the
// folder after Finish are the rows of committed units, each once, as an
// inventory of a few large files and a manifest.
//
// While the run lasts, rows are compressed as they come and appended to a spool
// file in the folder; which ranges of it belong to which attempt is kept in the
// run's state file, where a commit is one small group-committed record. Finish
// keeps the ranges of committed units and leaves the others out, byte for byte:
// a spool file that is all committed is renamed and not copied.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/sink"
)

// Options say where the results of a run go and in what form.
type Options struct {
	Dir     string           // the folder; "" keeps no rows, only the other streams
	Layout  inventory.Layout // of the rows
	Bucket  string           // sourceBucket of the manifest
	Created time.Time        // of the manifest: when the run began

	// PartSize is the size in bytes from which a data file is not added to any
	// more; 0 is 1 GiB.
	PartSize int64
}

// Sink keeps rows in a folder and every other stream in the store.
type Sink struct {
	store   *store.Store
	dir     string // absolute, or ""
	options Options
	spool   *spool

	generation atomic.Int64 // grows when Finish begins: parts of earlier ones cannot be committed any more
	finishing  sync.Mutex

	step func(string) // tests look at the folder between the steps of Finish
}

// closedGeneration is that of no part.
const closedGeneration = -1

var _ sink.Sink = (*Sink)(nil)

// Open opens the results of the run whose state is s. The folder must be
// missing, empty or that of this very run, whose results it then goes on with;
// anything else is an ErrFolder that names the folder and the way out. Where no file can
// be opened, whichever, it is store.ErrFiles. The store
// stays the caller's, and must outlive the sink.
func Open(ctx context.Context, s *store.Store, o Options) (*Sink, error) {
	if o.PartSize == 0 {
		o.PartSize = 1 << 30
	}
	f := &Sink{store: s, options: o, step: func(string) {}}
	if err := f.open(ctx); err != nil {
		return nil, fmt.Errorf("open results: %w", full(err))
	}
	return f, nil
}

func (s *Sink) open(ctx context.Context) error {
	state, err := loadState(ctx, s.store, s.options.Layout)
	if err != nil {
		return err
	}
	s.generation.Store(state.generation)
	s.spool = newSpool(s.options.PartSize, state.nextFile, s.createSpoolFile)
	if s.options.Dir == "" {
		return nil
	}
	if s.dir, err = filepath.Abs(s.options.Dir); err != nil {
		return err
	}
	undo, err := claim(s.dir, state.owner)
	switch {
	case noFiles(err): // another folder would not do
		return err
	case err != nil:
		return folderError{err}
	}
	if err := s.checkFiles(ctx); err != nil {
		return errors.Join(err, undo())
	}
	return nil
}

// Open begins an attempt.
func (s *Sink) Open(_ context.Context, a sink.Attempt) (sink.Part, error) {
	return &part{sink: s, attempt: a, generation: s.generation.Load()}, nil
}

// Read yields the committed blocks of any stream but sink.Rows: those have
// become the files.
func (s *Sink) Read(ctx context.Context, stream string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		more := true
		err := s.store.View(ctx, func(tx *store.Tx) error {
			for block, err := range committedBlobs(tx, stream) {
				if err != nil {
					return err
				}
				if more = yield(block, nil); !more {
					return nil
				}
			}
			return nil
		})
		if err != nil && more {
			yield(nil, fmt.Errorf("read %s: %w", stream, err))
		}
	}
}

// Close closes the spool file. It does not close the store.
func (s *Sink) Close() error {
	s.generation.Store(closedGeneration)
	if err := s.spool.close(); err != nil {
		return fmt.Errorf("close results: %w", err)
	}
	return nil
}

// noFiles reports whether the process, or the machine, may open no more files.
func noFiles(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }

// full marks the errors after which only a person can help.
func full(err error) error {
	if noFiles(err) && !errors.Is(err, store.ErrFiles) {
		return fmt.Errorf("%w: %w", store.ErrFiles, err)
	}
	for _, hopeless := range []error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, // no room
		syscall.EROFS, fs.ErrPermission, // not allowed
		fs.ErrNotExist, syscall.ENOTDIR, // the folder is gone
		store.ErrFull,
	} {
		if errors.Is(err, hopeless) && !errors.Is(err, sink.ErrFull) {
			return fmt.Errorf("%w: %w", sink.ErrFull, err)
		}
	}
	return err
}
