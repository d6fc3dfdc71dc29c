// Package hostile is a queue in memory that is as unkind as the contract of
// package queue allows: what the engine does right on it, it does right on any
// queue. Without faults it is the plainest correct queue there is.
//
// Chance comes from a seed: the same calls in the same order meet the same
// faults. Time is that of package time and nothing runs between calls, so it
// works in a bubble of testing/synctest; with Faults.Latency, calls there act
// at different moments of the fake clock, in an order that the seed decides.
package hostile

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ramify/ramify/internal/whim"
	"github.com/ramify/ramify/queue"
)

// ErrFault is the error of every fault: the medium's, as a caller sees it.
var ErrFault = errors.New("injected fault of the queue")

// limits are those of Amazon SQS (Developer Guide, "Amazon SQS message quotas").
var limits = queue.Limits{Batch: 10, Body: 1 << 20, Visibility: 12 * time.Hour, Delay: 15 * time.Minute}

// maxAttrs is how many attributes an entry may have.
const maxAttrs = 8

// Queue is the hostile queue.
type Queue struct {
	medium *whim.Medium

	// With the medium's lock.
	faults   Faults
	calls    Calls
	messages messages
	waiters  []*waiter     // receives that wait, the first come first
	changed  chan struct{} // closed when a waiter was served or the next due moment may have moved
}

var _ queue.Queue = (*Queue)(nil)

// waiter is a Receive that waits for a first message.
type waiter struct {
	queue.Request
	got []queue.Delivery
}

// New makes an empty queue.
func New(seed uint64, f Faults) *Queue {
	return &Queue{
		medium:   whim.New(seed, 0x7175657565, queue.ErrClosed),
		faults:   f,
		messages: messages{all: map[uint64]*message{}},
		changed:  make(chan struct{}),
	}
}

// Set changes the faults from now on.
func (q *Queue) Set(f Faults) {
	q.medium.Lock()
	defer q.medium.Unlock()
	q.faults = f
}

// Calls is the record of all calls so far.
func (q *Queue) Calls() Calls {
	q.medium.Lock()
	defer q.medium.Unlock()
	return q.calls
}

// Limits is what one request takes: the limits of SQS.
func (q *Queue) Limits() queue.Limits { return limits }

// Send posts entries; what the contract does not allow is refused with an error.
func (q *Queue) Send(ctx context.Context, entries []queue.Entry) []error {
	return q.batch(ctx, "Send", len(entries), &q.calls.Send, &q.faults.Send, func(i int) error {
		return q.post(entries[i])
	})
}

// Delete removes messages.
func (q *Queue) Delete(ctx context.Context, receipts []queue.Receipt) []error {
	return q.batch(ctx, "Delete", len(receipts), &q.calls.Delete, &q.faults.Delete, func(i int) error {
		return q.remove(receipts[i])
	})
}

// Extend changes how long messages are held.
func (q *Queue) Extend(ctx context.Context, leases []queue.Lease) []error {
	return q.batch(ctx, "Extend", len(leases), &q.calls.Extend, &q.faults.Extend, func(i int) error {
		return q.extend(leases[i])
	})
}

// batch makes requests of at most limits.Batch entries, one after the other.
func (q *Queue) batch(ctx context.Context, what string, n int, count *Count, loss *Loss, act func(int) error) []error {
	errs := make([]error, n)
	q.note(func() { count.Calls++; count.Entries += n })
	for from := 0; from < n; from += limits.Batch {
		part := errs[from:min(from+limits.Batch, n)]
		err := q.call(ctx, func() error { return q.request(what, part, count, loss, func(i int) error { return act(from + i) }) })
		if err != nil {
			for i := range part {
				part[i] = err
			}
		}
	}
	return errs
}

// request acts on the entries of one request and fills in their errors, or
// returns the one error of all of them. Called with the lock.
func (q *Queue) request(what string, errs []error, count *Count, loss *Loss, act func(int) error) error {
	if q.medium.Happens(what+".Before", loss.Before) {
		count.Faults += len(errs)
		return ErrFault
	}
	half, failed := q.medium.Chance(loss.Half), 0
	for i := range errs {
		if half && q.medium.Chance(0.5) {
			count.Faults++
			failed++
			errs[i] = ErrFault
			continue
		}
		errs[i] = act(i)
	}
	if failed > 0 && failed < len(errs) {
		q.medium.Note(what + ".Half")
	}
	q.serve()
	q.wake()
	if q.medium.Happens(what+".After", loss.After) {
		count.Faults += len(errs)
		return ErrFault
	}
	return nil
}

// Receive waits for messages. Where several receives wait, the first come is
// served first.
func (q *Queue) Receive(ctx context.Context, r queue.Request) (got []queue.Delivery, err error) {
	if r.Max < 1 || r.Wait < 0 || r.Visibility <= 0 || r.Visibility > limits.Visibility {
		return nil, fmt.Errorf("receive messages: request %+v is out of range", r)
	}
	q.note(func() { q.calls.Receive.Calls++ })
	err = q.call(ctx, func() error {
		loss := q.faults.Receive
		switch {
		case q.medium.Happens("Receive.Before", loss.Before):
			q.calls.Receive.Faults++
			return ErrFault
		case q.medium.Happens("Empty", q.faults.Empty):
			return nil
		}
		var err error
		if got, err = q.wait(ctx, r); err != nil {
			return err
		}
		if len(got) > 0 && q.medium.Happens("Receive.Half", loss.Half) { // what is dropped from the answer is held, by nobody
			got = got[:q.medium.IntN(len(got)+1)]
		}
		if q.medium.Happens("Receive.After", loss.After) {
			q.calls.Receive.Faults++
			return ErrFault
		}
		q.calls.Receive.Entries += len(got)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// wait is served messages until its time is over. Called with the lock, which it
// lends while it waits.
func (q *Queue) wait(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	w := &waiter{Request: r}
	q.waiters = append(q.waiters, w)
	deadline := time.Now().Add(r.Wait)
	var err error
	for {
		q.serve()
		now := time.Now()
		if len(w.got) > 0 || err != nil || !now.Before(deadline) {
			break
		}
		until := deadline
		if due, ok := q.messages.nextDue(); ok && due.Before(until) {
			until = due
		}
		changed := q.changed
		q.medium.Unlock()
		timer := time.NewTimer(until.Sub(now))
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			err = ctx.Err()
		case <-q.medium.Closing():
			err = queue.ErrClosed
		}
		timer.Stop()
		q.medium.Lock()
	}
	if len(w.got) > 0 {
		return w.got, nil
	}
	q.leave(w)
	return nil, err
}

// serve hands visible messages to those who wait.
func (q *Queue) serve() {
	q.messages.promote(time.Now())
	served := false
	for len(q.waiters) > 0 {
		w := q.waiters[0]
		for len(w.got) < w.Max {
			m := q.pick()
			if m == nil {
				break
			}
			w.got = append(w.got, q.deliver(m, w.Visibility))
		}
		if len(w.got) == 0 {
			break
		}
		q.leave(w)
		served = true
	}
	if served {
		q.wake()
	}
}

func (q *Queue) leave(w *waiter) {
	for i, other := range q.waiters {
		if other == w {
			q.waiters = append(q.waiters[:i], q.waiters[i+1:]...)
			return
		}
	}
}

func (q *Queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Depth counts messages.
func (q *Queue) Depth(ctx context.Context) (d queue.Depth, err error) {
	q.note(func() { q.calls.Depth.Calls++ })
	err = q.call(ctx, func() error {
		loss := q.faults.Depth
		if q.medium.Chance(loss.Before) || q.medium.Chance(loss.After) {
			q.calls.Depth.Faults++
			return ErrFault
		}
		d = q.messages.depth(time.Now())
		if q.medium.Happens("Vague", q.faults.Vague) {
			d.Visible = q.medium.Int64N(2*d.Visible + 1)
			d.InFlight = q.medium.Int64N(2*d.InFlight + 1)
			d.Delayed = q.medium.Int64N(2*d.Delayed + 1)
		}
		return nil
	})
	if err != nil {
		return queue.Depth{}, err
	}
	return d, nil
}

// Close ends all calls in progress with ErrClosed and waits for them. The
// messages are gone with the queue.
func (q *Queue) Close() error { return q.medium.Close() }

func check(e queue.Entry) error {
	switch {
	case e.Size() > limits.Body:
		return fmt.Errorf("send message of %d bytes: %w", e.Size(), queue.ErrTooLarge)
	case len(e.Body) == 0:
		return fmt.Errorf("send message: the body is empty: %w", queue.ErrInvalid)
	case !utf8.Valid(e.Body):
		return fmt.Errorf("send message: the body is not UTF-8: %w", queue.ErrInvalid)
	case len(e.Attrs) > maxAttrs:
		return fmt.Errorf("send message: %d attributes, want at most %d: %w", len(e.Attrs), maxAttrs, queue.ErrInvalid)
	case e.Delay < 0 || e.Delay > limits.Delay:
		return fmt.Errorf("send message: delay %s, want 0 to %s: %w", e.Delay, limits.Delay, queue.ErrInvalid)
	}
	return nil
}
