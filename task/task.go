// Package task is the engine: it receives messages, has nodes processed, plans
// and posts their children, settles what is done and deletes the message, until
// it is stopped. docs/state-machine.md is its protocol.
package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// Config is what a task is made of. Queue, Ledger, Processors and Sink are
// required; every duration has a default.
type Config struct {
	ID         string          // of this process; distinct among all that work together
	Queue      queue.Queue     // where nodes wait
	Dead       queue.Queue     // where messages go that cannot be executed
	Ledger     ledger.Ledger   //
	Board      ledger.Board    // nil: figures are not reported
	Processors processor.Set   //
	Keys       *schema.Keyring // nil: messages are neither signed nor verified
	Route      post.Route      // on which queue a node waits; nil: all on Queue

	// Sink opens where the results of a run go; called once a run. The task does
	// not close it.
	Sink func(context.Context, ledger.Run) (sink.Sink, error)
	// Over is called, perhaps more than once, when this task has seen a run end.
	Over func(run string)

	// Observe is told of each unit, once, at its end; of a message that cannot be
	// executed, too. Units end many at a time: it must return at once.
	Observe func(Observation)
	// Busy is called with true when the task begins to hold a first message, and
	// with false when it holds none any more; never twice in a row with the same.
	// It must return at once.
	Busy func(bool)
	// Shared: other tasks work on the same queue, and one that has nothing to do
	// gets work of those that have. It needs a Board.
	Shared bool

	// Trouble is told of every error of the ledger, of posts and receives that
	// fail, and of every other error that keeps a unit from finishing. Calls are
	// repeated, and the unit's message is received again; whoever knows that
	// waiting will not help can stop the task.
	Trouble func(error)

	// Concurrency is how many slots there are: nodes worked on at a time; default 16.
	// Runs that say another number (ledger.Options.Concurrency) have that one, also
	// when it changes; of several runs the largest counts.
	Concurrency int
	Visibility  time.Duration // of a received message, extended while it is held; default 30 s
	Wait        time.Duration // long polling; default 20 s
	Checkpoint  time.Duration // a unit is asked to commit after this time; default 1 s
	ShareAfter  time.Duration // a unit shares its work after this time when somebody is idle; default 20 ms
	Control     time.Duration // how old the known state of a run may be; default 1 s
	Report      time.Duration // between two reports to the board; default 2 s
	Sketch      Sketching     // what people see beside the figures; default nothing
	Grace       time.Duration // for units to end when the task stops; default 10 s
	Backoff     time.Duration // before the first retry of a node, doubled each time; default 1 s
	Log         *slog.Logger  // default: discard
}

func (c *Config) defaults() error {
	switch {
	case c.Queue == nil || c.Dead == nil || c.Ledger == nil || c.Sink == nil:
		return errors.New("make task: queue, dead-letter queue, ledger and sink are required")
	case len(c.Processors) == 0:
		return errors.New("make task: no processor given")
	case c.Shared && c.Board == nil:
		return errors.New("make task: a task that shares its work needs a board")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.ID == "" {
		c.ID = fmt.Sprintf("%016x", uint64(schema.NewMID()))
	}
	if c.Over == nil {
		c.Over = func(string) {}
	}
	if c.Trouble == nil {
		c.Trouble = func(error) {}
	}
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	if c.Busy == nil {
		c.Busy = func(bool) {}
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 16
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Visibility, 30 * time.Second},
		{&c.Wait, 20 * time.Second},
		{&c.Checkpoint, time.Second},
		{&c.ShareAfter, 20 * time.Millisecond},
		{&c.Control, time.Second},
		{&c.Report, 2 * time.Second},
		{&c.Grace, 10 * time.Second},
		{&c.Backoff, time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return nil
}

// Task works on the nodes of a queue until it is stopped.
type Task struct {
	cfg     Config
	slots   *slots
	holder  *holder
	control *control
	figures *figures
	poster  post.Poster
	inbox   *inbox
	deletes *deleter
	headers headers
	sharing *sharing

	born time.Time // from which clock counts

	width    sync.Mutex  // guards own
	own      int         // slots, where no run says otherwise
	stopping atomic.Bool // units are asked to end
	stopOnce sync.Once
	stopped  chan struct{}

	receiving context.CancelCauseFunc // ends the receivers
	working   context.CancelCauseFunc // ends the units
	serving   context.CancelCauseFunc // ends what serves the units
	receivers sync.WaitGroup
	units     sync.WaitGroup
	services  sync.WaitGroup
}

// clock is a time in nanoseconds that the engine compares with others of its own: that
// of the wall may be set back by an hour, and a task would be poor, or idle, no sooner
// than an hour later. It begins long after zero, which stands for never.
func (t *Task) clock() int64 { return t.clockAt(time.Now()) }

func (t *Task) clockAt(at time.Time) int64 { return int64(at.Sub(t.born) + time.Hour) }

// New checks the configuration and makes a task that is not yet started.
func New(c Config) (*Task, error) {
	if err := c.defaults(); err != nil {
		return nil, err
	}
	c.Ledger = patient{c.Ledger, c.Trouble}
	t := &Task{cfg: c, born: time.Now(), slots: newSlots(c.Concurrency), own: c.Concurrency, stopped: make(chan struct{})}
	t.sharing = newSharing(t)
	t.holder = newHolder(c.Queue, c.Visibility, func(busy bool) {
		t.sharing.edge(busy)
		c.Busy(busy)
	}, c.Log)
	t.control = newControl(c.Ledger, c.Sink, c.Control, t.widen)
	t.figures = newFigures(c.ID, t.slots, c.Sketch)
	t.poster = post.Poster{Queue: c.Queue, Keys: c.Keys, Route: c.Route, Trouble: c.Trouble}
	t.inbox = newInbox(t)
	t.deletes = newDeleter(t)
	return t, nil
}

// Start begins to work and returns at once. The task works until Stop, also
// where ctx, whose values it keeps, has ended.
func (t *Task) Start(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	var receiving, working, serving context.Context
	serving, t.serving = context.WithCancelCause(ctx)
	working, t.working = context.WithCancelCause(ctx)
	receiving, t.receiving = context.WithCancelCause(ctx)

	t.services.Go(func() { t.holder.run(serving) })
	t.services.Go(func() { t.deletes.run(serving) })
	t.services.Go(func() { t.reporting(serving) })
	if t.cfg.Shared {
		t.services.Go(func() { t.sharing.run(serving) })
	}
	t.receivers.Go(func() { t.inbox.receive(receiving, working) })
	t.receivers.Go(func() { t.inbox.dispatch(receiving) })
}

// Stop drains: no more messages are received, those not begun are returned,
// units are asked to end and, after the grace or when ctx ends, made to. It
// returns when nothing runs any more; further calls wait for the first.
func (t *Task) Stop(ctx context.Context) {
	t.stopOnce.Do(func() {
		defer close(t.stopped)
		t.stopping.Store(true)
		t.receiving(ErrDrained)
		t.receivers.Wait()
		t.inbox.giveBack(context.WithoutCancel(ctx))

		idle := make(chan struct{})
		go func() { t.units.Wait(); close(idle) }()
		grace := time.NewTimer(t.cfg.Grace)
		defer grace.Stop()
		select {
		case <-idle:
		case <-grace.C:
		case <-ctx.Done():
		}
		t.working(ErrDrained)
		<-idle

		t.serving(ErrDrained)
		t.services.Wait()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := t.figures.report(last, t.cfg.Board, true); err != nil {
			t.cfg.Log.Warn("report figures", "error", err)
		}
	})
	<-t.stopped
}

// SetConcurrency changes the task's own number of slots, n at least 1, while it
// works. Runs that say another number have that one.
func (t *Task) SetConcurrency(n int) {
	t.width.Lock()
	t.own = max(n, 1)
	t.width.Unlock()
	t.widen()
}

// widen makes the slots as many as the live runs ask for.
func (t *Task) widen() {
	t.width.Lock()
	defer t.width.Unlock()
	t.slots.resize(t.control.concurrency(t.own))
	t.inbox.allow() // receivers that wait for room would do so only when a unit ends
}

// Figures are this process's counters, one a run, as of now.
func (t *Task) Figures() []ledger.Worker { return t.figures.snapshot() }

// Idle reports whether the task holds no message and has none to work on.
func (t *Task) Idle() bool { return t.holder.count() == 0 }

// lull is how soon figures are reported by a task that has nothing to do any more:
// the run may be over, and what is said of its end is read a moment later.
const lull = time.Second

func (t *Task) reporting(ctx context.Context) {
	tick, rest := time.NewTicker(t.cfg.Report), time.NewTicker(lull)
	defer tick.Stop()
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
			if t.Idle() {
				t.report(ctx)
			}
		case <-tick.C:
			t.report(ctx)
			if !t.Idle() {
				// A unit may take hours, and no other begin that would look.
				t.control.refresh(ctx)
			}
		}
	}
}

// report writes what has changed to the board. It is tried again where it failed.
func (t *Task) report(ctx context.Context) {
	if err := t.figures.report(ctx, t.cfg.Board, false); err != nil && ctx.Err() == nil {
		t.cfg.Log.Warn("report figures", "error", err)
	}
}
