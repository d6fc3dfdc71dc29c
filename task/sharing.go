package task

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// flagsRun is the name under which tasks leave flags for each other on the board.
// No run can have it (schema.CheckRunName).
const flagsRun = "@idle"

// Flags are records that tasks overwrite, so many at most: a task takes one that no
// other has, as long as there is one. Where two have the same, the last word counts:
// they are hints.
const mostFlags = 64

// How often. All of it costs an idle task a write in 2 s for five minutes and then
// one in 20 s, and one more when it gets work; a busy one, only while units that
// could share ask and its own receives bring little, a read of the flags (one item
// a task) a second at most and a write in 20 s.
const (
	flagLook   = time.Second
	flagSoon   = 2 * time.Second
	flagLater  = 20 * time.Second
	flagPeriod = 5 * time.Minute
	flagSkew   = 5 * time.Second // how far clocks of tasks may be apart
)

// sharesOfOne is how many idle slots a unit that shares has work for, about.
const sharesOfOne = 8

// sharing lets tasks on one queue know of each other's idle slots. A flag is a
// ledger.Worker: Slots are the idle ones, none of a task that is busy; it holds
// until At + Busy.
type sharing struct {
	t     *Task
	id    string        // of the flag
	own   schema.Share  // tells the task's own words on a flag from another's
	began chan struct{} // one element: the task holds something again
	asked atomic.Int64  // when a unit last asked whether to share, in Unix nanoseconds
	spare atomic.Int32  // units that may yet be told to
}

func newSharing(t *Task) *sharing {
	h := fnv.New64a()
	h.Write([]byte(t.cfg.ID))
	own := h.Sum64() >> 2 // at most schema.Whole
	return &sharing{t: t, id: flagID(own % mostFlags), own: schema.Share(own), began: make(chan struct{}, 1)}
}

func flagID(n uint64) string { return fmt.Sprintf("flag-%d", n) }

// edge is told when the task begins to hold something, and when it ends.
func (s *sharing) edge(busy bool) {
	if busy {
		select {
		case s.began <- struct{}{}:
		default:
		}
	}
}

// wanted reports whether the unit that asks is to share its work with another
// task. It says so to few at a time: each makes several messages.
func (s *sharing) wanted() bool {
	if !s.t.cfg.Shared {
		return false
	}
	s.asked.Store(time.Now().UnixNano())
	for n := s.spare.Load(); n > 0; n = s.spare.Load() {
		if s.spare.CompareAndSwap(n, n-1) {
			return true
		}
	}
	return false
}

// run keeps this task's flag and looks at the others' until ctx ends.
func (s *sharing) run(ctx context.Context) {
	var idleSince, raised, lowered time.Time // raised: zero while the flag is down
	known := false                           // which flags others have
	lower := func(ctx context.Context) {
		if s.flag(ctx, 0, flagLater+flagLook+flagSkew) {
			raised, lowered = time.Time{}, time.Now()
		}
	}
	timer := time.NewTimer(flagLook)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			if !raised.IsZero() { // nobody is to share with a task that is gone
				last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				lower(last)
				cancel()
			}
			return
		case <-s.began:
			if !raised.IsZero() {
				lower(ctx)
			}
			continue
		case <-timer.C:
		}
		timer.Reset(flagLook + rand.N(flagLook/2)) // not all at one moment
		now := time.Now()
		if s.t.inbox.idle() {
			if idleSince.IsZero() {
				idleSince = now
			}
			every := flagSoon
			if now.Sub(idleSince) > flagPeriod {
				every = flagLater
			}
			_, slots := s.t.slots.use()
			if !known {
				_, err := s.read(ctx)
				known = err == nil
			}
			if now.Sub(raised) >= every && s.flag(ctx, slots, every+2*flagLook+flagSkew) {
				raised = now
			}
			continue
		}
		idleSince = time.Time{}
		if !raised.IsZero() {
			lower(ctx)
		}
		if now.UnixNano()-s.asked.Load() > int64(2*flagLook) || !s.t.inbox.poor() {
			s.spare.Store(0)
			continue
		}
		s.look(ctx)
		if now.Sub(lowered) > flagLater {
			lower(ctx)
		}
	}
}

// read reads the flags of the others that hold. A flag that another task has, too,
// is left to it.
func (s *sharing) read(ctx context.Context) (others []ledger.Worker, err error) {
	all, err := s.t.cfg.Board.Workers(ctx, flagsRun)
	if err != nil {
		s.t.cfg.Log.Debug("read flags of idle tasks", "error", err)
		return nil, err
	}
	taken := map[string]bool{}
	for _, f := range all {
		if f.Share != s.own && time.Since(f.At) <= f.Busy {
			others = append(others, f)
			taken[f.ID] = true
		}
	}
	if taken[s.id] && len(taken) < mostFlags {
		for taken[s.id] {
			s.id = flagID(rand.Uint64N(mostFlags))
		}
	}
	return others, nil
}

// look reads the flags and decides how many units of this task are to share. Of
// all busy tasks together one unit is, or one for eight idle slots: each draws its
// part of that.
func (s *sharing) look(ctx context.Context) {
	others, err := s.read(ctx)
	if err != nil {
		return
	}
	idle, busy := 0, 1
	for _, f := range others {
		if f.Slots > 0 {
			idle += f.Slots
		} else {
			busy++
		}
	}
	if idle == 0 {
		s.spare.Store(0)
		return
	}
	part := max(float64(idle)/sharesOfOne, 1) / float64(busy)
	n := int32(part)
	if rand.Float64() < part-float64(n) {
		n++
	}
	s.spare.Store(n)
}

// flag overwrites this task's flag and reports whether that was done.
func (s *sharing) flag(ctx context.Context, slots int, holds time.Duration) bool {
	err := s.t.cfg.Board.Report(ctx, ledger.Worker{Run: flagsRun, ID: s.id, Share: s.own, Slots: slots, Busy: holds, At: time.Now()})
	if err != nil {
		s.t.cfg.Log.Debug("write flag of an idle task", "error", err)
	}
	return err == nil
}
