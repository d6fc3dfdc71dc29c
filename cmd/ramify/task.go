package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/none"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/sweep"
	"github.com/ramify/ramify/task"
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
	Sweep       string `help:"Time between two looks for what the queue has lost and for runs that are over; off: other tasks do." default:"10s"`
	NoProgress  string `help:"Time without progress after which a run is swept." default:"10m"`
	UntilEmpty  bool   `help:"End when the queue is empty and all is done."`
}

// taskSettings are a task's settings, read.
type taskSettings struct {
	concurrency, retries, inline, pollRate int
	visibility, grace, sweep, noProgress   time.Duration
	health, metrics                        string
	kinds                                  processor.Set
}

func (c *taskCmd) settings(all processor.Set) (s taskSettings, err error) {
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
	return s, err
}

// Run implements the command.
func (c *taskCmd) Run(ctx context.Context, g *cli, std streams) error {
	all := anywhere()
	client, err := s3client.Connect(ctx, 64)
	if err != nil {
		return err
	}
	crawl := &crawls{client: client}
	addObjects(all, client, crawl)
	s, err := c.settings(all)
	if err != nil {
		return err
	}
	crawl.slots = s.concurrency
	f, err := c.find(ctx)
	if err != nil {
		return err
	}
	defer f.close()
	if err := c.checkBare(f); err != nil {
		return err
	}
	if err := f.openAll(ctx); err != nil {
		return err
	}
	// Standard error has JSON even on a terminal: a task is for machines.
	log := console.Logger(std.err, false, g.Verbose)
	w := &worker{c: c, f: f, s: s, log: log, std: std, id: workerID()}
	return w.run(ctx)
}

// checkBare refuses what cannot be without a ledger.
func (c *taskCmd) checkBare(f *fleet) error {
	if _, err := f.table(); err != nil {
		return err
	}
	if f.Ledger != ledgerNone {
		return nil
	}
	if c.Out == "" {
		c.Out = f.out
	}
	switch kindOfOut(c.Out) {
	case outNone:
		return nil
	case outQueue:
		_, err := parseOut(named("out", c.Out), c.Out)
		return err
	}
	return usagef("%s is %q, but without a ledger nobody knows which results count: want the URL of an SQS queue, or --ledger dynamodb:TABLE", named("out", c.Out), c.Out)
}

// workerID names this process among all that ever work.
func workerID() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "task"
	}
	return fmt.Sprintf("%.40s-%d-%04x", host, os.Getpid(), rand.N(1<<16))
}

// worker is a task with all that surrounds it in a container.
type worker struct {
	c   *taskCmd
	f   *fleet
	s   taskSettings
	log *slog.Logger
	std streams
	id  string

	task   *task.Task
	keeper *sweep.Keeper // nil: none
}

// run works until ctx ends, then drains.
func (w *worker) run(ctx context.Context) error {
	w.log = w.log.With("worker", w.id)
	if err := w.make(); err != nil {
		return err
	}
	w.say()
	w.task.Start(ctx)
	if w.keeper != nil {
		w.keeper.Start(ctx)
	}
	err := w.wait(ctx)
	w.log.Info("draining", "grace", w.s.grace.String())
	w.task.Stop(context.WithoutCancel(ctx))
	if w.keeper != nil {
		w.keeper.Stop(context.WithoutCancel(ctx))
	}
	w.log.Info("stopped")
	return err
}

// make makes the task and its keeper.
func (w *worker) make() (err error) {
	f := w.f
	cfg := task.Config{
		ID: w.id, Queue: newSeldom(f.main, w.s.pollRate), Dead: f.dead, Processors: w.s.kinds, Keys: f.keys,
		Sink:        f.openSink,
		Concurrency: w.s.concurrency, Visibility: w.s.visibility, Grace: w.s.grace,
		// A commit costs a write, and SIGKILL a unit what it has done since.
		Checkpoint: 10 * time.Second, ShareAfter: 200 * time.Millisecond,
		Control: 5 * time.Second, Report: 5 * time.Second,
		Over:    w.over,
		Trouble: (&rarely{log: w.log}).trouble,
		Log:     w.log,
	}
	if f.records != nil {
		cfg.Ledger, cfg.Board, cfg.Shared = f.records, f.records, true
	} else {
		cfg.Ledger = none.New(none.Options{Run: w.bareOptions(), Post: f.poster().Page})
	}
	if w.task, err = task.New(cfg); err != nil {
		return err
	}
	if f.records == nil || w.s.sweep == 0 {
		return nil
	}
	w.keeper, err = sweep.NewKeeper(sweep.Options{
		Name: f.main.Name(), ID: w.id, Ledger: f.records, Board: f.records, Leaser: f.records, Poster: f.poster(),
		Dead: f.dead, Reason: task.AttrReason, Lost: w.task.Lost, Finish: f.finish,
		Every: w.s.sweep, NoProgress: w.s.noProgress, Log: w.log,
	})
	return err
}

func (w *worker) over(run string) {
	w.log.Info("run is over", "run", run)
	if w.keeper != nil {
		w.keeper.Kick(run)
	}
}

// bareOptions are those of every run where there is no ledger.
func (w *worker) bareOptions() ledger.Options {
	o := ledger.Options{Retries: w.s.retries, Inline: w.s.inline, Out: w.c.Out}
	if o.Out != "" {
		o.Format = inventory.NDJSON.String()
		o.Params = map[string]string{listing.ParamFormat: o.Format}
	}
	return o
}

// say logs what the task is, without its secrets.
func (w *worker) say() {
	w.log.Info("task begins", "version", version(), "queue", w.f.main.Name(), "dead_letters", w.f.main.DeadLetters(),
		"ledger", w.f.Ledger, "signed", w.f.keys != nil, "concurrency", w.s.concurrency,
		"visibility", w.s.visibility.String(), "grace", w.s.grace.String())
	if w.f.records == nil {
		w.log.Warn("there is no ledger: totals, progress and the end of a run are not known, a node may be processed more than once, nothing reduces, and no run can be watched, paused, cancelled or redriven")
	}
}

// wait waits for the end: a signal or, if it is asked for, an empty queue.
func (w *worker) wait(ctx context.Context) error {
	if !w.c.UntilEmpty {
		<-ctx.Done()
		return nil
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for empty := 0; empty < 3; {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		d, err := w.f.main.Depth(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, queue.ErrClosed) {
				return nil
			}
			return err
		}
		if empty++; d.Total() > 0 || !w.task.Idle() {
			empty = 0
		}
	}
	return nil
}

// rarely logs trouble, which is repeated, once in a while.
type rarely struct {
	log *slog.Logger

	mu     sync.Mutex
	next   time.Time
	hushed int
}

func (r *rarely) trouble(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Before(r.next) {
		r.hushed++
		return
	}
	r.log.Warn("trouble; it is tried again", "error", err, "others", r.hushed)
	r.next, r.hushed = now.Add(troubleEvery), 0
}

const troubleEvery = 5 * time.Second
