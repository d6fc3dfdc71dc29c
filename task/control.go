package task

import (
	"context"
	"fmt"
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

	mu   sync.Mutex
	runs map[string]*runState
}

// runState is one run as a task knows it.
type runState struct {
	mu   sync.Mutex
	run  ledger.Run
	err  error
	read time.Time
	sink sink.Sink
}

func newControl(l ledger.Ledger, open func(context.Context, ledger.Run) (sink.Sink, error), maxAge time.Duration) *control {
	return &control{ledger: l, open: open, maxAge: maxAge, runs: map[string]*runState{}}
}

func (c *control) state(run string) *runState {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.runs[run]
	if s == nil {
		// Runs come and go; those not asked for lately are read again if need be.
		for id, old := range c.runs {
			if len(c.runs) < 1_000 {
				break
			}
			if old.mu.TryLock() {
				if old.sink == nil || old.run.State.Over() {
					delete(c.runs, id)
				}
				old.mu.Unlock()
			}
		}
		s = &runState{}
		c.runs[run] = s
	}
	return s
}

// get is the run's record, at most maxAge old, or read now if fresh is set.
func (c *control) get(ctx context.Context, run string, fresh bool) (ledger.Run, error) {
	s := c.state(run)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !fresh && !s.read.IsZero() && time.Since(s.read) < c.maxAge {
		return s.run, s.err
	}
	r, err := c.ledger.Run(ctx, run)
	if err != nil && ctx.Err() != nil {
		return ledger.Run{}, err
	}
	s.run, s.err, s.read = r, err, time.Now()
	return r, err
}

// sink is where the results of the run go, opened once.
func (c *control) sink(ctx context.Context, run ledger.Run) (sink.Sink, error) {
	s := c.state(run.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
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
func (c *control) forget(run string) {
	s := c.state(run)
	s.mu.Lock()
	s.read = time.Time{}
	s.mu.Unlock()
}

// paused reports whether every run that is known and not over is paused, so that
// receiving would only shuffle messages.
func (c *control) paused(ctx context.Context) bool {
	c.mu.Lock()
	ids := make([]string, 0, len(c.runs))
	for id := range c.runs {
		ids = append(ids, id)
	}
	c.mu.Unlock()
	any := false
	for _, id := range ids {
		r, err := c.get(ctx, id, false)
		if err != nil || r.State.Over() {
			continue
		}
		if !r.Paused {
			return false
		}
		any = true
	}
	return any
}
