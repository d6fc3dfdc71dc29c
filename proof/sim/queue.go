package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/task"
)

// messages is a queue as one worker reaches it. What goes wrong with requests the
// hostile queue does itself; a nil gate is that of people.
type messages struct {
	queue.Queue
	w    *world
	gate *gate
	dead bool // it is the dead-letter queue
}

var _ queue.Queue = messages{}

func (q messages) worker() int {
	if q.gate == nil {
		return 0
	}
	return q.gate.worker
}

// each makes a request of entries that answers per entry.
func (q messages) each(ctx context.Context, what string, n int, act func() []error) []error {
	if q.gate == nil {
		return act()
	}
	kind := another
	if what == "delete" && !q.dead {
		kind = deleting
	}
	defer q.gate.call(kind)()
	if err := q.gate.enter(ctx, what); err != nil {
		return slices.Repeat([]error{err}, n)
	}
	errs := act()
	if err := q.gate.leave(what); err != nil {
		return slices.Repeat([]error{err}, n)
	}
	return errs
}

// Send implements queue.Queue.
func (q messages) Send(ctx context.Context, entries []queue.Entry) []error {
	errs := q.each(ctx, "send", len(entries), func() []error {
		errs := q.Queue.Send(ctx, entries)
		for i, e := range entries {
			q.sent(e, errs[i])
		}
		return errs
	})
	if q.dead && q.gate != nil && errs[0] != nil {
		q.gate.worked() // a message that cannot be executed, perhaps, and is put back
	}
	return errs
}

// Receive implements queue.Queue.
func (q messages) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	if q.gate == nil {
		return q.Queue.Receive(ctx, r)
	}
	if q.dead { // letters are looked at, and not held
		return q.receive(ctx, r)
	}
	defer q.gate.call(receiving)()
	answered := q.gate.ask(r.Max)
	got, err := q.receive(ctx, r)
	answered(len(got))
	return got, err
}

// receive is Receive of a worker.
func (q messages) receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	if err := q.gate.enter(ctx, "receive"); err != nil {
		return nil, err
	}
	got, err := q.Queue.Receive(ctx, r)
	if q.w.c.On("maxreceive") && !q.dead {
		got = q.overdue(got)
	}
	for _, d := range got {
		q.note(history.Receive, d.Body, fmt.Sprintf("receives=%d %s", d.Receives, d.Receipt))
	}
	if err := q.gate.leave("receive"); err != nil {
		return nil, err
	}
	return got, err
}

// mostReceives is after how many the queue gives a message up; the engine's own
// putting back comes to ten at most.
const mostReceives = 12

// overdue moves what was received too often to the dead-letter queue, as the queue
// itself would.
func (q messages) overdue(got []queue.Delivery) (rest []queue.Delivery) {
	for _, d := range got {
		if d.Receives <= mostReceives {
			rest = append(rest, d)
			continue
		}
		q.note(history.Note, d.Body, "the queue gives it up")
		q.w.log.Saw("the queue gives a message up")
		for errs := []error{errAway}; errs[0] != nil; { // it is the queue itself: nothing is lost
			errs = q.w.dead.Send(context.Background(), []queue.Entry{{Body: d.Body, Attrs: d.Attrs}})
		}
		q.Queue.Delete(context.Background(), []queue.Receipt{d.Receipt})
	}
	return rest
}

// Delete implements queue.Queue.
func (q messages) Delete(ctx context.Context, receipts []queue.Receipt) []error {
	return q.each(ctx, "delete", len(receipts), func() []error {
		for _, r := range receipts {
			q.w.log.Add(history.Event{Worker: q.worker(), What: history.Delete, Note: string(r)})
		}
		return q.Queue.Delete(ctx, receipts)
	})
}

// Extend implements queue.Queue.
func (q messages) Extend(ctx context.Context, leases []queue.Lease) []error {
	return q.each(ctx, "extend", len(leases), func() []error { return q.Queue.Extend(ctx, leases) })
}

// sent notes what was sent; of a letter also what it says, and by what it is known again.
func (q messages) sent(entry queue.Entry, err error) {
	e := q.event(history.Send, entry.Body, "")
	if q.dead {
		e.Body, e.Reason = history.Hash(entry.Body), entry.Attrs[task.AttrReason]
	}
	q.add(e, err)
}

func (q messages) note(what string, body []byte, note string) {
	q.add(q.event(what, body, note), nil)
}

func (q messages) event(what string, body []byte, note string) history.Event {
	e := history.Event{Worker: q.worker(), What: what, Note: note, Dead: q.dead}
	e.Message = q.w.parse(body)
	if q.dead {
		e.Note += " dead"
	}
	return e
}

// parse is what a body says; nil where nobody can read it. One is sent and received many
// times.
func (w *world) parse(body []byte) *schema.Message {
	w.reading.Lock()
	defer w.reading.Unlock()
	m, known := w.read[string(body)]
	if !known {
		var err error
		if m, err = schema.Parse(body); err != nil {
			m = nil
		}
		w.read[string(body)] = m
	}
	return m
}

func (q messages) add(e history.Event, err error) {
	if err != nil {
		e.Err = err.Error()
	}
	q.w.log.Add(e)
}

// faults are those of the queue in a case.
func (w *world) faults() hostile.Faults {
	c := w.c
	loss := func(name string) hostile.Loss {
		p := c.often(name)
		return hostile.Loss{Before: p, After: p, Half: p}
	}
	f := hostile.Faults{
		Send: loss("send"), Receive: loss("receive"), Delete: loss("delete"), Extend: loss("extend"),
		Twin: c.often("twin"), Lie: c.often("lie"), Reorder: c.part("reorder", 0.5), Empty: c.often("empty"),
		Expire: c.often("expire"), Late: c.often("late"), LateBy: w.pace(time.Minute),
		Forget: c.often("forget"), Ghost: c.often("ghost"), Stale: c.part("stale", 0.5),
		Deny: c.often("deny"), Vague: c.often("vague"),
		Stall: c.part("stall", c.P/20), StallFor: w.pace(3 * time.Minute),
	}
	if c.On("latency") {
		f.Latency = w.pace(10 * time.Millisecond)
	}
	return f
}
