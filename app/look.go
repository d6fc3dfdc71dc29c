package app

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
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
}

// Run implements the command.
func (c *watchCmd) Run(ctx context.Context, g *cli, std streams) error {
	k, _, err := openKept(ctx, g, &c.fleetFlags, c.Name)
	if err != nil {
		return err
	}
	defer k.close()
	_, err = k.watch(ctx, c.Name, console.NewTerminal(std.out))
	return err
}

// watch follows a run to its end, or that of ctx, and returns what was seen last.
func (k *kept) watch(ctx context.Context, run string, t *console.Terminal) (console.Reading, error) {
	f := console.Watch(t, k.source(run))
	f.Start(ctx)
	select {
	case <-f.Done():
	case <-ctx.Done():
	}
	f.Stop()
	return f.Last()
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
	_, err = write(std.out, ledger.Failures(ctx, k.ledger, r))
	return err
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
