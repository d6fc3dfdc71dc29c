package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/none"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor/graph"
	"github.com/ramify/ramify/processor/s3inventory"
	"github.com/ramify/ramify/seed"
)

type seedCmd struct {
	Target string `arg:"" help:"s3://bucket/prefix, inventory:s3://…/manifest.json, job:NAME?PARAM=VALUE, sql:NAME?table=…, graph:s3://bucket/key?from=VERTEX, or a node as JSON."`
	walkFlags
	copyFlags
	fleetFlags
	Concurrency int  `env:"-" help:"Things that each task does at a time (default: as the task is set)." placeholder:"N"`
	Check       bool `negatable:"" default:"true" help:"Look first, from here, whether the target can be read and results written."`
	Watch       bool `help:"Follow the run to its end."`
}

// Run implements the command.
func (c *seedCmd) Run(ctx context.Context, g *cli, std streams) error {
	tgt, err := c.target()
	if err != nil {
		return err
	}
	return c.begin(ctx, newWork(g, std, c.JSON), tgt, time.Now())
}

// begin makes the run, unless something would keep it from working.
func (c *seedCmd) begin(ctx context.Context, w *work, tgt target, now time.Time) error {
	std := w.std
	f, err := c.find(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	only, err := c.ready(f, tgt, now)
	if err != nil {
		return err
	}
	if err := c.complete(ctx, w, &tgt, only); err != nil {
		return err
	}
	if err := c.checkRoot(tgt); err != nil {
		return err
	}
	if err := f.openToPost(ctx); err != nil {
		return err
	}
	if err := f.openRoutes(ctx, w.jobs, tgt.root); err != nil {
		return err
	}
	if f.Ledger != ledgerNone {
		if err := f.openLedger(ctx); err != nil {
			return err
		}
	}
	if err := c.commit(ctx, f, w, tgt, only, now); err != nil {
		return err
	}
	fmt.Fprintf(std.err, "run %s\n", c.walkFlags.Run)
	f.wake(ctx, std.err)
	switch {
	case c.Watch:
		return c.follow(ctx, f, w)
	case c.JSON:
		return json.NewEncoder(std.out).Encode(struct {
			Run    string `json:"run"`
			Target string `json:"target"`
			Queue  string `json:"queue"`
			Ledger string `json:"ledger"`
			Out    string `json:"out"`
		}{c.walkFlags.Run, tgt.name, f.Queue, f.Ledger, c.Out})
	}
	return nil
}

// commit makes the run on a fleet that is open.
func (c *seedCmd) commit(ctx context.Context, f *fleet, w *work, tgt target, only *filter.Filter, now time.Time) error {
	var l ledger.Ledger = none.New(none.Options{Post: func(context.Context, ledger.Plan) error { return nil }})
	if f.Ledger != ledgerNone {
		l = f.records
	}
	params := c.params(tgt, only)
	maps.Copy(params, w.endpoint())
	maps.Copy(params, w.params)
	r := ledger.Run{
		ID: c.walkFlags.Run, Target: tgt.name, Root: tgt.root, Created: now,
		Options: ledger.Options{
			Out: c.Out, Format: c.Format, Retries: c.Retries, Inline: c.Inline, Concurrency: c.Concurrency, Params: params,
		},
	}
	if err := c.checkOut(ctx, f, r); err != nil {
		return err
	}
	// Whole, or not at all: whoever interrupts once the name is printed can resume.
	return c.post(context.WithoutCancel(ctx), l, f.poster(), r)
}

// post makes the run. Where that takes long, the queue or the ledger cannot be
// reached.
func (c *seedCmd) post(ctx context.Context, l ledger.Ledger, p *post.Poster, r ledger.Run) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := seed.Run(ctx, l, p, r)
	if errors.Is(err, ledger.ErrExists) {
		return usageError{takenError{fmt.Errorf("run %s exists: choose another name with --run", r.ID)}}
	}
	return err
}

// target reads the target, which must be one that any machine can read.
func (c *seedCmd) target() (t target, err error) {
	if err := c.checkTarget(); err != nil {
		return t, err
	}
	if t, err = parseTarget(c.Target, c.Node); err != nil {
		return t, err
	}
	return c.onFleet(t)
}

// checkTarget refuses what other machines cannot read.
func (c *seedCmd) checkTarget() error {
	for _, scheme := range []string{prefixesScheme, nodesScheme} {
		if strings.HasPrefix(c.Target, scheme) {
			return usagef("target %q is a list, and lists are for runs on this machine yet: `ramify run %s` walks it here; a fleet takes one root a run", c.Target, c.Target)
		}
	}
	if place, is := strings.CutPrefix(c.Target, inventoryScheme); is && place != "" && !strings.HasPrefix(place, "s3://") {
		return usagef("target %q is a folder of this machine, which the tasks of a fleet cannot read: want %ss3://…/manifest.json", c.Target, inventoryScheme)
	}
	return nil
}

// onFleet is a target that was read, as a fleet walks it.
func (c *seedCmd) onFleet(t target) (target, error) {
	if t.root.Kind == graph.Kind {
		if err := checkSharedWalk(c.Target, t); err != nil {
			return t, err
		}
	}
	if err := c.apply(&t, c.Node); err != nil {
		return t, err
	}
	return c.eachOf(t)
}

// ready refuses flags that make no sense, or that this fleet would not heed.
func (c *seedCmd) ready(f *fleet, tgt target, now time.Time) (*filter.Filter, error) {
	if err := f.checkQueue(); err != nil {
		return nil, err
	}
	if _, err := f.table(); err != nil {
		return nil, err
	}
	if c.Concurrency != 0 {
		if err := checkConcurrency(c.Concurrency); err != nil {
			return nil, err
		}
	}
	if f.Ledger == ledgerNone {
		if err := c.checkBare(); err != nil {
			return nil, err
		}
	} else if f.out != "" && (c.Out == "" || fromEnvironment("out", c.Out)) {
		c.Out = f.out
	}
	if err := checkShared(named("out", c.Out), c.Out); err != nil {
		return nil, err
	}
	kind := tgt.root.Kind
	if kind == graph.Kind && f.Ledger == ledgerNone {
		return nil, usagef("%s is none, but the vertices of a graph need a ledger that keeps who has visited them: want dynamodb:TABLE", named("ledger", f.Ledger))
	}
	if err := c.check(kind); err != nil {
		return nil, err
	}
	if err := c.checkResults(kind); err != nil {
		return nil, err
	}
	if err := c.name(now); err != nil {
		return nil, err
	}
	return c.filter(kind, now)
}

// checkOut looks whether results can be written: tasks could only log that they
// cannot, and the run would stand still.
func (c *seedCmd) checkOut(ctx context.Context, f *fleet, r ledger.Run) error {
	if !c.Check || r.Options.Out == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := f.openSink(ctx, r)
	if err != nil {
		return taken(err)
	}
	return out.Close()
}

// complete makes the target whole, which may take a look at it.
func (c *seedCmd) complete(ctx context.Context, w *work, tgt *target, only *filter.Filter) (err error) {
	if w.jobs, err = c.readJobs(); err != nil {
		return err
	}
	w.hooks, w.sql, w.seeds = &c.webhookFlags, &c.sqlFlags, true
	if err := w.connect(ctx, tgt.root.Kind, 1, 0); err != nil {
		return err
	}
	if err := w.checkEach(*tgt); err != nil {
		return err
	}
	if !c.Check && tgt.root.Kind == graph.Kind {
		return unreadWalk(tgt, c.MaxDepth)
	}
	if tgt.ready == nil || !c.Check && tgt.root.Kind != s3inventory.Kind {
		return nil
	}
	return tgt.ready(ctx, tgt, w, &c.walkFlags, only)
}

// follow watches the run to its end, and to its results.
func (c *seedCmd) follow(ctx context.Context, f *fleet, w *work) error {
	k := f.kept()
	last, err := k.watch(ctx, c.walkFlags.Run, w.term)
	if err != nil {
		return err
	}
	if ctx.Err() != nil && !last.State.Over() {
		fmt.Fprintf(w.std.err, "the run goes on; `%s` follows it\n", k.command("watch", c.walkFlags.Run))
		return exitError(exitInterrupted)
	}
	sum, err := f.ended(ctx, c.walkFlags.Run)
	if err != nil {
		return err
	}
	sum.Options = k.options
	if err := w.tell(sum); err != nil {
		return err
	}
	if sum.State != console.Finished {
		return exitError(exitFailures)
	}
	return nil
}
