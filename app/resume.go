package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/seed"
)

// onFlags are what resume and redrive have in common.
type onFlags struct {
	Name        string  `arg:"" name:"run" help:"Name of the run."`
	Concurrency int     `help:"Things done at a time (default: as before)."`
	Moved       bool    `help:"Go on though the endpoint is another than the run began with."`
	Kinds       string  `help:"Kinds of nodes that are processed; a node of another is given up (default: all)." placeholder:"KIND,…"`
	JSON        bool    `name:"json" help:"End with one JSON object on standard output."`
	Web         webFlag `env:"-" help:"Show the run on a page, as run does." placeholder:"HOST:PORT"`
	jobsFlags
	fleetFlags
	webhookFlags
	sqlFlags
}

func (c *onFlags) check() error {
	if c.Concurrency == 0 { // not given
		return nil
	}
	return checkConcurrency(c.Concurrency)
}

type resumeCmd struct {
	onFlags
	Budget string `env:"-" help:"US dollars that the run may cost in all, from now on." placeholder:"USD"`
}

// Run implements the command.
func (c *resumeCmd) Run(ctx context.Context, g *cli, std streams) error {
	if err := c.check(); err != nil {
		return err
	}
	budget, err := readBudget(c.Budget)
	if err != nil {
		return err
	}
	if c.given() {
		return c.resumeFleet(ctx, std, budget)
	}
	return c.resume(ctx, newWork(g, std, c.JSON), budget)
}

// resume goes on with a run of this machine.
func (c *resumeCmd) resume(ctx context.Context, w *work, budget float64) error {
	g, std := w.g, w.std
	st, r, err := c.open(ctx, g)
	if errors.Is(err, store.ErrLocked) && c.Web.address != "" {
		return usagef("--web is set, but another process works on run %s: `%s` shows it", c.Name, g.command("serve", ""))
	}
	if errors.Is(err, store.ErrLocked) {
		// Its process is there: all it can need is not to be paused any more, or to do
		// more or less at a time.
		return amend(ctx, g, &c.fleetFlags, std, c.Name, goOn(c.Concurrency, budget))
	}
	if err != nil {
		return err
	}
	defer st.close()
	if r.State == ledger.Cancelled {
		return usagef("run %s was cancelled: it cannot go on", c.Name)
	}
	if err := checkBudget(r, budget, g.command("resume", c.Name)+" --budget USD"); err != nil {
		return err
	}
	page, err := c.Web.open(ctx, w, c.Name)
	if err != nil {
		return err
	}
	defer page.stop(ctx)
	if !r.State.Over() { // of one that is over only the results are made
		stop, err := c.ready(ctx, w, r)
		if err != nil {
			return err
		}
		defer stop()
	}
	if (r.Paused || budget != 0) && r.State == ledger.Running { // one that ended while it was paused keeps the mark
		if r, err = st.ledger.Amend(ctx, c.Name, goOn(0, budget)(r)); err != nil {
			return err
		}
	}
	return c.proceed(ctx, w, st, r, page)
}

// open opens the file of a run as its owner, and reads its record.
func (c *onFlags) open(ctx context.Context, g *cli) (*state, ledger.Run, error) {
	st, err := openState(ctx, g, c.Name, store.Options{MustExist: true, Owner: true})
	if err != nil {
		return nil, ledger.Run{}, err
	}
	r, err := st.record(ctx)
	if err != nil {
		st.close()
		if errors.Is(err, ledger.ErrNoRun) {
			err = unknownError{usagef("run %s was never begun: start it again", c.Name)}
		}
		return nil, ledger.Run{}, err
	}
	return st, r, nil
}

// ready makes what works on the nodes of a run, and looks whether it can, before
// anything of the run is touched: without access its nodes would be given up.
func (c *onFlags) ready(ctx context.Context, w *work, r ledger.Run) (stop func(), err error) {
	if c.Concurrency != 0 {
		r.Options.Concurrency = c.Concurrency
	}
	if w.jobs, err = c.jobsOf(r).readJobs(); err != nil {
		return nil, err
	}
	w.kinds = c.Kinds
	stop, err = w.serveDemo(r.Options.Params, r.Options.Concurrency)
	if err != nil {
		return nil, err
	}
	rps, err := strconv.Atoi(cmp.Or(r.Options.Params[paramMaxRPS], "0"))
	if err == nil {
		w.hooks, w.sql = &c.webhookFlags, &c.sqlFlags
		err = w.connect(ctx, r.Root.Kind, r.Options.Concurrency, rps)
	}
	if err == nil {
		err = w.checkKind(r.Root.Kind)
	}
	if err == nil && !c.Moved {
		err = w.checkEndpoint(r)
	}
	if err == nil {
		err = w.checkRun(ctx, r)
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// proceed works on a run that exists, or makes the results of one that is over; on a
// page, if there is one.
func (c *onFlags) proceed(ctx context.Context, w *work, st *state, r ledger.Run, page *runPage) error {
	w.concurrency = c.Concurrency
	out, err := st.openSink(ctx, r, w.std)
	if err != nil {
		return err
	}
	if page != nil {
		fmt.Fprintf(w.std.err, "page %s\n", page.url)
	}
	if w.begun != nil {
		w.begun()
	}
	return w.workSeen(ctx, st, out, page)
}

type redriveCmd struct{ onFlags }

// Run implements the command.
func (c *redriveCmd) Run(ctx context.Context, g *cli, std streams) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.given() {
		return c.redriveFleet(ctx, std)
	}
	return c.redrive(ctx, newWork(g, std, c.JSON))
}

// redrive begins the next epoch of a run of this machine.
func (c *redriveCmd) redrive(ctx context.Context, w *work) error {
	g := w.g
	st, r, err := c.open(ctx, g)
	if errors.Is(err, store.ErrLocked) {
		return usagef("run %s is still running: it can be redriven when it has finished with failures", c.Name)
	}
	if err != nil {
		return err
	}
	defer st.close()
	if r.State != ledger.Failed {
		return cannotRedrive(r)
	}
	stop, err := c.ready(ctx, w, r)
	if err != nil {
		return err
	}
	defer stop()
	page, err := c.Web.open(ctx, w, c.Name)
	if err != nil {
		return err
	}
	defer page.stop(ctx)
	r, err = seed.Redrive(ctx, st.ledger, st.poster(), c.Name)
	if errors.Is(err, ledger.ErrConflict) {
		return cannotRedrive(r)
	}
	if err != nil {
		return err
	}
	return c.proceed(ctx, w, st, r, page)
}

func cannotRedrive(r ledger.Run) error {
	return usagef("run %s is %s: only a run that finished with failures can be redriven", r.ID, r.State)
}
