package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sweep"
)

// openFleet opens a fleet to post to it, and a run of it.
func (c *onFlags) openFleet(ctx context.Context) (*fleet, ledger.Run, error) {
	if c.Moved {
		return nil, ledger.Run{}, usagef("--moved is set, but on a fleet the tasks' environment says where S3 is")
	}
	if c.Web.address != "" {
		return nil, ledger.Run{}, usagef("--web is set, but a fleet's runs are shown by `ramify serve`, with --stack or --ledger as here")
	}
	if fromEnvironment("concurrency", strconv.Itoa(c.Concurrency)) {
		c.Concurrency = 0 // that is what a task has where a run says nothing
	}
	file, err := c.readJobs()
	if err != nil {
		return nil, ledger.Run{}, err
	}
	f, err := c.openRecords(ctx)
	if err != nil {
		return nil, ledger.Run{}, err
	}
	r, err := f.run(ctx, c.Name)
	if err == nil {
		err = f.openToPost(ctx)
	}
	if err == nil {
		f.routes = newRoutes(f.cfg, file, f.main.Name())
	}
	if err != nil {
		f.close()
		return nil, ledger.Run{}, err
	}
	return f, r, nil
}

// resumeFleet lets a run of a fleet go on, and posts again what may be lost.
func (c *resumeCmd) resumeFleet(ctx context.Context, std streams, budget float64) error {
	f, r, err := c.openFleet(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	if r.State.Over() {
		return usagef("run %s is %s: there is nothing to go on with", c.Name, r.State)
	}
	k := f.kept()
	if err := checkBudget(r, budget, k.command("resume", c.Name)+" --budget USD"); err != nil {
		return err
	}
	if r, err = k.amend(ctx, c.Name, goOn(c.Concurrency, budget)(r)); err != nil {
		return err
	}
	n, err := sweep.Run(ctx, f.records, f.poster(), c.Name)
	if err != nil {
		return err
	}
	f.wake(ctx, std.err)
	return c.say(std, r, n)
}

// redriveFleet begins a new epoch of a run of a fleet.
func (c *onFlags) redriveFleet(ctx context.Context, std streams) error {
	f, r, err := c.openFleet(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	if r.State != ledger.Failed {
		return cannotRedrive(r)
	}
	if c.Concurrency != 0 {
		if _, err := f.records.Amend(ctx, c.Name, ledger.Change{From: ledger.Failed, Epoch: r.Epoch, Concurrency: &c.Concurrency}); err != nil {
			return err
		}
	}
	r, err = seed.Redrive(ctx, f.records, f.poster(), c.Name)
	if errors.Is(err, ledger.ErrConflict) {
		return cannotRedrive(r)
	}
	if err != nil {
		return err
	}
	f.wake(ctx, std.err)
	return c.say(std, r, 1)
}

// say says how a run of a fleet stands, and how much was posted for it.
func (c *onFlags) say(std streams, r ledger.Run, posted int) error {
	if c.JSON {
		return json.NewEncoder(std.out).Encode(struct {
			Run    string       `json:"run"`
			State  ledger.State `json:"state"`
			Epoch  int          `json:"epoch"`
			Posted int          `json:"posted"`
		}{r.ID, r.State, r.Epoch, posted})
	}
	noun := "messages"
	if posted == 1 {
		noun = "message"
	}
	_, err := fmt.Fprintf(std.out, "run %s is %s; %d %s posted\n", r.ID, r.State, posted, noun)
	return err
}
