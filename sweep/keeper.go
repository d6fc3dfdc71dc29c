package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/queue"
)

// Options of a keeper. Name, ID, Ledger, Board, Leaser and Poster are required.
type Options struct {
	Name   string // of the queue; the lease is "sweep:" and the name
	ID     string // of this process; distinct among all that work together
	Ledger ledger.Ledger
	Board  ledger.Board
	Leaser ledger.Leaser
	Poster *post.Poster // to the queue of that name

	// Dead is the queue's dead-letter queue; nil: nobody looks after it. Messages
	// with the attribute Reason (task.AttrReason) are there for people. All others
	// the queue itself has moved there, since they were received too often: Lost
	// (task.Task.Lost) settles what they stand for, and they are deleted. Lost must
	// be safe to do twice; a message for which it fails is left for a later look.
	Dead   queue.Queue
	Reason string
	Lost   func(context.Context, queue.Delivery) error

	// Finish makes the results of a run that is over, and has an Out, from the
	// record given; nil: nobody does. It may be called again, in another process,
	// also when it had succeeded, and is then expected to be cheap.
	Finish func(context.Context, ledger.Run) error

	// Cost is what each of some runs has cost so far, in dollars, by what their workers
	// report: a run that goes on and has cost its budget is paused. nil: nobody heeds
	// budgets.
	Cost func(runs []ledger.Run, workers [][]ledger.Worker) []float64

	Every      time.Duration // between two rounds; a lease lasts three times as long; default 10 s
	NoProgress time.Duration // after which a run is swept; default 10 minutes
	Log        *slog.Logger  // default: discard
}

func (o *Options) defaults() error {
	switch {
	case o.Name == "" || o.ID == "":
		return errors.New("make keeper: the queue's name and the process's id are required")
	case o.Ledger == nil || o.Board == nil || o.Leaser == nil || o.Poster == nil:
		return errors.New("make keeper: ledger, board, leaser and poster are required")
	case o.Dead != nil && (o.Lost == nil || o.Reason == ""):
		return errors.New("make keeper: with a dead-letter queue, Lost and Reason are required")
	}
	if o.Every <= 0 {
		o.Every = 10 * time.Second
	}
	if o.NoProgress <= 0 {
		o.NoProgress = 10 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Causes for which the context of a keeper's work ends.
var (
	ErrStopped   = errors.New("the keeper stops")
	ErrLeaseLost = errors.New("another keeper may have the lease")
)

// Keeper looks after the runs of a queue: it settles what the queue moved to its
// dead-letter queue, sweeps runs that make no progress, pauses those that have
// cost their budget, and has the results of runs that are over made. One runs in
// every task, and the holder of a lease in the ledger is the one that works. A
// holder that stalls may be at work beside the next one: all that it does can be
// done twice.
type Keeper struct {
	Options

	finisher *finisher
	letters  letters
	watch    watch

	seen   sync.Mutex
	leases map[string]sighting // of others' leases, by name

	holding  context.CancelCauseFunc // ends what is done under the lease
	making   context.CancelCauseFunc // ends what makes results
	holder   sync.WaitGroup
	makers   sync.WaitGroup
	yielding sync.Once
}

// NewKeeper checks the options and makes a keeper that is not yet started.
func NewKeeper(o Options) (*Keeper, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	k := &Keeper{Options: o}
	k.finisher = newFinisher(k)
	k.letters.k, k.watch.k = k, k
	return k, nil
}

// Start begins to look for the lease and returns at once. The keeper works until
// Stop, also where ctx, whose values it keeps, has ended.
func (k *Keeper) Start(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	var holding, making context.Context
	holding, k.holding = context.WithCancelCause(ctx)
	making, k.making = context.WithCancelCause(ctx)
	k.holder.Go(func() { k.hold(holding) })
	for range finishers {
		k.makers.Go(func() { k.finisher.run(making) })
	}
}

// Yield ends what is under way under the lease, since another keeper will do it
// again, and gives the lease back, which may take until ctx ends, five seconds at
// most. Results are made until Stop: a task that drains calls it before its units
// have ended, and Lost is not called any more.
func (k *Keeper) Yield(ctx context.Context) {
	if k.holding == nil {
		return
	}
	k.yielding.Do(func() {
		k.holding(ErrStopped)
		k.holder.Wait()
		k.release(ctx, k.lease())
	})
}

// Stop yields, goes on making the results of runs that it knows to be over until
// ctx ends, and returns when nothing runs any more. A keeper that was not started
// has nothing to stop.
func (k *Keeper) Stop(ctx context.Context) {
	if k.holding == nil {
		return
	}
	k.Yield(ctx)
	idle := make(chan struct{})
	go func() { k.makers.Wait(); close(idle) }()
	k.finisher.drain()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	k.making(ErrStopped)
	<-idle
}

// Kick tells that a run has ended (task.Config.Over): its results are made now, by
// this keeper, whoever has the lease. It returns at once.
func (k *Keeper) Kick(run string) { k.finisher.add(run, true) }

func (k *Keeper) lease() string { return "sweep:" + k.Name }

// hold takes and renews the lease, and works while it is held. A keeper that finds
// it with another asks again when it ends: each time costs a write.
func (k *Keeper) hold(ctx context.Context) {
	var work sync.WaitGroup
	stop := func(error) {}
	var until time.Time // the lease is this keeper's; zero: it is not
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			stop(ErrStopped)
			return
		case <-next.C:
		}
		working := !until.IsZero()
		mine, end, err := k.take(ctx, k.lease())
		pause := k.Every
		switch {
		case err != nil:
			if ctx.Err() == nil {
				k.Log.Warn("lease not taken or renewed", "error", err)
			}
			mine = working && time.Now().Before(until)
		case mine:
			until = end
		default:
			pause = min(max(time.Until(end), k.Every), k.lasts())
			pause += rand.N(k.Every) // many wait for it
		}
		switch {
		case mine && !working:
			held, cancel := context.WithCancelCause(ctx)
			stop = func(why error) { cancel(why); work.Wait() }
			work.Go(func() { k.rounds(held) })
		case !mine && working:
			stop(ErrLeaseLost)
			k.Log.Warn("keeper stops: the lease is lost", "lease", k.lease())
			until = time.Time{}
		}
		next.Reset(pause)
	}
}

// lasts is how long a lease is taken for.
func (k *Keeper) lasts() time.Duration { return 3 * k.Every }

// take takes or renews a lease, and tells whether it is this keeper's and until
// when somebody has it.
func (k *Keeper) take(ctx context.Context, name string) (mine bool, until time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, k.Every)
	defer cancel()
	now := time.Now()
	want := ledger.Lease{Name: name, Owner: k.ID, From: now, Until: now.Add(k.lasts())}
	if until := k.abandoned(name); until.After(now) {
		want.From = until
	}
	held, err := k.Leaser.Lease(ctx, want)
	k.sight(held, err)
	switch {
	case err != nil:
		return false, time.Time{}, fmt.Errorf("take lease %s: %w", name, err)
	case held.Owner == k.ID:
		return true, want.Until, nil // with the monotonic clock, which held has not
	default:
		return false, held.Until, nil
	}
}

// sighting is another's lease as it was read, and since when it has not changed.
type sighting struct {
	lease ledger.Lease
	since time.Time
}

// sight remembers what was read of a lease.
func (k *Keeper) sight(held ledger.Lease, err error) {
	if err != nil {
		return
	}
	k.seen.Lock()
	defer k.seen.Unlock()
	old, there := k.leases[held.Name]
	switch {
	case held.Owner == k.ID:
		delete(k.leases, held.Name)
	case !there || old.lease.Owner != held.Owner || !old.lease.Until.Equal(held.Until):
		if k.leases == nil {
			k.leases = map[string]sighting{}
		}
		k.leases[held.Name] = sighting{held, time.Now()}
	}
}

// abandoned is until when a lease is held whose owner has not renewed it for as long as
// a lease lasts, by the clock of this process: the owner is gone, and its clock was
// ahead. Zero: it is not known to be abandoned.
func (k *Keeper) abandoned(name string) time.Time {
	k.seen.Lock()
	defer k.seen.Unlock()
	s, there := k.leases[name]
	if !there || time.Since(s.since) < k.lasts() {
		return time.Time{}
	}
	return s.lease.Until
}

// release gives a lease back, so that the next one need not wait for its end.
func (k *Keeper) release(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := k.Leaser.Release(ctx, name, k.ID); err != nil {
		k.Log.Warn("lease not released; it ends by itself", "lease", name, "error", err)
	}
}

// rounds works until ctx ends.
func (k *Keeper) rounds(ctx context.Context) {
	k.Log.Info("keeper works", "lease", k.lease())
	k.watch.begin() // what was seen under an earlier lease is old
	k.letters.begin()
	tick := time.NewTicker(k.Every)
	defer tick.Stop()
	for {
		k.letters.round(ctx)
		k.watch.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
