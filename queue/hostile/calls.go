package hostile

import (
	"context"
	"maps"
	"time"

	"github.com/ramify/ramify/queue"
)

// Calls is the record of the calls of each method.
type Calls struct{ Send, Receive, Delete, Extend, Depth Count }

// Count is the record of the calls of one method.
type Count struct {
	Calls   int // calls made
	Entries int // entries passed; of Receive: messages returned
	Faults  int // entries that were answered with ErrFault; of Receive and Depth: calls
}

func (q *Queue) note(change func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change()
}

// call runs act with the lock, between the two times that a request is under
// way. An error after act means an answer that was lost.
func (q *Queue) call(ctx context.Context, act func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return queue.ErrClosed
	}
	q.active.Add(1)
	defer q.active.Done()
	stall := q.happens("Stall", q.faults.Stall)
	before := stall && q.chance(0.5)
	there, back := q.way(before), q.way(stall && !before)
	q.mu.Unlock()

	if err := q.travel(ctx, there); err != nil {
		return err
	}
	q.mu.Lock()
	err := act()
	q.mu.Unlock()
	if err != nil {
		return err
	}
	return q.travel(ctx, back)
}

// way is how long a request or its answer is under way.
func (q *Queue) way(stalls bool) time.Duration {
	d := q.upTo(q.faults.Latency)
	if stalls {
		d += q.upTo(q.faults.StallFor)
	}
	return d
}

func (q *Queue) travel(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-q.closing:
		return queue.ErrClosed
	}
}

// lease is how long a message that should be held for d is held.
func (q *Queue) lease(d time.Duration) time.Duration {
	if q.happens("Expire", q.faults.Expire) {
		return q.upTo(d)
	}
	return d + q.lateness()
}

func (q *Queue) lateness() time.Duration {
	if q.happens("Late", q.faults.Late) {
		return q.upTo(q.faults.LateBy)
	}
	return 0
}

// chance is true with probability p.
func (q *Queue) chance(p float64) bool { return p > 0 && q.dice.Float64() < p }

// happens is chance, of a fault that is counted.
func (q *Queue) happens(fault string, p float64) bool {
	if !q.chance(p) {
		return false
	}
	q.happened[fault]++
	return true
}

// Happened is how often each fault has occurred, by its name in Faults; of a request's
// losses by the names of both, as "Send.Half".
func (q *Queue) Happened() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.happened)
}

// upTo is any time from 0 to d.
func (q *Queue) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(q.dice.Int64N(int64(d)))
}
