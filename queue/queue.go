// Package queue is the seam where nodes wait. What it promises is what an SQS
// standard queue can keep; the embedded queue keeps the same and the engine may
// not rely on more.
package queue

import (
	"context"
	"errors"
	"time"
)

// Queue holds messages until they are deleted.
//
// Delivery is at least once and in no order: a message may be received twice,
// by two receivers at a time, after it was deleted, and with a receive count
// that does not show it. A message that was sent and not deleted is never lost
// before the queue's retention ends.
//
// All methods may be called from many goroutines; implementations coalesce
// concurrent calls into fewer requests where the medium charges or waits per
// request. Each call's context bounds that call alone. After Close every method
// returns ErrClosed at once.
//
// Send, Delete and Extend take any number of entries, split them into what the
// medium takes (Limits) and answer per entry: the result has one error for each
// entry, in order, nil meaning success. Implementations do not retry entries:
// only the caller knows how a repeated send must be marked.
//
// Source: Amazon SQS Developer Guide, "Amazon SQS standard queues" and "Amazon
// SQS visibility timeout".
type Queue interface {
	// Send posts entries. nil: the message is durable. ErrTooLarge, ErrInvalid: it
	// never will be, however often it is sent. Any other error: it may or may not
	// have been posted, so a caller that sends again must mark the copy as a
	// possible duplicate. The queue does not keep the entries after it returns.
	Send(ctx context.Context, entries []Entry) []error

	// Receive waits up to q.Wait for messages and returns between none and
	// q.Max of them; none is not an error. The messages are invisible to other
	// receivers for q.Visibility, counted from some moment during the call. The
	// caller owns what it is given.
	Receive(ctx context.Context, q Request) ([]Delivery, error)

	// Delete removes messages for good. Deleting what is gone already succeeds.
	// With a receipt that a later delivery has replaced, the message may be
	// deleted or not, and the answer may be nil or ErrLeaseLost: delete only
	// what may be deleted either way.
	Delete(ctx context.Context, receipts []Receipt) []error

	// Extend sets the time from now until a held message becomes visible again;
	// zero returns it at once. ErrLeaseLost: it is no longer held under this
	// receipt, and somebody else may hold it.
	Extend(ctx context.Context, leases []Lease) []error

	// Depth is how many messages there are. It may lag behind and be
	// approximate; it is never used to decide that a run is over.
	Depth(ctx context.Context) (Depth, error)

	// Limits is what one request of the medium takes. It never changes.
	Limits() Limits

	// Close waits for calls in progress and releases what the queue holds. It
	// does not return held messages: their leases run out.
	Close() error
}

// Entry is a message to send.
type Entry struct {
	Body  []byte            // 1 byte to Limits.Body bytes of UTF-8
	Attrs map[string]string // at most 8; counted into the size
	Group string            // fairness between groups, not order; may be empty; at most 128 letters, digits and punctuation
	Delay time.Duration     // until first visible, at most Limits.Delay
}

// Request says what Receive wants.
type Request struct {
	Max        int           // 1 or more
	Wait       time.Duration // long polling: how long to wait for a first message
	Visibility time.Duration // more than 0
}

// Receipt names one delivery of one message. It is opaque, never empty, and
// replaced by the receipt of the message's next delivery.
type Receipt string

// Delivery is a message as received.
type Delivery struct {
	Body     []byte
	Attrs    map[string]string
	Receipt  Receipt
	Receives int       // how often it was received, this time included; approximate, at least 1
	Sent     time.Time // when it was sent
}

// Lease names a held message and how long to hold it from now.
type Lease struct {
	Receipt    Receipt
	Visibility time.Duration // 0 to Limits.Visibility
}

// Depth counts messages.
type Depth struct {
	Visible  int64 // waiting to be received
	InFlight int64 // received and neither deleted nor returned
	Delayed  int64 // sent with a delay that has not passed
}

// Total is all messages in the queue.
func (d Depth) Total() int64 { return d.Visible + d.InFlight + d.Delayed }

// Limits of one request and one message.
type Limits struct {
	Batch      int           // entries that one request carries
	Body       int           // bytes of a message with its attributes, and of a batch
	Visibility time.Duration // longest time a message can be held, from its receipt
	Delay      time.Duration // longest delay
}

// Errors that implementations return, wrapped or bare.
var (
	ErrClosed    = errors.New("queue is closed")
	ErrLeaseLost = errors.New("message is no longer held under this receipt")
	ErrTooLarge  = errors.New("message is too large for the queue")
	ErrInvalid   = errors.New("message is none that the queue takes") // see Entry
)
