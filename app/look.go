package app

import (
	"context"
	"fmt"
	"strconv"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/web"
)

type statusCmd struct {
	Name string `arg:"" optional:"" name:"run" help:"Name of the run; without one, all runs are listed."`
	JSON bool   `name:"json" help:"Print the object with which run --json ends."`
	fleetFlags
}

// Run implements the command.
func (c *statusCmd) Run(ctx context.Context, g *cli, std streams) error {
	if c.Name == "" {
		return c.list(ctx, g, std)
	}
	k, r, err := openKept(ctx, g, &c.fleetFlags, c.Name)
	if err != nil {
		return err
	}
	defer k.close()
	snap, err := k.source(c.Name)(ctx)
	if err != nil {
		return err
	}
	if !c.JSON {
		return console.WriteStatus(std.out, snap, k.options)
	}
	sum, err := k.look(ctx, r, snap)
	if err != nil {
		return err
	}
	return sum.WriteJSON(std.out)
}

type watchCmd struct {
	Name string `arg:"" name:"run" help:"Name of the run."`
	fleetFlags
	priceFlags
}

// Run implements the command.
func (c *watchCmd) Run(ctx context.Context, g *cli, std streams) error {
	t := console.NewTerminal(std.out)
	if !t.TTY() {
		k, _, err := openKept(ctx, g, &c.fleetFlags, c.Name)
		if err != nil {
			return err
		}
		defer k.close()
		_, err = follow(ctx, t, k.source(c.Name))
		return err
	}
	w, err := openWatched(ctx, g, &c.fleetFlags, c.priceFlags, c.Name)
	if err != nil {
		return err
	}
	defer w.Close()
	_, err = follow(ctx, t, w.noted)
	return err
}

// follow follows a run to its end, or that of ctx, and returns what was seen last.
func follow(ctx context.Context, t *console.Terminal, source console.Source) (console.Reading, error) {
	f := console.Watch(t, source)
	f.Start(ctx)
	select {
	case <-f.Done():
	case <-ctx.Done():
	}
	f.Stop()
	return f.Last()
}

// watch follows a run of a fleet, of which no more is known than its ledger does.
func (k *kept) watch(ctx context.Context, run string, t *console.Terminal) (console.Reading, error) {
	source := k.source(run)
	if !t.TTY() {
		return follow(ctx, t, source)
	}
	w := &watched{kept: k, source: source, run: run, redrawn: redrawnOnFleet, prefixes: &prefixTree{}}
	w.look = func(context.Context, *web.View) error { return nil }
	return follow(ctx, t, w.noted)
}

// openWatched opens a run to be looked at with all that is known of it: of this machine,
// or of a fleet that is named. Close it in the end.
func openWatched(ctx context.Context, g *cli, f *fleetFlags, p priceFlags, run string) (*watched, error) {
	if !f.given() {
		st, r, err := glance(ctx, g, run)
		if err != nil {
			return nil, err
		}
		return st.watched(ctx, g, r), nil
	}
	if err := schema.CheckRunName(run); err != nil {
		return nil, usageError{err}
	}
	if _, err := p.prices(nil); err != nil {
		return nil, err
	}
	sh, err := openShore(ctx, g, &startFlags{fleetFlags: *f}, &p)
	if err != nil {
		return nil, err
	}
	r, err := sh.fleet.run(ctx, run)
	if err != nil {
		sh.close()
		return nil, err
	}
	w := sh.watched(r)
	w.close = sh.close
	return w, nil
}

// noted is the run as it stands, with notes on what it costs and what its fleet does.
func (w *watched) noted(ctx context.Context) (console.Snapshot, error) {
	v, err := w.Look(ctx)
	if err != nil {
		return console.Snapshot{}, err
	}
	v.Notes = notesOf(&v)
	return v.Snapshot, nil
}

// notesOf are the lines on cost and fleet.
func notesOf(v *web.View) (notes []console.Note) {
	if c := v.Cost; c != nil {
		n := console.Note{Name: "cost", Value: console.Dollars(c.SoFar), Remark: "by estimate"}
		if !v.State.Over() && c.Total > 0 {
			n.Remark = "of about " + console.Dollars(c.Total) + ", by estimate"
		}
		notes = append(notes, n)
	}
	if f := v.Fleet; f != nil && !v.State.Over() {
		n := console.Note{Name: "tasks", Value: strconv.Itoa(f.Running)}
		if f.Desired > 0 || f.Pending > 0 {
			n.Remark = fmt.Sprintf("of %d desired, %d pending", f.Desired, f.Pending)
		}
		notes = append(notes, n)
		q := console.Note{Name: "backlog", Value: console.Count(f.Unread + f.Delayed), Remark: console.Count(f.InFlight) + " in flight"}
		if f.BacklogSeconds != nil && f.Target != nil {
			q.Remark += fmt.Sprintf(", %s a task, target %s", console.Elapsed(*f.BacklogSeconds), console.Elapsed(*f.Target))
		}
		notes = append(notes, q)
	}
	return notes
}

type failedCmd struct {
	Name string `arg:"" name:"run" help:"Name of the run."`
	JSON bool   `name:"json" help:"Print one JSON object a line."`
	fleetFlags
}

// Run implements the command.
func (c *failedCmd) Run(ctx context.Context, g *cli, std streams) error {
	k, r, err := openKept(ctx, g, &c.fleetFlags, c.Name)
	if err != nil {
		return err
	}
	defer k.close()
	write := console.WriteFailures
	if c.JSON {
		write = console.WriteFailuresJSON
	}
	n, err := write(std.out, ledger.Failures(ctx, k.ledger, r))
	if err != nil {
		return err
	}
	// Counted behind the list, so that none that came in between is said to be missing from
	// it that is there.
	snap, err := k.source(c.Name)(ctx)
	if err != nil {
		return err
	}
	if more := console.Unlisted(snap.Failures-int64(n), snap.State); more != "" {
		return say(std.err, "%s\n", more)
	}
	if n == 0 && !c.JSON {
		return say(std.out, "No node was given up.\n")
	}
	return nil
}

type pauseCmd struct {
	Name string `arg:"" name:"run" help:"Name of the run."`
	fleetFlags
}

// Run implements the command.
func (c *pauseCmd) Run(ctx context.Context, g *cli, std streams) error {
	return amend(ctx, g, &c.fleetFlags, std, c.Name, func(r ledger.Run) ledger.Change {
		yes := true
		return ledger.Change{From: ledger.Running, Epoch: r.Epoch, Paused: &yes}
	})
}

type cancelCmd struct {
	Name string `arg:"" name:"run" help:"Name of the run."`
	fleetFlags
}

// Run implements the command.
func (c *cancelCmd) Run(ctx context.Context, g *cli, std streams) error {
	return amend(ctx, g, &c.fleetFlags, std, c.Name, func(r ledger.Run) ledger.Change {
		return ledger.Change{From: ledger.Running, Epoch: r.Epoch, State: ledger.Cancelled}
	})
}

// goOn lets a run that is paused go on, with another number of things done at a
// time and another budget, if they are given.
func goOn(concurrency int, budget float64) func(ledger.Run) ledger.Change {
	return func(r ledger.Run) ledger.Change {
		no := false
		c := ledger.Change{From: ledger.Running, Epoch: r.Epoch, Paused: &no}
		if concurrency != 0 {
			c.Concurrency = &concurrency
		}
		return withBudget(c, budget)
	}
}

// amend changes a run's record and says how it then stands.
func amend(ctx context.Context, g *cli, f *fleetFlags, std streams, run string, change func(ledger.Run) ledger.Change) error {
	k, r, err := openKept(ctx, g, f, run)
	if err != nil {
		return err
	}
	defer k.close()
	if r, err = k.amend(ctx, run, change(r)); err != nil {
		return err
	}
	now := string(r.State)
	if r.Paused && r.State == ledger.Running {
		now = "paused: `" + k.command("resume", run) + "` lets it go on"
	}
	_, err = fmt.Fprintf(std.out, "run %s is %s\n", run, now)
	return err
}

type schemaCmd struct{}

// Run implements the command.
func (schemaCmd) Run(std streams) error {
	_, err := std.out.Write(schema.JSONSchema())
	return err
}
