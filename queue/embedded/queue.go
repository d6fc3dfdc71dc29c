// Package embedded is a queue in the file of a run, for one process that works
// the run on one machine.
//
// Messages are rows; who holds them is kept in memory only, since nobody else
// receives: a receipt costs no write, and a crash ends all leases, after which
// messages of earlier openings count as received before. The newest message is
// delivered first, so that a tree is walked depth-first and the queue stays
// short; or the oldest (OldestFirst), where what matters is which way is found first.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/queue"
)

var limits = queue.Limits{
	Batch:      1000, // entries are committed together anyway; this bounds one caller's part of a transaction
	Body:       1 << 20,
	Visibility: 12 * time.Hour,
	Delay:      15 * time.Minute,
}

// ErrNotOwner is returned to a process that only looks at the run.
var ErrNotOwner = errors.New("another process may be working on this run's queue: open the run as its owner")

// Queue is one named queue of a store. It implements queue.Queue; Entry.Group is
// ignored, since a file holds one run.
type Queue struct {
	store   *store.Store
	sql     statements
	opening int64 // how often the queue was opened, this time included
	lastID  int64 // of a message; only the store's writer uses it

	mu      sync.Mutex
	pool    pool
	serial  int64         // of the last delivery
	bell    chan struct{} // closed, and replaced, when a message may have become visible
	filling bool          // a receiver is reading older messages from the file
	alarm   *time.Timer   // rings when the first lease or delay ends; nil when there is none
	alarmAt time.Time

	isClosed bool
	closed   chan struct{}
	calls    sync.WaitGroup
}

var _ queue.Queue = (*Queue)(nil)

// Open opens the queue of a name (lower-case letters) in a store and makes it if
// it is new. All messages are visible, but for delays that have not passed. In a
// store that this process does not own, only Depth and Limits are of use. A name
// must not be open twice at a time.
func Open(ctx context.Context, s *store.Store, name string) (*Queue, error) {
	sql, err := statementsFor(name)
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	q := &Queue{store: s, sql: sql, bell: make(chan struct{}), closed: make(chan struct{})}
	if err := q.load(ctx, name); err != nil {
		return nil, fmt.Errorf("open queue %s: %w", name, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.schedule()
	return q, nil
}

// OldestFirst has the oldest message delivered first, from now on: a walk is then
// about breadth-first, and the queue as long as a level is wide. Call it before the
// first Receive.
func (q *Queue) OldestFirst() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pool.oldestFirst()
}

// Limits of the embedded queue: those of Amazon SQS, but for the batch.
func (q *Queue) Limits() queue.Limits { return limits }

// Depth is exact in the owner. Another process cannot see leases: to it,
// messages in flight are visible.
func (q *Queue) Depth(ctx context.Context) (queue.Depth, error) {
	if err := q.enter(ctx); err != nil {
		return queue.Depth{}, err
	}
	defer q.calls.Done()
	if !q.store.Owner() {
		return q.depthOfFile(ctx)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pool.depth(), nil
}

// Close waits for calls in progress, of which a waiting Receive ends at once,
// and leaves the store open.
func (q *Queue) Close() error {
	q.mu.Lock()
	if !q.isClosed {
		q.isClosed = true
		close(q.closed)
		q.schedule()
	}
	q.mu.Unlock()
	q.calls.Wait()
	return nil
}

// enter begins a call, which ends with q.calls.Done.
func (q *Queue) enter(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.isClosed {
		return queue.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	q.calls.Add(1)
	return nil
}

// enterOwner is enter for calls that only the owner may make.
func (q *Queue) enterOwner(ctx context.Context) error {
	if err := q.enter(ctx); err != nil {
		return err
	}
	if !q.store.Owner() {
		q.calls.Done()
		return ErrNotOwner
	}
	return nil
}

// ring wakes the receivers that wait; q.mu is held.
func (q *Queue) ring() {
	close(q.bell)
	q.bell = make(chan struct{})
}

// schedule sets the alarm for the first lease or delay to end; q.mu is held. An
// alarm that is too early stays: most leases end by a delete, long before their
// time, and moving the alarm each time would cost more than one vain ring.
func (q *Queue) schedule() {
	first, some := q.pool.firstDue()
	switch {
	case !some || q.isClosed:
		if q.alarm != nil {
			q.alarm.Stop()
			q.alarm = nil
		}
	case q.alarm == nil || first.Before(q.alarmAt):
		if q.alarm != nil {
			q.alarm.Stop()
		}
		q.alarmAt = first
		q.alarm = time.AfterFunc(time.Until(first), q.wake)
	}
}

// wake makes visible what has come due.
func (q *Queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.isClosed {
		return
	}
	q.alarm = nil
	if q.pool.ripen(time.Now()) {
		q.ring()
	}
	q.schedule()
}

// forEach is the same error for every entry of a call.
func forEach(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
