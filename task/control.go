package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/sink"
)

// control remembers the records of the runs this task works on for a short time,
// so that a unit costs no read. What it says may be old by cfg.Control: nothing
// exact rests on it.
type control struct {
	ledger ledger.Ledger
	open   func(context.Context, ledger.Run) (sink.Sink, error)
	maxAge time.Duration
	widen  func() // the runs ask for another number of slots, perhaps

	mu   sync.Mutex
	runs map[string]*runState
	live map[string]int // the slots that runs which are not over ask for; 0: the task's own
}

// runState is one run as a task knows it. The turn is a lock that a caller can
// stop waiting for: whoever has it may be reading the ledger.
type runState struct {
	turn chan struct{}
	run  ledger.Run
	err  error
	read time.Time // zero: to be read
	sink sink.Sink
}

func newControl(l ledger.Ledger, open func(context.Context, ledger.Run) (sink.Sink, error), maxAge time.Duration, widen func()) *control {
	return &control{ledger: l, open: open, maxAge: maxAge, widen: widen, runs: map[string]*runState{}, live: map[string]int{}}
}

// take is the state of a run, for the caller alone until it gives the turn back.
func (c *control) take(ctx context.Context, run string) (*runState, error) {
	c.mu.Lock()
	s := c.runs[run]
	if s == nil {
		if len(c.runs) >= maxRuns {
			c.prune()
		}
		s = &runState{turn: make(chan struct{}, 1)}
		c.runs[run] = s
	}
	c.mu.Unlock()
	select {
	case s.turn <- struct{}{}:
		return s, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *runState) give() { <-s.turn }

// maxRuns is how many runs are remembered before those that are over are not.
const maxRuns = 1_000

func (c *control) prune() {
	for id, s := range c.runs {
		select {
		case s.turn <- struct{}{}:
			if s.sink == nil || s.run.State.Over() {
				delete(c.runs, id)
				delete(c.live, id)
			}
			s.give()
		default:
		}
	}
}

// get is the run's record, at most maxAge old, or read now if fresh is set.
func (c *control) get(ctx context.Context, run string, fresh bool) (ledger.Run, error) {
	s, err := c.take(ctx, run)
	if err != nil {
		return ledger.Run{}, err
	}
	defer s.give()
	if !fresh && !s.read.IsZero() && time.Since(s.read) < c.maxAge {
		return s.run, s.err
	}
	r, err := c.ledger.Run(ctx, run)
	if err != nil && !errors.Is(err, ledger.ErrNoRun) {
		return ledger.Run{}, err
	}
	s.run, s.err, s.read = r, err, time.Now()
	if err != nil {
		s.read = time.Time{} // it may be created at any moment, and its messages must not go to the dead letters
	}
	c.note(run, r, err == nil && !r.State.Over())
	return r, err
}

// sink is where the results of the run go, opened once.
func (c *control) sink(ctx context.Context, run ledger.Run) (sink.Sink, error) {
	s, err := c.take(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	defer s.give()
	if s.sink == nil {
		opened, err := c.open(ctx, run)
		if err != nil {
			return nil, fmt.Errorf("open results of run %s: %w", run.ID, err)
		}
		s.sink = opened
	}
	return s.sink, nil
}

// forget makes the next get read the record: this task changed it.
func (c *control) forget(ctx context.Context, run string) {
	if s, err := c.take(ctx, run); err == nil {
		s.read = time.Time{}
		s.give()
	}
}

// note keeps which runs are live, and how many slots they ask for.
func (c *control) note(run string, r ledger.Run, live bool) {
	c.mu.Lock()
	before, known := c.live[run]
	if live {
		c.live[run] = r.Options.Concurrency
	} else {
		delete(c.live, run)
	}
	c.mu.Unlock()
	if known != live || live && before != r.Options.Concurrency {
		c.widen()
	}
}

// concurrency is the largest number of slots that a live run asks for; own where
// there is none, and for those that leave it to the task.
func (c *control) concurrency(own int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, asked := range c.live {
		if asked <= 0 {
			asked = own
		}
		n = max(n, asked)
	}
	if n == 0 {
		return own
	}
	return n
}

// refresh reads again what is known of live runs and older than it may be.
func (c *control) refresh(ctx context.Context) {
	for _, id := range c.alive() {
		if _, err := c.get(ctx, id, false); err != nil && ctx.Err() != nil {
			return
		}
	}
}

func (c *control) alive() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.live))
}

// paused reports whether every run that is known and not over is paused, so that
// receiving would only shuffle messages. A run that is over may be redriven: its
// messages, of a later epoch, say so.
func (c *control) paused(ctx context.Context) bool {
	paused := false
	for _, id := range c.alive() {
		r, err := c.get(ctx, id, false)
		if err != nil || r.State.Over() {
			continue
		}
		if !r.Paused {
			return false
		}
		paused = true
	}
	return paused
}
