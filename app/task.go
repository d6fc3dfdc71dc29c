package app

import (
	"context"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/graph"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/s3client"
)

// taskCmd has its settings as text: what is wrong is said by the variable's name.
type taskCmd struct {
	fleetFlags
	Out         string `help:"Where results of runs go where there is no ledger: the URL of a queue." placeholder:"URL"`
	Concurrency string `help:"Things done at a time; runs may say another number." default:"64"`
	Visibility  string `help:"For how long a message is hidden that a task has received, and extended while it holds it." default:"60s"`
	Retries     string `help:"Failures of a node before it is given up, where there is no ledger." default:"${retries}"`
	Inline      string `help:"Nodes that one message may process itself, where there is no ledger." default:"${inline}"`
	Grace       string `help:"For what is under way when the task is told to stop." default:"25s"`
	Kinds       string `help:"Kinds of nodes that are processed; others go to the dead-letter queue (default: all)." placeholder:"KIND,…"`
	PollRate    string `help:"Receives a minute at most while the queue is empty." default:"30"`
	Health      string `help:"Where to answer whether the task is well (default: nowhere)." placeholder:"HOST:PORT"`
	Metrics     string `help:"Metrics on standard output: emf, CloudWatch's embedded metric format, or none." default:"emf"`
	Fleet       string `help:"Name of the fleet in the metrics: a dimension of Nodes (default: none)." placeholder:"NAME"`
	Sweep       string `help:"Time between two looks for what the queue has lost and for runs that are over; off: other tasks do." default:"10s"`
	NoProgress  string `help:"Time without progress after which a run is swept." default:"10m"`
	jobsFlags
	priceFlags
	webhookFlags
	sqlFlags
	compatFlags
	UntilEmpty bool `help:"End when the queue is empty and all is done."`
}

// taskSettings are a task's settings, read.
type taskSettings struct {
	concurrency, retries, inline, pollRate int
	visibility, grace, sweep, noProgress   time.Duration
	health, metrics                        string
	kinds                                  processor.Set
	hooks                                  *application // nil: none
	prices                                 metricfn.Prices
}

func (c *taskCmd) settings(all processor.Set) (s taskSettings, err error) {
	if err := c.addRows(all, false); err != nil {
		return s, err
	}
	if s.hooks, err = c.read(); err != nil {
		return s, err
	}
	if err := s.hooks.addTo(all); err != nil {
		return s, err
	}
	if err := addOwn(all); err != nil {
		return s, err
	}
	err = readSettings([]setting{
		{"concurrency", c.Concurrency, number(&s.concurrency, 1, 10_000)},
		{"visibility", c.Visibility, duration(&s.visibility, 2*time.Second, 12*time.Hour)},
		{"retries", c.Retries, number(&s.retries, 0, 1000)},
		{"inline", c.Inline, number(&s.inline, 0, 1_000_000)},
		{"grace", c.Grace, duration(&s.grace, 0, time.Hour)},
		{"kinds", c.Kinds, someKinds(&s.kinds, all)},
		{"poll-rate", c.PollRate, number(&s.pollRate, 1, 6000)},
		{"health", c.Health, address(&s.health)},
		{"metrics", c.Metrics, one(&s.metrics, "emf", "none")},
		{"sweep", c.Sweep, orOff(duration(&s.sweep, time.Second, time.Hour))},
		{"no-progress", c.NoProgress, duration(&s.noProgress, 10*time.Second, 24*time.Hour)},
	})
	if err == nil {
		s.prices, err = c.prices(nil)
	}
	return s, err
}

// Run implements the command.
func (c *taskCmd) Run(ctx context.Context, g *cli, std streams) error {
	tuneMemory()
	if c.Compat != "" {
		return c.runCompat(ctx, g, std)
	}
	all := anywhere()
	cfg, err := s3client.LoadConfig(ctx)
	if err != nil {
		return err
	}
	client := s3client.FromConfig(cfg, 64)
	slots, copying := 0, &copies{cfg: cfg}
	addObjects(all, client, false, copying, func(newOn func(s3crawl.Lister, int) processor.Processor) processor.Processor {
		return &crawls{client: client, slots: &slots, make: newOn}
	})
	var visits ledger.Visits // known when the fleet is
	all[graph.Kind] = graph.New(graph.Options{
		Visits: func() ledger.Visits { return visits },
		Fetch:  fetchFrom(func(context.Context) (*s3client.Client, error) { return client, nil }),
	})
	file, err := c.readJobs()
	if err != nil {
		return err
	}
	told := onSQS(cfg)
	defer told.close()
	addCommands(all, file, told)
	s, err := c.settings(all)
	if err != nil {
		return err
	}
	slots, copying.slots = s.concurrency, s.concurrency
	f, err := c.find(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	if err := c.checkBare(f); err != nil {
		return err
	}
	// Standard error has JSON even on a terminal: a task is for machines.
	log := console.Logger(std.err, false, g.Verbose)
	w := &worker{c: c, f: f, s: s, std: std}
	w.identify(ctx, log)
	if err := f.openAll(ctx, w.log); err != nil {
		return err
	}
	f.routes = newRoutes(f.cfg, file, f.main.Name())
	s.hooks.open(f.keys, f.main.Name())
	if f.records != nil {
		visits = f.records
	}
	return w.run(ctx)
}
