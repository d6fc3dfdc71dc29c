package task

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// result is what one attempt brought forth: all that is done, and what is left.
type result struct {
	own   schema.Account
	share schema.Share // done with
	kids  []ledger.Kid
}

// process does the node's work and commits it.
func (u *unit) process(ctx context.Context) (verdict, error) {
	res, err := u.attemptNode(ctx)
	if err == nil && len(res.kids) == 0 && !u.sequel {
		err = u.reduceLeaf(ctx, &res)
	}
	if err != nil {
		u.abort()
		switch {
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case errors.As(err, &trouble{}), errors.Is(err, sink.ErrFull), processor.IsTrouble(err):
			return 0, err
		default:
			return u.fail(ctx, err)
		}
	}
	if len(res.kids) == 0 {
		// Another attempt may write where this one did not: what it found has
		// changed, or it inlined a child that writes. The sink must know of this
		// one too, so that the rows it keeps and the account agree.
		if err := u.write(ctx, sink.Rows, nil, 0); err != nil {
			return 0, err
		}
	}
	if u.part != nil {
		if res.own, err = u.part.Commit(ctx, len(res.kids) == 0, res.own); err != nil {
			return 0, fmt.Errorf("commit results of node %s: %w", u.m.ID, err)
		}
	}
	if u.redo {
		// Not before: the sink may answer with the account of an attempt of the
		// epoch in which the node was given up, which knows of no failure.
		res.own.Failures--
	}
	res.own = res.own.Add(u.base)
	if len(res.kids) == 0 {
		return u.commitLeaf(ctx, res)
	}
	return u.commitPlan(ctx, res)
}

// commitLeaf settles a node that has no children left.
func (u *unit) commitLeaf(ctx context.Context, res result) (verdict, error) {
	s := ledger.Settlement{At: u.m.Up, Account: res.own, Header: u.m.Hdr, Unfenced: true}
	if !u.suspect && !u.sequel {
		return u.settle(ctx, s, res.own, res.share)
	}
	// Another attempt may hold a plan: the plan record arbitrates.
	p := u.plan(ledger.Leaf, res)
	stored, _, err := u.t.cfg.Ledger.Plan(ctx, p)
	if err != nil {
		return 0, fmt.Errorf("plan node %s: %w", u.m.ID, err)
	}
	return u.concede(ctx, &stored)
}

// concede goes on with the plan that is stored after the unit tried to put its
// own. Where another message has won with children, that message is about: the
// unit asked before, and there was none. So also a sweep's message ends here,
// instead of walking the subtree a second time; if the queue lost the winner in
// the meantime, the next sweep finds it.
func (u *unit) concede(ctx context.Context, stored *ledger.Plan) (verdict, error) {
	if stored.Type == ledger.Live && stored.Epoch == u.m.Epoch && stored.MID != u.m.MID {
		return done, nil
	}
	v, decided, err := u.follow(ctx, stored)
	if err == nil && !decided {
		err = fmt.Errorf("plan node %s: a tomb of an earlier epoch was kept", u.m.ID)
	}
	return v, err
}

// commitPlan makes the children durable and posts them.
func (u *unit) commitPlan(ctx context.Context, res result) (verdict, error) {
	p := u.plan(ledger.Live, res)
	stored, won, err := u.t.cfg.Ledger.Plan(ctx, p)
	if err != nil {
		return 0, fmt.Errorf("plan node %s: %w", u.m.ID, err)
	}
	if !won {
		return u.concede(ctx, &stored)
	}
	u.settled(res.own, res.share)
	if u.suspect {
		if v, claimed, err := u.claim(ctx); err != nil || !claimed {
			return v, err
		}
	}
	// What is posted is what the ledger has: one that keeps nothing has posted the
	// children of a wide node itself, and there are no pages to ask it for.
	h := u.header(&stored, 0)
	return done, u.postKids(ctx, &stored, h, stored.Share, ledger.FirstSlots(len(stored.Kids)), schema.PostOriginal)
}

func (u *unit) plan(t ledger.PlanType, res result) ledger.Plan {
	return ledger.Plan{
		PID: u.pid, Run: u.m.Run, Type: t, Epoch: u.m.Epoch, Kids: res.kids, Own: res.own, Up: u.m.Up,
		Reduce: u.reducer() != nil && !u.sequel && !u.closed, Attempt: u.attempt, MID: u.m.MID,
		Depth: u.m.Depth, Share: u.m.Share - res.share,
	}
}

// attemptNode runs the processor on the unit's node and then, within the inline
// budget, on what it revealed.
func (u *unit) attemptNode(ctx context.Context) (result, error) {
	proc, ok := u.t.cfg.Processors[u.m.Kind]
	if !ok {
		return result{}, processor.Permanent(fmt.Errorf("process node: kind %q is unknown to this task", u.m.Kind))
	}
	if u.sequel {
		return u.attemptSequel(ctx)
	}
	c := u.newCollector(ctx)
	c.hold = u.run.Options.Inline > 1
	out := u.newOutput(ctx, &c)
	out.node.ID, out.node.Kind, out.node.Args = u.m.ID, u.m.Kind, u.m.Args
	out.node.Depth, out.node.Tries, out.node.Share = u.m.Depth, u.m.Tries, u.m.Share
	began := time.Now()
	err := out.run(proc)
	now := time.Now()
	u.seen.slow(u.t.cfg.Sketch.Slowest, u.m.ID, u.m.Kind, now.Sub(began), now)
	if err != nil {
		return result{}, err
	}
	res := result{own: schema.Account{Nodes: 1, Objects: out.objects, Bytes: out.bytes}, share: u.m.Share}
	if c.count == 0 && !c.wide() {
		return res, nil
	}
	res.share = u.m.Share.Keep(out.keep)
	if !c.wide() && u.run.Options.Inline > 0 && slices.ContainsFunc(c.kids, u.inlinable) {
		if err := u.inline(ctx, &c, &res); err != nil {
			return result{}, err
		}
	}
	res.kids, err = c.plan()
	return res, err
}

// reduceLeaf runs the reduce of a node below which nothing is left to settle.
func (u *unit) reduceLeaf(ctx context.Context, res *result) error {
	r := u.reducer()
	if r == nil {
		return nil
	}
	c := u.newCollector(ctx)
	own, err := u.secondStep(ctx, r, res.own, &c)
	if err != nil {
		return err
	}
	res.own = res.own.Add(own)
	if res.kids, err = c.plan(); len(res.kids) > 0 {
		res.share, u.closed = 0, true
	}
	return err
}

// secondStep runs the reduce of a node that is in c, with the account of the node and
// all below it, and says what it adds.
func (u *unit) secondStep(ctx context.Context, r processor.Reducer, sum schema.Account, c *collector) (schema.Account, error) {
	if _, is := r.(processor.Sequel); !is {
		c = nil
	}
	out, err := u.runReduce(ctx, r, sum, c)
	if err != nil {
		return schema.Account{}, err
	}
	return schema.Account{Reduces: 1, Objects: out.objects, Bytes: out.bytes}, nil
}

func (u *unit) runReduce(ctx context.Context, r processor.Reducer, sum schema.Account, c *collector) (*output, error) {
	out := u.newOutput(ctx, c)
	out.node.ID, out.node.Kind, out.node.Args = u.m.ID, u.m.Kind, u.m.Args
	out.node.Depth, out.node.Tries = u.m.Depth, u.m.Tries
	err := out.guard(func() error { return r.Reduce(ctx, &out.node, sum, out) })
	return out, err
}

func (u *unit) newCollector(ctx context.Context) collector {
	return collector{
		ctx: ctx, ledger: u.t.cfg.Ledger, run: u.m.Run, node: u.pid,
		attempt: u.attempt, depth: u.m.Depth, epoch: u.m.Epoch,
	}
}

// abort forgets what the attempt has written.
func (u *unit) abort() {
	if u.part != nil {
		u.part.Abort()
		u.part = nil
	}
}

// due says whether the unit should end. A unit that borrows has no need to share
// with the idle slots of its own task: it can have them; but with those of others.
func (u *unit) due() processor.Due {
	t := u.t
	if t.stopping.Load() {
		return processor.Stop
	}
	age := time.Since(u.began)
	switch {
	case u.shares.Load():
		return processor.Share
	case age >= t.cfg.Checkpoint:
		return processor.Checkpoint
	case age >= t.cfg.ShareAfter && !u.borrows.Load() && t.inbox.hungry():
		return processor.Share
	case age >= t.cfg.ShareAfter && t.sharing.wanted(u.began):
		u.shares.Store(true) // it may ask more than once before it ends
		return processor.Share
	default:
		return processor.NotDue
	}
}

// guard makes of a panic in a processor an error of its node: one bad node must
// not end the others' work.
func guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("processor panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}
