package hostile

import (
	"context"
	"time"

	"github.com/ramify/ramify/internal/whim"
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
	q.medium.Lock()
	defer q.medium.Unlock()
	change()
}

// lease is how long a message that should be held for d is held.
func (q *Queue) lease(d time.Duration) time.Duration {
	if q.medium.Happens("Expire", q.faults.Expire) {
		return q.medium.UpTo(d)
	}
	return d + q.lateness()
}

func (q *Queue) lateness() time.Duration {
	if q.medium.Happens("Late", q.faults.Late) {
		return q.medium.UpTo(q.faults.LateBy)
	}
	return 0
}

// Happened is how often each fault has occurred, by its name in Faults; of a request's
// losses by the names of both, as "Send.Half".
func (q *Queue) Happened() map[string]int { return q.medium.Happened() }

// call runs act with the lock, as a request that takes its time.
func (q *Queue) call(ctx context.Context, act func() error) error {
	return q.medium.Call(ctx, func() whim.Delays {
		return whim.Delays{Latency: q.faults.Latency, Stall: q.faults.Stall, StallFor: q.faults.StallFor}
	}, act)
}
