package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ramify/ramify/ledger"
	programs "github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/queue/sqs"
)

// startFlags are of what starts runs by itself, for as long as it runs.
type startFlags struct {
	fleetFlags
	jobsFlags
	webhookFlags
	Out     string `help:"Where the results of runs go: s3://bucket/prefix, the URL of a queue or, on this machine, a folder; below it, a folder a run (default: nowhere)." placeholder:"PLACE"`
	Results string `help:"Queue to which the outcome of each job goes that names none." placeholder:"QUEUE"`
	Retries int    `help:"Failures of a node before it is given up." default:"${retries}"`
	Runs    int    `help:"Runs at a time, on this machine; what is more waits, or is refused." default:"16" placeholder:"N"`
	Grace   string `help:"For runs of this machine that are under way when it is told to stop." default:"25s" placeholder:"DURATION"`
}

// starter starts runs, on a fleet or on this machine.
type starter struct {
	g     *cli
	std   streams
	flags *startFlags
	log   *slog.Logger
	fleet *fleet // nil: this machine
	kind  string // cron or serve
	grace time.Duration

	ctx    context.Context // of runs of this machine
	cancel context.CancelCauseFunc
	slots  chan struct{}
	runs   sync.WaitGroup
	onward sync.Map    // names of runs that are to be gone on with
	failed atomic.Bool // one of them, at least
	posted sync.Mutex  // a client of the AWS SDK is slow to begin with: one start at a time
}

// errNoSlot is why a run of this machine does not begin.
var errNoSlot = errors.New("as many runs are under way as --runs lets be")

// errStopping is why runs of this machine are interrupted.
var errStopping = errors.New("told to stop")

// open makes a starter. On a fleet it opens what it needs to post.
func (c *startFlags) open(ctx context.Context, g *cli, std streams, log *slog.Logger, kind string) (*starter, error) {
	s := &starter{g: g, std: std, flags: c, log: log, kind: kind}
	err := readSettings([]setting{{"grace", c.Grace, duration(&s.grace, 0, time.Hour)}})
	switch {
	case err != nil:
		return nil, err
	case c.Runs < 1 || c.Runs > 1000:
		return nil, usagef("--runs is %d, want 1 to 1000", c.Runs)
	case c.Results != "" && sqs.CheckName(c.Results) != nil:
		return nil, usagef("%s: %w", named("results", c.Results), sqs.CheckName(c.Results))
	case c.Retries < 0:
		return nil, usagef("--retries is %d, want 0 or more", c.Retries)
	}
	s.slots = make(chan struct{}, c.Runs)
	s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if !c.given() {
		return s, nil
	}
	f, err := c.find(ctx)
	if err != nil {
		return nil, err
	}
	s.fleet = f
	if f.Ledger == ledgerNone {
		f.close()
		return nil, usagef("%s is none, but what starts a run once needs a ledger that knows which there are: want dynamodb:TABLE", named("ledger", f.Ledger))
	}
	if err := f.checkQueue(); err != nil {
		f.close()
		return nil, err
	}
	for _, open := range []func(context.Context) error{f.openToPost, f.openLedger} {
		if err := open(ctx); err != nil {
			f.close()
			return nil, err
		}
	}
	return s, nil
}

// wait waits for the runs of this machine to end, unless ctx does before them. It
// is an exit code of 3 where one ended with failures.
func (s *starter) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.runs.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.cancel(errStopping)
		<-done
		return exitError(exitInterrupted)
	}
	if s.failed.Load() {
		return exitError(exitFailures)
	}
	return nil
}

// close lets runs of this machine end within the grace, and interrupts the others.
func (s *starter) close() {
	done := make(chan struct{})
	go func() {
		s.runs.Wait()
		close(done)
	}()
	timer := time.NewTimer(s.grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		s.cancel(errStopping)
		<-done
	}
	s.cancel(errStopping)
	if s.fleet != nil {
		s.fleet.close()
	}
}

// start begins a run of a target by a name, and returns once it is there to stay.
// ledger.ErrExists: there is one of that name. This is the one way in which what is
// due, or asked for by HTTP, becomes a run.
func (s *starter) start(ctx context.Context, tgt target, run string) error {
	if s.fleet != nil {
		return s.post(ctx, tgt, run)
	}
	return s.occupy(func(began func()) error { return s.here(tgt, run, began) })
}

// asksOn is what has a run of this machine go on, or redrives it, when somebody asks.
func (s *starter) asksOn(run string) func(context.Context, bool) error {
	return func(_ context.Context, redrive bool) error {
		return s.occupy(func(began func()) error { return s.proceed(run, redrive, began) })
	}
}

// proceed goes on with a run to its end.
func (s *starter) proceed(run string, redrive bool, began func()) error {
	on := onFlags{Name: run, JSON: true, jobsFlags: s.flags.jobsFlags, webhookFlags: s.flags.webhookFlags}
	return s.told(run, run, began, func(w *work) error {
		if redrive {
			return (&redriveCmd{on}).redrive(s.ctx, w)
		}
		return (&resumeCmd{onFlags: on}).resume(s.ctx, w, 0)
	})
}

// occupy has a run be worked on in one of the slots, and returns once it has begun.
func (s *starter) occupy(work func(began func()) error) error {
	select {
	case s.slots <- struct{}{}:
	default:
		return errNoSlot
	}
	began, failed := make(chan struct{}), make(chan error, 1)
	s.runs.Go(func() {
		defer func() { <-s.slots }()
		failed <- work(sync.OnceFunc(func() { close(began) }))
	})
	select {
	case <-began:
		return nil
	case err := <-failed:
		select {
		case <-began: // and it is over already
			return nil
		default:
			return err
		}
	}
}

// walk are the flags of a run that nobody gives any. As of `ramify jobs run`, each job
// is a message of its own.
func (s *starter) walk(tgt target, run, out string) walkFlags {
	inline := defaultInline
	if strings.HasPrefix(tgt.name, jobScheme) {
		inline = 0
	}
	return walkFlags{
		Run: run, Out: out, Node: "range", Inline: inline, Retries: s.flags.Retries, JSON: true,
		jobsFlags: s.flags.jobsFlags, webhookFlags: s.flags.webhookFlags,
	}
}

// params are kept with a run.
func (s *starter) params(w *work) {
	w.params = map[string]string{paramStarter: s.kind}
	if s.flags.Results != "" {
		w.params[programs.ParamResults] = s.flags.Results
	}
}

// here walks a run on this machine to its end.
func (s *starter) here(tgt target, run string, began func()) error {
	out := s.flags.Out
	if out != "" && kindOfOut(out) == outFolder {
		out = filepath.Join(out, run)
	}
	return s.told(run, tgt.name, began, func(w *work) error {
		s.params(w)
		c := &runFlags{walkFlags: s.walk(tgt, run, out), Concurrency: 64}
		return c.begin(s.ctx, w, tgt)
	})
}

// told works on a run of this machine to its end, and says in the log what becomes of it.
// Its report goes to standard output, a JSON object a line.
func (s *starter) told(run, target string, began func(), do func(*work) error) error {
	w, done, err := s.work()
	if err != nil {
		return err
	}
	defer done()
	var is bool
	w.begun = func() {
		is = true
		s.log.Info("run begins", "run", run, "target", target)
		began()
	}
	err = do(w)
	if err != nil {
		s.failed.Store(true)
	}
	if is {
		s.ended(run, err)
	}
	return err
}

// work is that of one run of this machine: its report is a line on standard output.
func (s *starter) work() (w *work, done func(), err error) {
	quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	w = newWork(s.g, streams{out: s.std.out, err: quiet}, true)
	w.log = s.log
	return w, func() { _ = quiet.Close() }, nil
}

// ended says how a run of this machine came to its end.
func (s *starter) ended(run string, err error) {
	var code exitError
	switch {
	case errors.As(err, &code) && int(code) == exitInterrupted:
		s.log.Warn("run is interrupted", "run", run, "resume", s.g.command("resume", run))
	case errors.As(err, &code):
		s.log.Warn("run is over with failures", "run", run, "failed", s.g.command("failed", run))
	case err != nil:
		s.log.Error("run stands still", "run", run, "error", err)
	default:
		s.log.Info("run is over", "run", run)
	}
}

// post begins a run on the fleet.
func (s *starter) post(ctx context.Context, tgt target, run string) error {
	s.posted.Lock()
	defer s.posted.Unlock()
	c := &seedCmd{Target: tgt.name, walkFlags: s.walk(tgt, run, s.flags.Out), fleetFlags: s.fleet.fleetFlags, Check: true}
	if err := c.checkTarget(); err != nil {
		return err
	}
	tgt, err := c.onFleet(tgt)
	if err != nil {
		return err
	}
	now := time.Now()
	only, err := c.ready(s.fleet, tgt, now)
	if err != nil {
		return err
	}
	w := newWork(s.g, s.std, true)
	w.log = s.log
	s.params(w)
	if err := c.complete(ctx, w, &tgt, only); err != nil {
		return err
	}
	if err := c.checkRoot(tgt); err != nil {
		return err
	}
	if err := s.fleet.openRoutes(ctx, w.jobs, tgt.root); err != nil {
		return err
	}
	defer func() { // of this job
		s.fleet.routes.close()
		s.fleet.routes = nil
	}()
	if err := c.commit(ctx, s.fleet, w, tgt, only, now); err != nil {
		return err
	}
	s.log.Info("run begins", "run", run, "target", tgt.name)
	s.fleet.wake(ctx, s.std.err)
	return nil
}

// once begins a run that may have begun before. One of this machine that a starter of the
// same kind began, and nobody works on, is gone on with.
func (s *starter) once(ctx context.Context, tgt target, run string) (began bool, err error) {
	if s.fleet == nil {
		is, err := begun(ctx, s.g, run)
		if is && s.find(ctx, run, func(string, ledger.Run) bool { return true }) == leftAlone {
			s.again(run)
		}
		if is || err != nil {
			return false, err
		}
	}
	err = s.start(ctx, tgt, run)
	if errors.Is(err, ledger.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// say prints one line that scripts and people may read.
func say(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
