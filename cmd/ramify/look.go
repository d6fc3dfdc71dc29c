package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// glance opens a run to look at it, whoever works on it.
func glance(ctx context.Context, g *cli, run string) (*state, ledger.Run, error) {
	st, err := openState(ctx, g, run, store.Options{MustExist: true})
	if err != nil {
		return nil, ledger.Run{}, err
	}
	r, err := st.ledger.Run(ctx, run)
	if err != nil {
		st.close()
		if errors.Is(err, ledger.ErrNoRun) {
			err = usagef("run %s was never begun: remove %s and start it again", run, statePath(g.State, run))
		}
		return nil, ledger.Run{}, err
	}
	return st, r, nil
}

type statusCmd struct {
	Name string `arg:"" name:"run" help:"Name of the run."`
	JSON bool   `name:"json" help:"Print the object with which run --json ends."`
}

// Run implements the command.
func (c *statusCmd) Run(ctx context.Context, g *cli, std streams) error {
	st, r, err := glance(ctx, g, c.Name)
	if err != nil {
		return err
	}
	defer st.close()
	snap, err := console.Look(st.ledger, st.ledger, c.Name, st.store.Owned)(ctx)
	if err != nil {
		return err
	}
	if !c.JSON {
		return console.WriteStatus(std.out, snap, g.options())
	}
	sum := snap.Summary()
	if r.State.Over() {
		kept, found, err := st.loadSummary(ctx, r.Epoch)
		if err != nil {
			return fmt.Errorf("read summary of run %s: %w", c.Name, err)
		}
		if found {
			sum = kept
		}
	}
	return sum.WriteJSON(std.out)
}

type watchCmd struct {
	Name string `arg:"" name:"run" help:"Name of the run."`
}

// Run implements the command.
func (c *watchCmd) Run(ctx context.Context, g *cli, std streams) error {
	st, _, err := glance(ctx, g, c.Name)
	if err != nil {
		return err
	}
	defer st.close()
	f := console.Watch(console.NewTerminal(std.out), console.Look(st.ledger, st.ledger, c.Name, st.store.Owned))
	f.Start(ctx)
	select {
	case <-f.Done():
	case <-ctx.Done():
	}
	f.Stop()
	_, err = f.Last()
	return err
}

type failedCmd struct {
	Name string `arg:"" name:"run" help:"Name of the run."`
	JSON bool   `name:"json" help:"Print one JSON object a line."`
}

// Run implements the command.
func (c *failedCmd) Run(ctx context.Context, g *cli, std streams) error {
	st, r, err := glance(ctx, g, c.Name)
	if err != nil {
		return err
	}
	defer st.close()
	write := console.WriteFailures
	if c.JSON {
		write = console.WriteFailuresJSON
	}
	_, err = write(std.out, ledger.Failures(ctx, st.ledger, r))
	return err
}

type pauseCmd struct {
	Name string `arg:"" name:"run" help:"Name of the run."`
}

// Run implements the command.
func (c *pauseCmd) Run(ctx context.Context, g *cli, std streams) error {
	return amend(ctx, g, std, c.Name, func(r ledger.Run) ledger.Change {
		yes := true
		return ledger.Change{From: ledger.Running, Epoch: r.Epoch, Paused: &yes}
	})
}

type cancelCmd struct {
	Name string `arg:"" name:"run" help:"Name of the run."`
}

// Run implements the command.
func (c *cancelCmd) Run(ctx context.Context, g *cli, std streams) error {
	return amend(ctx, g, std, c.Name, func(r ledger.Run) ledger.Change {
		return ledger.Change{From: ledger.Running, Epoch: r.Epoch, State: ledger.Cancelled}
	})
}

func unpause(r ledger.Run) ledger.Change {
	no := false
	return ledger.Change{From: ledger.Running, Epoch: r.Epoch, Paused: &no}
}

// amend changes a run's record and says how it then stands.
func amend(ctx context.Context, g *cli, std streams, run string, change func(ledger.Run) ledger.Change) error {
	st, r, err := glance(ctx, g, run)
	if err != nil {
		return err
	}
	defer st.close()
	r, err = st.ledger.Amend(ctx, run, change(r))
	if errors.Is(err, ledger.ErrConflict) {
		return usagef("run %s is %s: that cannot be changed any more", run, r.State)
	}
	if err != nil {
		return err
	}
	now := string(r.State)
	if r.Paused && r.State == ledger.Running {
		now = "paused: `" + g.command("resume", run) + "` lets it go on"
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
