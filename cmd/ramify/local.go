package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/ledger"
	ledgerdb "github.com/ramify/ramify/ledger/embedded"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/queue"
	queuedb "github.com/ramify/ramify/queue/embedded"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/file"
	"github.com/ramify/ramify/sink/stream"
)

// state is the one file of a run, opened: by its owner, who works on it, or by
// somebody who looks on.
type state struct {
	run    string
	store  *store.Store
	ledger *ledgerdb.Ledger
	main   *queuedb.Queue
	dead   *queuedb.Queue
}

func statePath(dir, run string) string { return filepath.Join(dir, run+".db") }

// openState opens a run's file; errors name the run and the way out.
func openState(dir, run string, o store.Options) (*state, error) {
	if err := schema.CheckRunName(run); err != nil {
		return nil, errUsage{err}
	}
	s, err := store.Open(statePath(dir, run), o)
	switch {
	case errors.Is(err, store.ErrExists):
		return nil, usagef("run %s exists: go on with `ramify resume %s`, or choose another name with --run", run, run)
	case errors.Is(err, store.ErrMissing), errors.Is(err, store.ErrUnbegun):
		return nil, usagef("no run %s in %s: --state names the folder", run, dir)
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("run %s is being worked on by another process: see `ramify watch %s`: %w", run, run, err)
	case err != nil:
		return nil, err
	}
	st := &state{run: run, store: s}
	if st.ledger, err = ledgerdb.Open(s); err == nil && o.Owner {
		if st.main, err = queuedb.Open(s, "main"); err == nil {
			st.dead, err = queuedb.Open(s, "dead")
		}
	}
	if err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

func (s *state) close() {
	for _, q := range []*queuedb.Queue{s.main, s.dead} {
		if q != nil {
			_ = q.Close() // nothing is lost: all that was promised is on disk
		}
	}
	if s.ledger != nil {
		_ = s.ledger.Close()
	}
	_ = s.store.Close()
}

func (s *state) poster() *post.Poster { return &post.Poster{Queue: s.main} }

// openSink opens where the results of a run go.
func (s *state) openSink(run ledger.Run, std streams) (sink.Sink, error) {
	o := file.Options{Run: run.ID}
	if out := run.Options.Out; out != "" && out != "-" {
		f, err := inventory.Lookup(run.Options.Format)
		if err != nil {
			return nil, err
		}
		o.Dir, o.Format = out, f
	}
	inner, err := file.Open(s.store, o)
	if err != nil {
		return nil, err
	}
	if run.Options.Out == "-" {
		return stream.New(std.out, inner), nil
	}
	return inner, nil
}

// empty reports whether nothing is left on the queue.
func (s *state) empty(ctx context.Context) (bool, queue.Depth, error) {
	d, err := s.main.Depth(ctx)
	return err == nil && d.Total() == 0, d, err
}

// runs are the names of the runs in a folder, oldest first.
func runs(dir string) []string {
	files, _ := filepath.Glob(filepath.Join(dir, "*.db"))
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, filepath.Base(f[:len(f)-len(".db")]))
	}
	return names
}

// within is a context for one look at a file that another process writes.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 10*time.Second)
}

func mkdirState(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	return nil
}
