package task

import (
	"context"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// todo is a node that may be processed inline.
type todo struct {
	kid   ledger.Kid
	share schema.Share
	depth int
	at    schema.Place // its place below the unit's node, for its key
}

// inline processes the children that the unit's node revealed, and theirs, depth
// first, until the budget of nodes is spent or the unit is due. What is left, and
// what failed or cannot be done inline, goes back to the collector: the frontier
// that will be posted.
func (u *unit) inline(ctx context.Context, c *collector, res *result) error {
	budget := u.run.Options.Inline - 1
	stack := push(nil, c.kids, u.m.Share-res.share, u.m.Depth, u.pid)
	*c = collector{
		ctx: c.ctx, ledger: c.ledger, run: c.run, node: c.node,
		attempt: c.attempt, depth: c.depth, epoch: c.epoch,
	}
	var kept []todo
	out := u.newOutput(ctx, nil)
	out.inline = true
	last, most := u.began, u.t.cfg.Sketch.Slowest
	var begun todo // the node before
	var at time.Time
	for n := 0; len(stack) > 0 && n < budget; n++ {
		u.borrows.Store(false) // what the node before borrowed is back, and may find nothing to do
		// Looking at the clock costs as much as a small node.
		now := time.Now()
		if !at.IsZero() {
			u.seen.slow(most, begun.kid.ID, begun.kid.Kind, now.Sub(at), now)
			at = time.Time{}
		}
		if n%16 == 0 || now.Sub(last) > time.Millisecond {
			last = now
			if due := u.due(); due != processor.NotDue && (due != processor.Share || len(stack)+len(kept) > 1) {
				break
			}
		}
		next := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !u.inlinable(next.kid) {
			kept = append(kept, next)
			continue
		}
		out.reset()
		begun, at = next, now
		out.at = next.at
		out.node.ID, out.node.Kind, out.node.Args = next.kid.ID, next.kid.Kind, next.kid.Args
		out.node.Depth, out.node.Share = next.depth, next.share
		if err := out.run(u.t.cfg.Processors[next.kid.Kind]); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			kept = append(kept, next) // it fails again, or not, as a message of its own
			continue
		}
		for _, b := range out.blocks {
			if err := u.write(ctx, b.stream, b.data, b.rows); err != nil {
				return err
			}
		}
		res.own = res.own.Add(schema.Account{Nodes: 1, Objects: out.objects, Bytes: out.bytes})
		if len(out.kids) == 0 {
			res.share += next.share
			continue
		}
		own := next.share.Keep(out.keep)
		res.share += own
		stack = push(stack, out.kids, next.share-own, next.depth, out.key())
	}
	if !at.IsZero() {
		now := time.Now()
		u.seen.slow(most, begun.kid.ID, begun.kid.Kind, now.Sub(at), now)
	}
	return frontier(c, kept, stack)
}

// inlinable reports whether a node can be done within another unit. One that
// reduces cannot: its reduce needs a plan of its own to follow. Nor can one that is
// for the tasks of another queue.
func (u *unit) inlinable(kid ledger.Kid) bool {
	p, ok := u.t.cfg.Processors[kid.Kind]
	_, reduces := p.(processor.Reducer)
	_, apart := p.(processor.Apart)
	return ok && !reduces && !apart && (u.t.cfg.Route == nil || u.t.cfg.Route(kid.Kind, kid.Args) == nil)
}

// push puts the children of a node at a depth on the stack, the first on top.
func push(stack []todo, kids []ledger.Kid, share schema.Share, depth int, parent schema.PID) []todo {
	var total, before uint64
	for i := range kids {
		total += uint64(max(kids[i].Weight, 1))
	}
	first := len(stack)
	var given schema.Share
	for i := range kids {
		before += uint64(max(kids[i].Weight, 1))
		upTo := share.Part(before, total)
		stack = append(stack, todo{kid: kids[i], share: upTo - given, depth: depth + kids[i].Deeper, at: schema.Place{Parent: parent, Slot: i}})
		given = upTo
	}
	for i, j := first, len(stack)-1; i < j; i, j = i+1, j-1 {
		stack[i], stack[j] = stack[j], stack[i]
	}
	return stack
}

// frontier hands what is left to the collector, with weights by its shares.
func frontier(c *collector, parts ...[]todo) error {
	var most schema.Share
	even := true
	for _, part := range parts {
		for i := range part {
			even = even && (most == 0 || part[i].share == most)
			most = max(most, part[i].share)
		}
	}
	for _, part := range parts {
		for i := range part {
			kid := part[i].kid
			kid.Weight = 0
			if !even {
				kid.Weight = scale(uint64(part[i].share), uint64(most))
			}
			kid.Deeper = part[i].depth - c.depth
			if err := c.add(kid); err != nil {
				return err
			}
		}
	}
	return nil
}
