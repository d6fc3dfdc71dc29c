package task

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ramify/ramify/queue"
)

// Causes for which the context of a unit ends.
var (
	ErrLeaseLost = errors.New("the message's lease is lost")
	ErrDrained   = errors.New("the task stops")
)

// held is a message this task holds, from its receipt until it is deleted or
// returned.
type held struct {
	queue.Delivery
	received time.Time
	extended time.Time   // when the lease was last known to be whole
	ended    atomic.Bool // its unit is done with it, and it waits to be deleted

	ctx    context.Context
	cancel context.CancelCauseFunc
}

// holder keeps the leases of all that a task holds alive: at half-time, in
// batches, however long a unit takes.
type holder struct {
	queue      queue.Queue
	visibility time.Duration
	busy       func(bool)
	log        *slog.Logger

	mu   sync.Mutex
	held map[queue.Receipt]*held

	edge sync.Mutex // so that busy is told in order
	told bool       // what busy was told last
}

func newHolder(q queue.Queue, visibility time.Duration, busy func(bool), log *slog.Logger) *holder {
	return &holder{queue: q, visibility: visibility, busy: busy, log: log, held: map[queue.Receipt]*held{}}
}

// add begins to hold a delivery that was asked for at a moment.
func (h *holder) add(ctx context.Context, d queue.Delivery, asked time.Time) *held {
	m := &held{Delivery: d, received: asked, extended: asked}
	m.ctx, m.cancel = context.WithCancelCause(ctx)
	h.mu.Lock()
	h.held[d.Receipt] = m
	first := len(h.held) == 1
	h.mu.Unlock()
	if first {
		h.tell()
	}
	return m
}

// tell says whether anything is held, where that has changed.
func (h *holder) tell() {
	h.edge.Lock()
	defer h.edge.Unlock()
	if busy := h.count() > 0; busy != h.told {
		h.told = busy
		h.busy(busy)
	}
}

// drop stops holding a message and reports whether it was still held.
func (h *holder) drop(m *held) bool {
	h.mu.Lock()
	_, ok := h.held[m.Receipt]
	delete(h.held, m.Receipt)
	last := ok && len(h.held) == 0
	h.mu.Unlock()
	m.cancel(nil)
	if last {
		h.tell()
	}
	return ok
}

// count is how many messages are held.
func (h *holder) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.held)
}

// run extends leases until ctx ends.
func (h *holder) run(ctx context.Context) {
	tick := time.NewTicker(h.visibility / 8)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.beat(ctx)
		}
	}
}

// beat extends what is at half-time, and gives up what can be held no longer.
func (h *holder) beat(ctx context.Context) {
	now := time.Now()
	longest := h.queue.Limits().Visibility
	var due []*held
	var leases []queue.Lease
	h.mu.Lock()
	for _, m := range h.held {
		if now.Sub(m.extended) < h.visibility/2-h.visibility/16 {
			continue
		}
		left := m.received.Add(longest).Sub(now)
		due = append(due, m)
		leases = append(leases, queue.Lease{Receipt: m.Receipt, Visibility: max(min(h.visibility, left), 0)})
	}
	h.mu.Unlock()
	if len(due) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.visibility/4)
	defer cancel()
	for i, err := range h.queue.Extend(ctx, leases) {
		m := due[i]
		switch {
		case leases[i].Visibility == 0, errors.Is(err, queue.ErrLeaseLost), err != nil && time.Since(m.extended) > h.visibility:
			m.cancel(ErrLeaseLost)
			// Not of one that was put back or deleted while it was asked for.
			if h.drop(m) && !m.ended.Load() {
				h.log.Warn("lost the lease of a message", "error", err)
			}
		case err == nil:
			h.mu.Lock()
			m.extended = now
			h.mu.Unlock()
		}
	}
}
