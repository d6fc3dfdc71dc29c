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

// How often. All of it costs an idle task a read once, a write in 2 s for five
// minutes and then one in 20 s, and one more when it gets work; a busy one, only
// while units that could share ask and its own receives bring little, a read of the
// flags (one item a task) a second at most and a write in 20 s.
const (
	flagQuick  = 300 * time.Millisecond // from the end of the last unit to the flag
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
	ended chan struct{} // one element: it holds nothing any more
	first chan struct{} // one element: a unit asks whether to share, and none had of late
	asked atomic.Int64  // when a unit last asked, by Task.clock
	spare atomic.Int32  // units that may yet be told to
	since atomic.Int64  // of those that had begun when the flags were read, by Task.clock

	known           bool      // which flags others have
	idle            time.Time // since when the task is, as seen here
	raised, lowered time.Time // when the flag last was; raised: zero while it is down
}

func newSharing(t *Task) *sharing {
	h := fnv.New64a()
	h.Write([]byte(t.cfg.ID))
	own := h.Sum64() >> 2 // at most schema.Whole
	return &sharing{
		t: t, id: flagID(own % mostFlags), own: schema.Share(own),
		began: make(chan struct{}, 1), ended: make(chan struct{}, 1), first: make(chan struct{}, 1),
	}
}

func flagID(n uint64) string { return fmt.Sprintf("flag-%d", n) }

// edge is told when the task begins to hold something, and when it ends.
func (s *sharing) edge(busy bool) {
	if busy {
		poke(s.began)
	} else {
		poke(s.ended)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wanted reports whether the unit that asks is to share its work with another
// task. It says so to few at a time: each makes several messages. One that began
// since the flags were read may be of those messages: the idle have others.
func (s *sharing) wanted(began time.Time) bool {
	if !s.t.cfg.Shared {
		return false
	}
	now := s.t.clock()
	if now-s.asked.Swap(now) > int64(2*flagLook) {
		poke(s.first)
	}
	if s.t.clockAt(began) > s.since.Load() {
		return false
	}
	for n := s.spare.Load(); n > 0; n = s.spare.Load() {
		if s.spare.CompareAndSwap(n, n-1) {
			return true
		}
	}
	return false
}

// run keeps this task's flag and looks at the others' until ctx ends.
func (s *sharing) run(ctx context.Context) {
	timer := time.NewTimer(flagLook)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			if !s.raised.IsZero() { // nobody is to share with a task that is gone
				last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				s.lower(last)
				cancel()
			}
			return
		case <-s.began:
			if !s.raised.IsZero() {
				s.lower(ctx)
			}
			continue
		case <-s.ended:
			// Not at once, and not again and again: work may be on its way.
			timer.Reset(max(flagQuick, flagLook-time.Since(s.lowered)))
			continue
		case <-s.first:
		case <-timer.C:
		}
		timer.Reset(flagLook + rand.N(flagLook/2)) // not all at one moment
		if s.t.inbox.idle() {
			s.rest(ctx)
		} else {
			s.work(ctx)
		}
	}
}

// rest keeps the flag of a task that is idle.
func (s *sharing) rest(ctx context.Context) {
	now := time.Now()
	if s.idle.IsZero() {
		s.idle = now
	}
	if !s.known {
		s.read(ctx)
	}
	every := flagSoon
	if now.Sub(s.idle) > flagPeriod {
		every = flagLater
	}
	_, slots := s.t.slots.use()
	if now.Sub(s.raised) >= every && s.flag(ctx, slots, every+2*flagLook+flagSkew) {
		s.raised = now
	}
}

// work looks at the others' flags for a task that is busy.
func (s *sharing) work(ctx context.Context) {
	s.idle = time.Time{}
	if !s.raised.IsZero() {
		s.lower(ctx)
	}
	if s.t.clock()-s.asked.Load() > int64(2*flagLook) || !s.t.inbox.poor() {
		s.spare.Store(0)
		return
	}
	s.look(ctx)
	if time.Since(s.lowered) > flagLater {
		s.lower(ctx)
	}
}

func (s *sharing) lower(ctx context.Context) {
	if s.flag(ctx, 0, flagLater+flagLook+flagSkew) {
		s.raised, s.lowered = time.Time{}, time.Now()
	}
}

// read reads the flags of the others that hold. A flag that another task has, too,
// is left to it.
func (s *sharing) read(ctx context.Context) (others []ledger.Worker) {
	all, err := s.t.cfg.Board.Workers(ctx, flagsRun)
	if err != nil {
		s.t.cfg.Log.Debug("read flags of idle tasks", "error", err)
		return nil
	}
	s.known = true
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
	return others
}

// look reads the flags and decides how many units of this task are to share. Of
// all busy tasks together one unit is, or one for eight idle slots: each draws its
// part of that.
func (s *sharing) look(ctx context.Context) {
	now := s.t.clock()
	idle, busy := 0, 1
	for _, f := range s.read(ctx) {
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
	s.since.Store(now)
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
