package task

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// output takes what one run of a processor brings forth. For the unit's own node
// it passes everything on at once. For an inlined node it keeps everything until
// the node has succeeded: the attempt goes on without what failed.
type output struct {
	u    *unit
	ctx  context.Context
	node processor.Node
	at   schema.Place // of an inlined node; its parent may be a node without a plan

	children *collector // of the unit's own node; nil in a reduce and inline
	inline   bool

	mu      sync.Mutex
	failed  error // a child or a block was not taken: the attempt must not count, whatever the processor says
	objects int64
	bytes   int64
	keep    float64

	// What an inlined node brought forth so far.
	kids   []ledger.Kid
	blocks []block
	size   int
}

type block struct {
	stream string
	data   []byte
	rows   int
}

// Limits of what an inlined node may bring forth; beyond them it becomes a
// message of its own, which can stream.
const (
	inlineBytes = 1 << 20
	inlineKids  = ledger.MaxKids
)

// errTooBig ends an inlined attempt that outgrows the limits.
var errTooBig = errors.New("node is too big to be processed inline")

func (u *unit) newOutput(ctx context.Context, c *collector) *output {
	o := &output{u: u, ctx: ctx, children: c}
	o.node = processor.Node{Run: u.m.Run, Epoch: u.m.Epoch, Params: u.run.Options.Params, Key: o.key}
	return o
}

// reset prepares the output for the next inlined node.
func (o *output) reset() {
	o.objects, o.bytes, o.keep, o.size, o.failed = 0, 0, 0, 0, nil
	o.kids, o.blocks = o.kids[:0], o.blocks[:0]
}

func (o *output) key() schema.PID {
	if o.inline {
		return schema.PIDOf(o.u.m.Run, o.at)
	}
	return o.u.pid
}

func (o *output) run(p processor.Processor) error {
	return o.guard(func() error { return p.Process(o.ctx, &o.node, o) })
}

// guard runs a step of a processor. What it did not manage to hand over decides
// before what it says: an error that it read over, or one of the medium's that it
// took for its own.
func (o *output) guard(step func() error) error {
	err := guard(step)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil || errors.As(o.failed, &trouble{}) {
		return o.failed
	}
	return err
}

// Child implements processor.Out.
func (o *output) Child(c processor.Child) error { return o.keepFailure(o.child(c)) }

func (o *output) keepFailure(err error) error {
	if err != nil {
		o.mu.Lock()
		if o.failed == nil {
			o.failed = err
		}
		o.mu.Unlock()
	}
	return err
}

func (o *output) child(c processor.Child) error {
	kid, err := check(&o.node, &c, o.u.t.cfg.Queue.Limits().Body)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.inline:
		if o.size += len(c.Args); len(o.kids) == inlineKids || o.size > inlineBytes {
			return errTooBig
		}
		o.kids = append(o.kids, kid)
		return nil
	case o.children == nil:
		return processor.Permanent(fmt.Errorf("reveal child %q: a reduce has no children", c.ID))
	default:
		return o.children.add(kid)
	}
}

// Write implements processor.Out.
func (o *output) Write(stream string, data []byte, rows int) error {
	return o.keepFailure(o.write(stream, data, rows))
}

func (o *output) write(stream string, data []byte, rows int) error {
	if !o.inline {
		return o.u.write(o.ctx, stream, data, rows)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.size += len(data); o.size > inlineBytes {
		return errTooBig
	}
	o.blocks = append(o.blocks, block{stream, append([]byte(nil), data...), rows})
	return nil
}

// write passes a block to the unit's part of the results.
func (u *unit) write(ctx context.Context, stream string, data []byte, rows int) error {
	u.partMu.Lock()
	if u.part == nil {
		p, err := u.sink.Open(ctx, sink.Attempt{Run: u.m.Run, PID: u.results, ID: u.attempt})
		if err != nil {
			u.partMu.Unlock()
			return trouble{fmt.Errorf("open results: %w", err)}
		}
		u.part = p
	}
	part := u.part
	u.partMu.Unlock()
	if err := part.Write(ctx, stream, data, rows); err != nil {
		return trouble{err}
	}
	return nil
}

// Count implements processor.Out.
func (o *output) Count(objects, bytes int64) {
	o.mu.Lock()
	o.objects = schema.Sum(o.objects, objects)
	o.bytes = schema.Sum(o.bytes, bytes)
	o.mu.Unlock()
}

// Keep implements processor.Out.
func (o *output) Keep(part float64) {
	o.mu.Lock()
	o.keep = part
	o.mu.Unlock()
}

// Request implements processor.Out.
func (o *output) Request(name string, n int64) {
	o.u.seen.request(name, n)
	o.u.t.figures.change(o.u.m.Run, func(w *ledger.Worker) { w.Requests[name] += n })
}

// Borrow implements processor.Out.
func (o *output) Borrow() (processor.Slot, bool) {
	o.u.borrows.Store(true)
	if !o.u.t.slots.borrow() {
		return nil, false
	}
	l := &loan{slots: o.u.t.slots}
	o.u.loans.Store(l, nil)
	l.returned = func() { o.u.loans.Delete(l) }
	return l, true
}

// Due implements processor.Out.
func (o *output) Due() processor.Due { return o.u.due() }
