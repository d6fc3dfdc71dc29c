package app

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/plan"
)

// readBudget reads the value of --budget; 0: none was given.
func readBudget(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		return 0, usagef("%s is %q, want US dollars, more than 0, such as 2.50", named("budget", text), text)
	}
	return v, nil
}

// checkBudget refuses to let a run go on that has spent its budget, unless with a
// higher one; budget 0: none was given.
func checkBudget(r ledger.Run, budget float64, command string) error {
	spent := r.Options.Spent()
	switch {
	case r.State.Over() || !r.Options.OverBudget() || budget > spent:
		return nil
	case budget == 0:
		return usagef("run %s has spent its budget of %s: to go on, raise it above the %s that it has cost so far, by estimate: `%s`",
			r.ID, console.Dollars(r.Options.Budget()), console.Dollars(spent), command)
	default:
		return usagef("--budget is %s, but run %s has cost %s so far, by estimate: want more, `%s`",
			ledger.Dollars(budget), r.ID, console.Dollars(spent), command)
	}
}

// withBudget is a change that also sets the run's budget, if one is given.
func withBudget(c ledger.Change, budget float64) ledger.Change {
	if budget != 0 {
		c.Params = map[string]string{ledger.ParamBudget: ledger.Dollars(budget)}
	}
	return c
}

// requestCost is what the requests of a run cost, in dollars. On this machine nothing
// else does.
func requestCost(r ledger.Run, requests map[string]int64) float64 {
	prices := metricfn.Prices{Requests: metricfn.DefaultPrices(plan.Size{}).Requests}
	return prices.Split([]ledger.Run{r}, [][]ledger.Worker{{{Requests: requests}}})[0]
}

// exhausted pauses a run of this machine that has cost its budget, and reports whether
// it has.
func (w *work) exhausted(ctx context.Context, st *state, r ledger.Run, source console.Source) (bool, error) {
	if r.Options.Budget() == 0 {
		return false, nil
	}
	snap, err := source(ctx)
	if err != nil {
		return false, err
	}
	c, spent := r.Exhaust(requestCost(r, snap.Requests))
	if !spent {
		return false, nil
	}
	if _, err := st.ledger.Amend(context.WithoutCancel(ctx), st.run, c); err != nil {
		return false, fmt.Errorf("pause for the budget: %w", err)
	}
	return true, nil
}

// priceFlags say what a task costs.
type priceFlags struct {
	CPU       string `name:"cpu" help:"Of a task, for its price: 1024 is a vCPU." placeholder:"UNITS"`
	Memory    string `help:"Of a task, for its price, in MiB." placeholder:"MIB"`
	Arch      string `help:"Of a task, for its price: arm64 or x86_64." placeholder:"ARCH"`
	Spot      string `help:"Part of the tasks that are on Fargate Spot, for their price." placeholder:"PART"`
	Disk      string `help:"Of a task, for its price, in GiB." placeholder:"GIB"`
	PublicIP  string `name:"public-ip" help:"Whether a task has a public address, for its price: true or false." placeholder:"BOOL"`
	TaskPrice string `help:"Dollars an hour of a task (default: from its size, at us-east-1's prices)." placeholder:"DOLLARS"`
}

func (c *priceFlags) values() map[string]string {
	return map[string]string{"cpu": c.CPU, "memory": c.Memory, "arch": c.Arch, "spot": c.Spot, "disk": c.Disk, "public-ip": c.PublicIP, "task-price": c.TaskPrice}
}

// prices reads them as metricfn does: a budget is held against what it publishes. What
// they do not say the stack of a fleet may; nil: none is known.
func (c *priceFlags) prices(f *fleet) (metricfn.Prices, error) {
	flags := c.values()
	if f != nil {
		for flag, value := range flags {
			flags[flag] = f.knob(flag, value)
		}
	}
	p, err := metricfn.ReadPrices(func(v string) string { return flags[flagOf(v)] })
	return p, f.badKnob(err)
}

// flagOf is the flag of an environment variable.
func flagOf(variable string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, "RAMIFY_"), "_", "-"))
}
