// Package real puts faults before servers that we did not write, so that the cases of
// package sim run on the conditions of DynamoDB and the leases of SQS themselves, as an
// emulator has them: faults as those of queue/hostile, but made from outside.
package real

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/hostile"
)

// errFault is the error of every fault.
var errFault = errors.New("injected fault before the queue")

// Queue is a queue with faults before it. Of hostile.Faults it has those that can be had
// from outside: requests lost before they act and after, also in half, copies, ghosts,
// leases that end early, deletes that are forgotten, extensions that are denied, receive
// counts that lie, receives that bring nothing, messages that come late, and stalls.
type Queue struct {
	queue.Queue

	mu       sync.Mutex
	dice     *rand.Rand
	faults   hostile.Faults
	happened map[string]int
	known    map[queue.Receipt]queue.Delivery // that were received, and not deleted
}

// New puts faults, none at first, before a queue.
func New(q queue.Queue, seed uint64) *Queue {
	return &Queue{
		Queue: q, dice: rand.New(rand.NewPCG(seed, 0x7265616c)),
		happened: map[string]int{}, known: map[queue.Receipt]queue.Delivery{},
	}
}

// Set changes the faults from now on.
func (q *Queue) Set(f hostile.Faults) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.faults = f
}

// Happened is how often each fault has occurred.
func (q *Queue) Happened() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.happened)
}

// happens rolls for a fault, whose probability of picks.
func (q *Queue) happens(name string, of func(f *hostile.Faults) float64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p := of(&q.faults); p <= 0 || q.dice.Float64() >= p {
		return false
	}
	q.happened[name]++
	return true
}

// upTo is any time up to that which of picks.
func (q *Queue) upTo(of func(f *hostile.Faults) time.Duration) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Duration(q.dice.Float64() * float64(of(&q.faults)))
}

// stall makes a request late.
func (q *Queue) stall(ctx context.Context) error {
	if !q.happens("Stall", func(f *hostile.Faults) float64 { return f.Stall }) {
		return ctx.Err()
	}
	timer := time.NewTimer(q.upTo(func(f *hostile.Faults) time.Duration { return f.StallFor }))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// each makes a request of n entries, of which those that stay come to act.
func (q *Queue) each(ctx context.Context, what string, n int, loss func(*hostile.Faults) hostile.Loss, act func(stay []int) []error) []error {
	all := func(err error) []error { return slices.Repeat([]error{err}, n) }
	if err := q.stall(ctx); err != nil {
		return all(err)
	}
	if q.happens(what+".Before", func(f *hostile.Faults) float64 { return loss(f).Before }) {
		return all(errFault)
	}
	errs := all(errFault)
	half := n > 1 && q.happens(what+".Half", func(f *hostile.Faults) float64 { return loss(f).Half })
	var stay []int
	for i := range n {
		if !half || i%2 == 0 {
			stay = append(stay, i)
		}
	}
	for i, err := range act(stay) {
		errs[stay[i]] = err
	}
	if q.happens(what+".After", func(f *hostile.Faults) float64 { return loss(f).After }) {
		return all(errFault)
	}
	return errs
}

// Send implements queue.Queue.
func (q *Queue) Send(ctx context.Context, entries []queue.Entry) []error {
	return q.each(ctx, "Send", len(entries), func(f *hostile.Faults) hostile.Loss { return f.Send }, func(stay []int) []error {
		some := make([]queue.Entry, len(stay))
		for i, at := range stay {
			some[i] = entries[at]
			if q.happens("Late", func(f *hostile.Faults) float64 { return f.Late }) {
				some[i].Delay = min(some[i].Delay+time.Second+q.upTo(func(f *hostile.Faults) time.Duration { return f.LateBy }), q.Limits().Delay)
			}
		}
		return q.Queue.Send(ctx, some)
	})
}

// Receive implements queue.Queue.
func (q *Queue) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	if err := q.stall(ctx); err != nil {
		return nil, err
	}
	switch {
	case q.happens("Receive.Before", func(f *hostile.Faults) float64 { return f.Receive.Before }):
		return nil, errFault
	case q.happens("Empty", func(f *hostile.Faults) float64 { return f.Empty }):
		return nil, nil
	}
	got, err := q.Queue.Receive(ctx, r)
	if err != nil || len(got) == 0 {
		return got, err
	}
	for i := range got {
		q.deliver(ctx, &got[i])
	}
	if q.happens("Receive.Half", func(f *hostile.Faults) float64 { return f.Receive.Half }) {
		got = got[:len(got)/2]
	}
	if q.happens("Receive.After", func(f *hostile.Faults) float64 { return f.Receive.After }) {
		return nil, errFault
	}
	return got, nil
}

// deliver does to a message what may be done while it is under way.
func (q *Queue) deliver(ctx context.Context, d *queue.Delivery) {
	q.mu.Lock()
	q.known[d.Receipt] = *d
	q.mu.Unlock()
	if q.happens("Twin", func(f *hostile.Faults) float64 { return f.Twin / 2 }) { // copies are copied, too
		q.again(ctx, d)
	}
	if q.happens("Expire", func(f *hostile.Faults) float64 { return f.Expire }) {
		q.Queue.Extend(ctx, []queue.Lease{{Receipt: d.Receipt, Visibility: 0}})
	}
	if d.Receives > 1 && q.happens("Lie", func(f *hostile.Faults) float64 { return f.Lie }) {
		d.Receives = 1
	}
}

// again sends a copy of a message.
func (q *Queue) again(ctx context.Context, d *queue.Delivery) {
	q.Queue.Send(ctx, []queue.Entry{{Body: d.Body, Attrs: d.Attrs}})
}

// Delete implements queue.Queue.
func (q *Queue) Delete(ctx context.Context, receipts []queue.Receipt) []error {
	return q.each(ctx, "Delete", len(receipts), func(f *hostile.Faults) hostile.Loss { return f.Delete }, func(stay []int) []error {
		errs := make([]error, len(stay))
		for i, at := range stay {
			if q.happens("Forget", func(f *hostile.Faults) float64 { return f.Forget }) {
				continue
			}
			errs[i] = q.Queue.Delete(ctx, receipts[at:at+1])[0]
			q.mu.Lock()
			d, known := q.known[receipts[at]]
			delete(q.known, receipts[at])
			q.mu.Unlock()
			if known && q.happens("Ghost", func(f *hostile.Faults) float64 { return f.Ghost / 2 }) {
				q.again(ctx, &d)
			}
		}
		return errs
	})
}

// Extend implements queue.Queue.
func (q *Queue) Extend(ctx context.Context, leases []queue.Lease) []error {
	return q.each(ctx, "Extend", len(leases), func(f *hostile.Faults) hostile.Loss { return f.Extend }, func(stay []int) []error {
		some := make([]queue.Lease, len(stay))
		for i, at := range stay {
			some[i] = leases[at]
		}
		errs := q.Queue.Extend(ctx, some)
		for i := range errs {
			if q.happens("Deny", func(f *hostile.Faults) float64 { return f.Deny }) {
				errs[i] = queue.ErrLeaseLost
			}
		}
		return errs
	})
}
