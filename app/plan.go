package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/ramify/ramify/plan"
	"github.com/ramify/ramify/plan/probe"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schema"
)

type planCmd struct {
	Model       string        `arg:"" help:"tree:nodes=1e6,time=100ms,fanout=10, the same fields as JSON, or s3://bucket/prefix, which is probed."`
	Min         int           `help:"Tasks that always run." default:"0"`
	Max         int           `help:"Tasks at most." default:"200"`
	Concurrency int           `help:"Slots of a task." default:"32"`
	Scaling     string        `help:"governor, target-tracking or fixed." default:"governor"`
	Metric      string        `help:"Of target-tracking: BacklogPerTask or BacklogSeconds." default:"BacklogPerTask" aliases:"track"`
	Message     time.Duration `help:"Of BacklogPerTask: the time that a message is guessed to take." default:"100ms"`
	Target      time.Duration `help:"The governor works a backlog off in; shorter is faster and dearer." default:"15s"`
	Acceptable  time.Duration `help:"Acceptable latency." default:"2m" aliases:"latency"`
	Spot        float64       `help:"Percent of the tasks on Fargate Spot; one task is not, below 100." default:"80" env:"-"`
	CPU         float64       `name:"cpu" help:"vCPU of a task." default:"1" env:"-"`
	Memory      float64       `help:"GB of a task." default:"2" env:"-"`
	Disk        float64       `help:"GB of a task's disk; more than 20 cost." default:"20"`
	X86         bool          `name:"x86" help:"x86 instead of ARM64."`
	PublicIP    bool          `name:"public-ip" help:"Tasks have a public address, which costs." default:"true" negatable:""`
	Budget      string        `help:"US dollars that the run may cost: says how far it gets before it is paused." placeholder:"USD" env:"-"`
	Seeds       int           `help:"Runs of the model: more make intervals surer." default:"20"`
	Probes      int           `help:"LIST requests to spend on probing a bucket, at most." default:"200"`
	Keys        float64       `help:"Keys under the prefix, if known; then the bucket is asked for its latency only." placeholder:"N"`
	SVG         string        `name:"svg" help:"File for the curves as a picture." placeholder:"FILE"`
	JSON        bool          `name:"json" help:"Print one JSON object, the curves included."`
}

// Run implements the command.
func (c *planCmd) Run(ctx context.Context, std streams) error {
	ask, err := c.ask()
	if err != nil {
		return err
	}
	remark, err := c.model(ctx, ask)
	if err != nil {
		return err
	}
	e, err := ask.Estimate(ctx)
	if err != nil {
		return err
	}
	if c.SVG != "" {
		if err := c.picture(e); err != nil {
			return fmt.Errorf("write %s: %w", c.SVG, err)
		}
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(struct {
			Target string `json:"target"`
			Remark string `json:"remark,omitempty"`
			Prices string `json:"prices"`
			*plan.Estimate
		}{c.Model, remark, plan.PriceRegion + " " + plan.PriceDate, e})
	}
	if err := e.WriteText(std.out); err != nil {
		return err
	}
	fmt.Fprintf(std.out, "prices of %s, %s; a model, nothing was run\n", plan.PriceRegion, plan.PriceDate)
	if remark != "" {
		fmt.Fprintln(std.out, remark)
	}
	fmt.Fprintln(std.out)
	return e.Plot(std.out, 64)
}

// ask is the fleet that the flags describe.
func (c *planCmd) ask() (*plan.Ask, error) {
	a := &plan.Ask{
		Fleet: plan.DefaultFleet(), Prices: plan.DefaultPrices(), Seeds: c.Seeds,
		Size: plan.Size{VCPU: c.CPU, GB: c.Memory, Disk: c.Disk, ARM: !c.X86, Spot: c.Spot / 100, PublicIP: c.PublicIP},
	}
	var err error
	if a.Budget, err = readBudget(c.Budget); err != nil {
		return nil, err
	}
	k := &a.Fleet.Knobs
	k.Min, k.Max, k.Concurrency, k.Target, k.Acceptable = c.Min, c.Max, c.Concurrency, c.Target, c.Acceptable
	a.Fleet.Scaling = plan.Scaling(c.Scaling)
	switch {
	case c.Seeds < 1 || c.Seeds > 1000:
		return nil, usagef("--seeds is %d, want 1 to 1000", c.Seeds)
	case c.Probes < 1 || c.Probes > 10_000:
		return nil, usagef("--probes is %d, want 1 to 10000", c.Probes)
	case c.Keys < 0 || c.Keys > 1e15 || math.IsNaN(c.Keys):
		return nil, usagef("--keys is %v, want 0 to 1e15", c.Keys)
	case !(c.Spot >= 0 && c.Spot <= 100):
		return nil, usagef("--spot is %v, want percent of the tasks, 0 to 100", c.Spot)
	case c.Message < time.Millisecond || c.Message > time.Hour:
		return nil, usagef("--message is %v, want 1ms to 1h", c.Message)
	case c.Metric != scaling.MetricBacklogSeconds && c.Metric != scaling.MetricBacklogPerTask:
		return nil, usagef("--metric is %q, want %s or %s", c.Metric, scaling.MetricBacklogSeconds, scaling.MetricBacklogPerTask)
	}
	for _, check := range []func() error{a.Fleet.Check, a.Size.Check} {
		if err := check(); err != nil {
			return nil, flagError(err)
		}
	}
	a.Fleet.Tracks = scaling.Tracks(*k, c.Metric, c.Message)
	return a, nil
}

// flagError makes a bad field one of the command line.
func flagError(err error) error {
	if field := (*schema.FieldError)(nil); errors.As(err, &field) {
		return usagef("--%s is %s, want %s", field.Field, field.Value, field.Want)
	}
	return usageError{err}
}

// model sets what is planned, and has a remark on it.
func (c *planCmd) model(ctx context.Context, a *plan.Ask) (remark string, err error) {
	if strings.HasPrefix(c.Model, "s3://") {
		return c.probe(ctx, a)
	}
	m, err := plan.ParseModel(c.Model)
	if err != nil {
		return "", usageError{err}
	}
	a.Model = func(uint64) *plan.Model { return m }
	return "", nil
}

// probe asks a bucket.
func (c *planCmd) probe(ctx context.Context, a *plan.Ask) (remark string, err error) {
	bucket, prefix, err := s3crawl.ParseURL(c.Model)
	if err != nil {
		return "", usageError{err}
	}
	client, err := s3client.Connect(ctx, 1)
	if err != nil {
		return "", err
	}
	list := s3crawl.On(client)
	if err := list.Check(ctx, s3crawl.Query{Bucket: bucket, Prefix: prefix}); err != nil {
		return "", err
	}
	requests := c.Probes
	if c.Keys > 0 {
		requests = min(requests, 20)
	}
	f, err := probe.Look(ctx, probe.Options{
		Lister: list, Bucket: bucket, Prefix: prefix, Requests: requests, Seed: uint64(time.Now().UnixNano()),
	})
	if err != nil {
		return "", fmt.Errorf("probe %s: %w", c.Model, err)
	}
	keys := f.Keys
	if c.Keys > 0 {
		keys = func(uint64) float64 { return c.Keys }
	}
	a.Model = func(seed uint64) *plan.Model { return plan.Crawl(keys(seed), f.Mean(seed)) }
	low, mid, high := f.Range()
	remark = fmt.Sprintf("keys: %.3g (%.3g to %.3g), by %d LIST requests of %v; a node is a page of 1,000",
		mid, low, high, len(f.Latency), f.Mean(0).Round(time.Millisecond))
	switch {
	case c.Keys > 0:
		remark = fmt.Sprintf("keys: %.3g, as given; %d LIST requests took %v each", c.Keys, len(f.Latency), f.Mean(0).Round(time.Millisecond))
	case f.Complete:
		remark = fmt.Sprintf("keys: %.0f, all of them seen", f.Seen)
	case f.Rough():
		remark += "\nkeys lie in heaps, as files do, and the estimate is a rough guess: CloudWatch's NumberOfObjects of the bucket, given as --keys, is better"
	}
	return remark, nil
}

func (c *planCmd) picture(e *plan.Estimate) (err error) {
	f, err := os.Create(c.SVG)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return e.SVG(f, "ramify plan "+c.Model)
}
