package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
)

// Ledger is what all clocks of the same schedules share.
type Ledger interface {
	ledger.Leaser
	ledger.Ticks
}

// Options of a clock; all but Log are required.
type Options struct {
	Schedules []*Schedule
	Ledger    Ledger
	Owner     string // of this clock among all

	// Start starts what a schedule is for. It may be asked again for a tick, here or
	// by another clock, and must then start nothing: Schedule.Run is a name that there
	// is once. An error is asked again.
	Start func(ctx context.Context, s *Schedule, tick time.Time) error

	Log *slog.Logger // nil discards
}

// Clock starts what is due. Any number may run: of each tick one takes a lease, and
// the others find that it was looked after. That a tick starts one thing rests on
// Start; the lease spares the others the work.
type Clock struct {
	o      Options
	cancel context.CancelCauseFunc
	all    sync.WaitGroup
}

// Causes of contexts that end.
var (
	ErrStopped = errors.New("the clock was stopped")
	ErrSlow    = errors.New("what is due has not been started within 20 seconds, and another clock may begin it")
)

// Again is the time between two looks at what another clock has taken, or what failed.
const Again = 5 * time.Second

const (
	leased = 20 * time.Second // that a clock may take for its starts; as long another waits where it dies
	glance = 30 * time.Second // at the clock: it may be set, or the machine sleep
	fresh  = 24 * time.Hour   // how old the mark of a schedule that is rarely due becomes
)

// New makes a clock.
func New(o Options) *Clock {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Clock{o: o}
}

// Start looks after all schedules until Stop.
func (c *Clock) Start(ctx context.Context) {
	ctx, c.cancel = context.WithCancelCause(ctx)
	for _, s := range c.o.Schedules {
		c.all.Go(func() { c.keep(ctx, s) })
	}
}

// Stop ends the clock. It waits for what is being started, which has 20 seconds.
func (c *Clock) Stop() {
	c.cancel(ErrStopped)
	c.all.Wait()
}

// keep looks after one schedule.
func (c *Clock) keep(ctx context.Context, s *Schedule) {
	for ctx.Err() == nil {
		next, err := c.look(ctx, s)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			c.o.Log.Warn("a schedule cannot be looked after yet; it is tried again", "schedule", s.Name, "error", err)
			next = time.Now().Add(Again)
		}
		until(ctx, next)
	}
}

// until waits for a time of the clock on the wall.
func until(ctx context.Context, at time.Time) {
	for {
		left := at.Round(0).Sub(time.Now().Round(0)) // a monotonic clock stands still while the machine sleeps
		if left <= 0 {
			return
		}
		timer := time.NewTimer(min(left, glance))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// look starts what is due, and says when to look again.
func (c *Clock) look(ctx context.Context, s *Schedule) (time.Time, error) {
	key := s.Key()
	mark, err := c.o.Ledger.Ticked(ctx, key)
	if err == nil && mark.IsZero() { // nobody has been late for a schedule that is new
		mark, err = c.o.Ledger.Tick(ctx, key, time.Now())
	}
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	if next := s.When.Next(mark); next.IsZero() || next.After(now) {
		if now.Sub(mark) >= fresh { // records that nobody writes expire
			if _, err := c.o.Ledger.Tick(ctx, key, now); err != nil {
				return time.Time{}, err
			}
			mark = now
		}
		return earlier(next, mark.Add(fresh)), nil
	}
	lease := ledger.Lease{Name: "cron " + key, Owner: c.o.Owner, From: now, Until: now.Add(leased)}
	held, err := c.o.Ledger.Lease(ctx, lease)
	if err != nil {
		return time.Time{}, err
	}
	if held.Owner != c.o.Owner {
		return now.Add(Again), nil
	}
	return now, c.start(context.WithoutCancel(ctx), s, lease.Name)
}

// start starts what is due of a schedule that this clock has taken.
func (c *Clock) start(ctx context.Context, s *Schedule, lease string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, leased, ErrSlow)
	defer cancel()
	defer func() { _ = c.o.Ledger.Release(ctx, lease, c.o.Owner) }() // it ends by itself
	mark, err := c.o.Ledger.Ticked(ctx, s.Key())                     // another may have had the lease before
	if err != nil {
		return err
	}
	now := time.Now()
	due, missed := s.Due(mark, now)
	if missed > 0 {
		c.o.Log.Warn("ticks have been missed and start nothing", "schedule", s.Name, "ticks", missed, "missed", string(s.Missed), "since", mark)
	}
	for _, tick := range due {
		if err := c.o.Start(ctx, s, tick); err != nil {
			return fmt.Errorf("start %s of %s: %w", s.Name, tick.Format(time.RFC3339), err)
		}
	}
	_, err = c.o.Ledger.Tick(ctx, s.Key(), now)
	return err
}

// earlier is the earlier of two times, of which the first may be none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
