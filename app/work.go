package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/jobs"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/graph"
	"github.com/ramify/ramify/processor/nodelist"
	"github.com/ramify/ramify/processor/s3copy"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/processor/s3objects"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/stream"
	"github.com/ramify/ramify/sweep"
	"github.com/ramify/ramify/task"
)

// work is one process's work on one run: the engine, what people see of it, and
// the results at the end.
type work struct {
	g           *cli
	std         streams
	json        bool
	concurrency int // 0: the run's own
	term        *console.Terminal
	log         *slog.Logger
	s3          *s3client.Client
	client      *s3crawl.Client
	copies      *copies
	params      map[string]string // kept with a run that is made
	jobs        *jobs.File        // nil: none
	outcomes    *outcomes
	kinds       string // that are processed; "" is all
	set         processor.Set
	hooks       *webhookFlags // nil: no application
	sql         *sqlFlags     // nil: as they are by default
	seeds       bool          // nothing is processed here
	st          *state        // of the run that is worked on
	graphs      *graph.Processor
	begun       func() // called once there is the run; nil: nobody asks
	storing     sync.Mutex
}

func newWork(g *cli, std streams, json bool) *work {
	term := console.NewTerminal(std.err)
	return &work{g: g, std: std, json: json, term: term, log: console.Logger(term, term.TTY(), g.Verbose), outcomes: onMachine(g)}
}

// connect makes the processors that a run of a root kind needs; maxRPS 0 is no
// cap of requests.
func (w *work) connect(ctx context.Context, kind string, concurrency, maxRPS int) error {
	w.set = anywhere()
	w.set[nodelist.Kind] = nodelist.New(func(ctx context.Context, n *processor.Node) iter.Seq2[processor.Child, error] {
		return w.st.nodes(ctx, n)
	})
	w.set[nodelist.PrefixKind] = nodelist.New(func(ctx context.Context, n *processor.Node) iter.Seq2[processor.Child, error] {
		return w.st.crawls(ctx, n)
	})
	w.graphs = graph.New(graph.Options{
		Files:  true,
		Visits: func() ledger.Visits { return w.st.ledger },
		Fetch:  fetchFrom(w.store),
	})
	w.set[graph.Kind] = w.graphs
	if kind == s3copy.Kind {
		tuneMemory() // a request an object makes as much garbage as a task does
	}
	addCommands(w.set, w.jobs, w.outcomes)
	if findsObjects(kind) || kind == nodelist.Kind || kind == s3objects.HashKind || isCommand(kind) {
		cfg, err := s3client.LoadConfig(ctx)
		if err != nil {
			return err
		}
		if w.s3 == nil {
			w.s3 = s3client.FromConfig(cfg, concurrency)
		}
		w.client = s3crawl.On(w.s3)
		w.client.Limit(maxRPS)
		w.copies = &copies{cfg: cfg, slots: concurrency}
		addObjects(w.set, w.s3, !w.seeds, w.copies, func(newOn func(s3crawl.Lister, int) processor.Processor) processor.Processor {
			return newOn(w.client, concurrency)
		})
	}
	if err := cmp.Or(w.sql, &sqlFlags{}).addRows(w.set, !w.seeds); err != nil {
		return err
	}
	if err := w.addWebhook(ctx, kind); err != nil {
		return err
	}
	if err := addOwn(w.set); err != nil {
		return err
	}
	if _, ok := w.set[kind]; !ok {
		return usagef("kind %q is not known; want %s", kind, names(w.set))
	}
	return w.selectKinds(kind)
}

// selectKinds leaves the kinds that are asked for, and the list that a run may begin with.
func (w *work) selectKinds(root string) error {
	all := w.set
	if err := readSettings([]setting{{"kinds", w.kinds, someKinds(&w.set, all)}}); err != nil {
		return err
	}
	if root == nodelist.Kind || root == nodelist.PrefixKind {
		w.set[root] = all[root]
	}
	return nil
}

// checkKind refuses a root that would be given up at once. A job says only when its
// file is read of which kind its nodes are.
func (w *work) checkKind(root string) error {
	if _, ok := w.set[root]; !ok {
		return usagef("%s is %q, but the run begins with a node of kind %s", named("kinds", w.kinds), w.kinds, root)
	}
	return nil
}

// store is S3, for what is fetched from there beside the nodes' own work.
func (w *work) store(ctx context.Context) (*s3client.Client, error) {
	w.storing.Lock()
	defer w.storing.Unlock()
	if w.s3 == nil {
		client, err := s3client.Connect(ctx, 4)
		if err != nil {
			return nil, err
		}
		w.s3 = client
	}
	return w.s3, nil
}

// work runs the engine until the run is over or ctx ends, makes the results and
// reports.
func (w *work) work(ctx context.Context, st *state, out sink.Sink) (err error) {
	defer w.outcomes.close()
	defer func() { err = errors.Join(err, out.Close()) }()
	w.st = st
	r, err := st.ledger.Run(ctx, st.run)
	if err != nil {
		return err
	}
	state := console.State(r.State)
	if r.Root.Kind == graph.Kind {
		st.main.OldestFirst() // depth first, most ways that are found would be long ones
	}
	if !r.State.Over() {
		if state, err = w.engine(ctx, st, r, out); err != nil {
			return err
		}
	}
	if r, err = st.ledger.Run(context.WithoutCancel(ctx), st.run); err != nil {
		return err
	}
	if state == console.Paused && r.State.Over() { // what was under way was the last of it
		state = console.State(r.State)
	}
	return w.report(context.WithoutCancel(ctx), st, r, state, out)
}

// engine runs a task until the run is over or its budget is spent, ctx ends, the reader of a
// stream has gone, or something happens that waiting does not mend. It says how the run
// stands then.
func (w *work) engine(ctx context.Context, st *state, r ledger.Run, out sink.Sink) (console.State, error) {
	slots := r.Options.Concurrency
	if w.concurrency > 0 && w.concurrency != slots {
		// A task follows the run's own number.
		slots = w.concurrency
		if _, err := st.ledger.Amend(ctx, st.run, ledger.Change{From: ledger.Running, Epoch: r.Epoch, Concurrency: &slots}); err != nil {
			return "", fmt.Errorf("set concurrency: %w", err)
		}
	}
	t, over, hopeless, err := w.task(st, out, slots)
	if err != nil {
		return "", err
	}
	// What was asked of the outside for nodes that are committed is then known, also
	// after a SIGKILL.
	st.ledger.Follow(t.Figures)
	source := console.Read(st.ledger, st.ledger, st.run, t.Figures)
	follower := console.Log(w.log, source)
	if w.term.TTY() {
		follower = console.Line(w.term, source)
	}
	follower.Start(context.WithoutCancel(ctx))
	t.Start(ctx)
	defer follower.Stop()
	defer t.Stop(context.WithoutCancel(ctx))

	look := time.NewTicker(time.Second)
	defer look.Stop()
	empty := 0
	for {
		select {
		case <-ctx.Done():
			return console.Interrupted, nil
		case err := <-hopeless:
			if errors.Is(err, stream.ErrClosed) {
				return console.Interrupted, nil
			}
			return "", fmt.Errorf("%w; when that is mended, `%s` goes on", err, w.g.command("resume", st.run))
		case <-over:
		case <-look.C:
		}
		now, err := st.ledger.Run(ctx, st.run)
		switch {
		case ctx.Err() != nil:
			continue
		case err != nil:
			return "", err
		case now.State.Over():
			return console.State(now.State), nil
		case now.Paused:
			empty = 0
			continue
		}
		if spent, err := w.exhausted(ctx, st, now, source); err != nil {
			if ctx.Err() != nil {
				continue
			}
			return "", err
		} else if spent {
			return console.Paused, nil
		}
		// A run that is not over but has no message: it was made, and the process
		// died before its root was posted. Nothing else known leads here.
		if empty, err = w.mend(ctx, st, t, empty); err != nil {
			return "", err
		}
	}
}

// hushed is a log that says nothing more once the flag is set.
type hushed struct {
	slog.Handler
	quiet *atomic.Bool
}

// Enabled implements slog.Handler.
func (h hushed) Enabled(ctx context.Context, l slog.Level) bool {
	return !h.quiet.Load() && h.Handler.Enabled(ctx, l)
}

// task makes the task that works on the run. over says that a run is over, hopeless what
// waiting does not mend.
func (w *work) task(st *state, out sink.Sink, slots int) (t *task.Task, over <-chan struct{}, hopeless <-chan error, err error) {
	ended, failed := make(chan struct{}, 1), make(chan error, 1)
	var left atomic.Bool // the reader of a stream: there is nothing to be told of it
	t, err = task.New(task.Config{
		Queue: st.main, Dead: st.dead, Ledger: st.ledger, Board: st.ledger, Processors: w.set,
		Sink:        func(context.Context, ledger.Run) (sink.Sink, error) { return out, nil },
		Concurrency: slots, Report: time.Second, Sketch: task.LocalSketching, Grace: 5 * time.Second,
		Log: slog.New(hushed{w.log.Handler(), &left}),
		Over: func(string) {
			select {
			case ended <- struct{}{}:
			default:
			}
		},
		Trouble: func(err error) {
			if errors.Is(err, stream.ErrClosed) {
				left.Store(true)
			}
			// What is committed stays.
			for _, end := range []error{store.ErrFull, store.ErrFiles, store.ErrBroken, store.ErrNoLock, store.ErrCorrupt, sink.ErrFull} {
				if errors.Is(err, end) {
					select {
					case failed <- err:
					default:
					}
				}
			}
		},
	})
	return t, ended, failed, err
}

// mend sweeps a run whose queue has been found empty three times in a row.
func (w *work) mend(ctx context.Context, st *state, t *task.Task, empty int) (int, error) {
	none, err := st.empty(ctx)
	if err != nil || !none || !t.Idle() {
		return 0, err
	}
	if empty++; empty < 3 {
		return empty, nil
	}
	n, err := sweep.Run(ctx, st.ledger, st.poster(), st.run)
	if err != nil && ctx.Err() == nil {
		return 0, err
	}
	w.log.Warn("swept a run whose queue was empty", "run", st.run, "posted", n)
	return 0, nil
}
