package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/ledger"
	ledgerdb "github.com/ramify/ramify/ledger/embedded"
	"github.com/ramify/ramify/post"
	queuedb "github.com/ramify/ramify/queue/embedded"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/file"
	"github.com/ramify/ramify/sink/stream"
)

// state is the one file of a run, opened: by its owner, who works on it, or by
// somebody who looks on, who has no queues.
type state struct {
	run    string
	store  *store.Store
	ledger *ledgerdb.Ledger
	main   *queuedb.Queue
	dead   *queuedb.Queue
}

func statePath(dir, run string) string { return filepath.Join(dir, run+".db") }

// exists reports whether there is the file of a run of that name. It may be that of one
// whose making was cut short, or is under way: begun tells.
func exists(dir, run string) bool {
	info, err := os.Stat(statePath(dir, run))
	return err == nil && info.Size() > 0
}

// errBeginning is why nothing can be said yet of a run: its file is there, its record is
// not, and a process works on that.
var errBeginning = errors.New("another process is about to begin it: try again")

// begun reports whether there is a run of that name. What is left of one whose making
// was cut short, a file without the run's record, is removed: it has done nothing.
func begun(ctx context.Context, g *cli, run string) (bool, error) {
	if !exists(g.State, run) {
		return false, nil
	}
	st, _, err := glance(ctx, g, run)
	switch {
	case err == nil:
		st.close()
		return true, nil
	case !errors.Is(err, ledger.ErrNoRun):
		return false, err
	}
	st, err = openState(ctx, g, run, store.Options{MustExist: true, Owner: true})
	switch {
	case errors.Is(err, store.ErrLocked):
		return false, fmt.Errorf("begin run %s: %w", run, errBeginning)
	case errors.Is(err, ledger.ErrNoRun): // somebody else has removed it
		return false, nil
	case err != nil:
		return false, err
	}
	_, err = st.record(ctx) // now that nobody else can write it
	switch {
	case errors.Is(err, ledger.ErrNoRun):
		st.discard()
		return false, nil
	case err == nil:
		st.close()
		return true, nil
	}
	st.close()
	return false, err
}

func errExists(g *cli, run string) error {
	return usageError{takenError{fmt.Errorf("run %s exists: go on with `%s`, or choose another name with --run", run, g.command("resume", run))}}
}

// unknownError is ledger.ErrNoRun in other words.
type unknownError struct{ error }

// Is says so to errors.Is.
func (unknownError) Is(target error) bool { return target == ledger.ErrNoRun }

func (e unknownError) Unwrap() error { return e.error }

// takenError is ledger.ErrExists in other words.
type takenError struct{ error }

// Is says so to errors.Is.
func (takenError) Is(target error) bool { return target == ledger.ErrExists }

// openState opens a run's file; errors name the run and the way out.
func openState(ctx context.Context, g *cli, run string, o store.Options) (*state, error) {
	dir := g.State
	if err := schema.CheckRunName(run); err != nil {
		return nil, usageError{err}
	}
	s, err := store.Open(statePath(dir, run), o)
	switch {
	case errors.Is(err, store.ErrExists):
		return nil, errExists(g, run)
	case errors.Is(err, store.ErrMissing), errors.Is(err, store.ErrUnbegun):
		return nil, unknownError{usagef("no run %s in %s; another folder is named with --state", run, dir)}
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("another process works on run %s, see `%s`: %w", run, g.command("watch", run), err)
	case err != nil:
		return nil, err
	}
	st := &state{run: run, store: s}
	if err := st.open(ctx, o.Owner); err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

func (s *state) open(ctx context.Context, owner bool) (err error) {
	if s.ledger, err = ledgerdb.Open(ctx, s.store); err != nil || !owner {
		return err
	}
	if s.main, err = queuedb.Open(ctx, s.store, "main"); err != nil {
		return err
	}
	s.dead, err = queuedb.Open(ctx, s.store, "dead")
	return err
}

// close releases the file. All that was promised is on disk already.
func (s *state) close() {
	s.closeRooms()
	_ = s.store.Close()
}

func (s *state) closeRooms() {
	if s.main != nil {
		_ = s.main.Close()
	}
	if s.dead != nil {
		_ = s.dead.Close()
	}
	if s.ledger != nil {
		_ = s.ledger.Close()
	}
}

// discard closes and removes the file of a run that never began.
func (s *state) discard() {
	s.closeRooms()
	_ = s.store.Discard()
}

// record is the run's record. A file that has another run's is no remainder of one that
// never began, which `run` removes: somebody has renamed or copied it, and what it keeps
// is that run's.
func (s *state) record(ctx context.Context) (ledger.Run, error) {
	r, err := s.ledger.Run(ctx, s.run)
	if !errors.Is(err, ledger.ErrNoRun) {
		return r, err
	}
	others, listed := s.ledger.Runs(ctx)
	switch {
	case listed != nil:
		return r, listed
	case len(others) > 0:
		path := statePath(filepath.Dir(s.store.Path()), others[0].ID)
		return r, fmt.Errorf("open state %s: it is the file of run %s: rename it to %s, or choose another name", s.store.Path(), others[0].ID, path)
	}
	return r, err
}

func (s *state) poster() *post.Poster { return &post.Poster{Queue: s.main} }

// empty reports whether nothing is left on the queue.
func (s *state) empty(ctx context.Context) (bool, error) {
	d, err := s.main.Depth(ctx)
	return d.Total() == 0, err
}

// openSink opens where the results of a run go.
func (s *state) openSink(ctx context.Context, run ledger.Run, std streams) (sink.Sink, error) {
	o := file.Options{Bucket: run.Options.Params[paramBucket], Created: run.Created}
	kind := kindOfOut(run.Options.Out)
	if kind == outFolder {
		l, err := layoutOf(run)
		if err != nil {
			return nil, err
		}
		o.Dir, o.Layout = run.Options.Out, l
	}
	if kind == outBucket {
		return s.shared(ctx, run, nil)
	}
	inner, err := file.Open(ctx, s.store, o)
	if err != nil {
		return nil, err
	}
	if kind == outQueue {
		return s.shared(ctx, run, inner)
	}
	if run.Options.Out == "-" {
		return stream.New(console.Screen(std.out, run.Options.Format == inventory.NDJSON.String()), inner), nil
	}
	return inner, nil
}

// shared opens results that are not kept on this machine.
func (s *state) shared(ctx context.Context, run ledger.Run, inner sink.Sink) (sink.Sink, error) {
	cfg, err := s3client.LoadConfig(ctx)
	if err != nil {
		return nil, err
	}
	return openShared(ctx, cfg, run, inner)
}

// The summary of a run that is over is kept with it: prefixes are merged once.
const (
	makeSummaries = `CREATE TABLE IF NOT EXISTS summary (epoch INTEGER PRIMARY KEY, body TEXT NOT NULL)`
	putSummary    = `INSERT OR REPLACE INTO summary (epoch, body) VALUES (?, ?)`
	getSummary    = `SELECT body FROM summary WHERE epoch = ?`
)

func (s *state) saveSummary(ctx context.Context, epoch int, sum console.Summary) error {
	body, err := json.Marshal(sum)
	if err != nil {
		return fmt.Errorf("keep summary: %w", err)
	}
	return s.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(makeSummaries); err != nil {
			return err
		}
		_, err := tx.Exec(putSummary, epoch, string(body))
		return err
	})
}

// loadSummary is the summary kept for an epoch, if there is one.
func (s *state) loadSummary(ctx context.Context, epoch int) (sum console.Summary, found bool, err error) {
	var body string
	err = s.store.View(ctx, func(tx *store.Tx) error {
		var name string
		made, err := tx.Get([]any{&name}, `SELECT name FROM sqlite_master WHERE name = 'summary'`)
		if err != nil || !made {
			return err
		}
		found, err = tx.Get([]any{&body}, getSummary, epoch)
		return err
	})
	if err == nil && found {
		err = json.Unmarshal([]byte(body), &sum)
	}
	return sum, found, err
}
