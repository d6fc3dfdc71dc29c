// Package jobqueue is a job queue that people can type: named queues of plain jobs,
// each a program and its arguments, with a failed queue beside each.
//
// A plain job is a tree of one node. Nothing is known about it but that it is in a
// queue: it needs no ledger, and asks none. Queues is the seam to where the queues
// are; Codec says what a job looks like there; Worker runs what it finds.
package jobqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ramify/ramify/queue"
)

// Queues are named queues, made when a first job is sent to them.
//
// Delivery is at least once and, but for queues whose name ends in .fifo, in no
// order. What was received more often than its queue allows (Options of the
// implementation) moves to its failed queue when somebody next receives from it.
// All methods may be called from many goroutines. Names are whole: with prefix and
// .fifo. After Close every method returns ErrClosed.
//
// Source: Amazon SQS Developer Guide, "Amazon SQS queue types" and "Using
// dead-letter queues in Amazon SQS".
type Queues interface {
	// Send posts jobs, as many to a request as it takes, and answers for each, in
	// order. A queue that is not there is made, its failed queue before it. Jobs of
	// one FIFO queue keep their order.
	Send(ctx context.Context, postings []Posting) []Sent

	// Find is the queues that a pattern names, sorted: a name, or what names begin
	// with and a star. None is no error.
	Find(ctx context.Context, pattern string) ([]string, error)

	// Receive waits up to r.Wait for a first message and returns at most r.Max.
	// ErrNoQueue: it is not there, or not any more. Where ctx ends while it waits,
	// a message that was about to come may stay hidden until r.Visibility has passed;
	// where r.Hurry is closed, none does: it returns as soon as it can.
	Receive(ctx context.Context, name string, r Request) ([]Delivery, error)

	// Delete removes a message for good; what is gone already is no error.
	Delete(ctx context.Context, name string, receipt string) error

	// Extend sets for how long from now a message stays hidden, in whole seconds;
	// zero shows it at once. ErrLeaseLost: it is not held under this receipt any more.
	Extend(ctx context.Context, name string, receipt string, visibility time.Duration) error

	// Depth is how many messages there are, about. ErrNoQueue as above.
	Depth(ctx context.Context, name string) (queue.Depth, error)

	// Close ends what is under way.
	Close() error
}

// Past is what is known of a queue's past, and the end of queues.
type Past interface {
	// State is what is known of a queue now. ErrNoQueue as above.
	State(ctx context.Context, name string) (State, error)

	// Quiet reports whether nothing was sent to a queue since a time, nor received
	// from it, nor deleted, nor waited in it. It asks no further than to the first
	// sign of life.
	Quiet(ctx context.Context, name string, since time.Time) (bool, error)

	// Remove deletes a queue, with all that is in it. ErrNoQueue as above.
	Remove(ctx context.Context, name string) error

	// Calls is how many requests were made so far: to the queues, and about their past.
	Calls() (queues, past int64)
}

// State is what is known of a queue now.
type State struct {
	Depth  queue.Depth // about
	Failed string      // the queue to which messages move, by its own word; "": none
}

// Posting is a message to send.
type Posting struct {
	Queue  string            // 1 to 80 letters, digits, - and _, .fifo included
	Failed string            // its failed queue, which is made with it; "": none
	Body   []byte            // text
	Attrs  map[string]string // at most 8
	Group  string            // of a FIFO queue: in which order is kept; must be there
	Dedup  string            // of a FIFO queue: what is sent again with it within 5 minutes is the same; must be there
	Delay  time.Duration     // until first seen; at most 15 minutes; not of a FIFO queue
}

// mostAttrs is how many attributes a message has at most.
const mostAttrs = 8

// Check says what of a posting no queue takes, whatever keeps it; what it makes of the
// body each knows for itself. The error is ErrInvalid.
func (p Posting) Check() error {
	switch {
	case len(p.Attrs) > mostAttrs:
		return fmt.Errorf("it has %d attributes, want at most %d: %w", len(p.Attrs), mostAttrs, ErrInvalid)
	case p.Delay < 0 || p.Delay > MaxDelay:
		return fmt.Errorf("delay %s, want 0 to %s: %w", p.Delay, MaxDelay, ErrInvalid)
	case IsFIFO(p.Queue) && p.Delay > 0:
		return fmt.Errorf("delay %s of one message of a FIFO queue, whose order it would break: %w", p.Delay, ErrInvalid)
	case IsFIFO(p.Queue) && (p.Group == "" || p.Dedup == ""):
		return fmt.Errorf("a message of a FIFO queue needs a group and a deduplication id: %w", ErrInvalid)
	}
	return nil
}

// Sent is what came of a Posting.
type Sent struct {
	ID      string // that the queue gave it
	Request int    // which request of the call carried it, from 1
	Made    bool   // the queue was made for it
	Err     error
}

// Request says what Receive wants.
type Request struct {
	Max        int           // 1 to 10
	Wait       time.Duration // 0 to 20 seconds
	Visibility time.Duration // 1 second to 12 hours, whole seconds
	Hurry      <-chan struct{}
}

// Delivery is a message as it was received.
type Delivery struct {
	ID       string // that the queue gave it; the same in its failed queue
	Body     []byte
	Attrs    map[string]string
	Group    string
	Receipt  string
	Receives int // how often it was received from this queue, about; at least 1
}

// Errors of Queues, wrapped or bare.
var (
	ErrNoQueue   = errors.New("no such queue")
	ErrLeaseLost = queue.ErrLeaseLost
	ErrClosed    = queue.ErrClosed
	ErrInvalid   = queue.ErrInvalid
)

// MaxDelay is the longest delay. Source: Amazon SQS Developer Guide, "Amazon SQS
// message timers".
const MaxDelay = 15 * time.Minute
