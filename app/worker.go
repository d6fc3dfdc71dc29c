package app

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"github.com/ramify/ramify/internal/ecs"
	"github.com/ramify/ramify/internal/emf"
	"github.com/ramify/ramify/internal/health"
	"github.com/ramify/ramify/ledger/none"
	"github.com/ramify/ramify/sweep"
	"github.com/ramify/ramify/task"
)

// worker is a task with all that surrounds it in a container.
type worker struct {
	c   *taskCmd
	f   *fleet
	s   taskSettings
	log *slog.Logger
	std streams

	id      string
	fixed   map[string]string // what metrics say of the task
	task    *task.Task
	keeper  *sweep.Keeper // nil: none
	protect *ecs.Protection
	metrics *emf.Metrics // nil: none
	health  *health.Server
	plight  *plight

	replaced func(context.Context) (bool, error) // nil: no service of ECS has started it
}

// identify names this process among all that ever work: by its ECS task, where
// there is one.
func (w *worker) identify(ctx context.Context, log *slog.Logger) {
	m, err := ecs.ReadMetadata(ctx, os.Getenv(ecs.MetadataVar))
	if err != nil {
		log.Warn("the task goes on without its ECS metadata", "error", err)
	}
	if w.id = m.TaskID(); w.id == "" {
		w.id = hostID()
	} else {
		w.fixed = map[string]string{"Cluster": m.Cluster, "Family": m.Family, "Revision": m.Revision, "Zone": m.AvailabilityZone}
	}
	w.replaced = replacedBy(w.f.cfg, m)
	w.log = log.With("worker", w.id)
}

func hostID() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "task"
	}
	return fmt.Sprintf("%.40s-%d-%04x", host, os.Getpid(), rand.N(1<<16))
}

// run works until ctx ends, then drains.
func (w *worker) run(ctx context.Context) error {
	if err := w.make(); err != nil {
		return err
	}
	if err := w.health.Start(ctx); err != nil {
		return err
	}
	w.say()
	w.f.watch.Start()
	w.protect.Start(ctx)
	if w.metrics != nil {
		w.metrics.Start(ctx)
	}
	w.task.Start(ctx)
	if w.keeper != nil {
		w.keeper.Start(ctx)
	}
	err := w.wait(ctx)
	w.log.Info("draining", "grace", w.s.grace.String())
	w.stop(ctx)
	w.log.Info("stopped")
	return err
}

// stop drains: what is under way has its grace, the rest is given back. Results of
// a run that ended just now have what is left of the grace after a signal, and
// otherwise as long as they take.
func (w *worker) stop(signal context.Context) {
	ctx := context.WithoutCancel(signal)
	graced := time.Now().Add(w.s.grace)
	if w.keeper != nil {
		// A ledger that is away must not take the time that units have to end.
		soon, cancel := context.WithTimeout(ctx, time.Second)
		w.keeper.Yield(soon)
		cancel()
	}
	w.task.Stop(ctx)
	if w.keeper != nil {
		results, cancel := signal, context.CancelFunc(func() {})
		if signal.Err() != nil {
			results, cancel = context.WithDeadline(ctx, graced) // of both together: a container is not given more
		}
		w.keeper.Stop(results)
		cancel()
	}
	if w.metrics != nil {
		w.metrics.Stop()
	}
	last, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	w.protect.Stop(last)
	w.health.Stop(last)
}

// make makes the task and what surrounds it.
func (w *worker) make() (err error) {
	w.plight = newPlight()
	w.protect = ecs.NewProtection(ecs.Options{Agent: os.Getenv(ecs.AgentVar), Log: w.log, Replaced: w.replaced})
	if w.health, err = health.New(w.s.health, w.plight.alive, w.log); err != nil {
		return err
	}
	f := w.f
	rarely := &rarely{log: w.log}
	cfg := task.Config{
		ID: w.id, Queue: newSeldom(f.main, w.s.pollRate), Dead: f.dead, Processors: w.s.kinds, Keys: f.keys, Route: f.routes.route(),
		Sink:        f.openSink,
		Concurrency: w.s.concurrency, Visibility: w.s.visibility, Grace: w.s.grace,
		// A commit costs a write, and SIGKILL a unit what it has done since.
		Checkpoint: 10 * time.Second, ShareAfter: 200 * time.Millisecond,
		Control: 5 * time.Second, Report: 5 * time.Second, Sketch: task.FleetSketching,
		Over:    w.over,
		Busy:    w.protect.Busy,
		Observe: w.observe,
		Trouble: func(err error) {
			rarely.trouble(err)
			w.plight.trouble(err)
		},
		Log: w.log,
	}
	if w.s.metrics == "emf" {
		w.metrics = emf.New(w.std.out, emf.Options{Fixed: w.fixed, Fleet: w.c.Fleet, Log: w.log})
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
		Dead: f.dead, Reason: task.AttrReason, Lost: w.task.Lost, Finish: f.finish, Cost: w.s.prices.Split,
		Every: w.s.sweep, NoProgress: w.s.noProgress, Log: w.log,
	})
	return err
}

func (w *worker) observe(o task.Observation) {
	if o.Nodes > 0 {
		w.plight.well()
	}
	if w.metrics != nil {
		w.metrics.Work(emf.Work(o))
	}
}

func (w *worker) over(run string) {
	if w.f.records == nil {
		return // only a root without children is known to be done
	}
	w.log.Info("run is over", "run", run)
	if w.keeper != nil {
		w.keeper.Kick(run)
	}
}

// say logs what the task is, without its secrets.
func (w *worker) say() {
	w.log.Info("task begins", "version", version(), "queue", w.f.main.Name(), "dead_letters", w.f.main.DeadLetters(),
		"ledger", w.f.Ledger, "signed", w.f.keys != nil, "concurrency", w.s.concurrency,
		"visibility", w.s.visibility.String(), "grace", w.s.grace.String(), "health", w.health.Address())
	if w.f.records == nil {
		w.log.Warn("there is no ledger: totals, progress and the end of a run are not known, a node may be processed more than once, nothing reduces, and no run can be watched, paused, cancelled or redriven")
	}
}

// wait waits for the end: a signal, trouble that does not end or, if it is asked for,
// an empty queue.
func (w *worker) wait(ctx context.Context) error { return w.waitFor(ctx, w.task.Idle) }

// waitFor is wait for what is idle when idle says so.
func (w *worker) waitFor(ctx context.Context, idle func() bool) error {
	var look <-chan time.Time
	if w.c.UntilEmpty {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		look = ticker.C
	}
	for empty := 0; empty < 3; {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.plight.ends:
			return err
		case <-look:
		}
		d, err := w.f.main.Depth(ctx)
		if err != nil {
			w.plight.trouble(err) // others may pass, and it is asked again
		}
		if empty++; err != nil || d.Total() > 0 || !idle() {
			empty = 0
		}
	}
	return nil
}
