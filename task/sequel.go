package task

import (
	"context"
	"errors"

	"github.com/ramify/ramify/processor"
)

// attemptSequel runs the second step of a node whose kind may have children there
// (processor.Sequel). From here on it is processed as a node is: what it comes to is a
// plan beside the node's own, schema.ReducePID, which is written before anything of it
// is settled or posted. So duplicates agree on it, and what it reveals is retried,
// given up and redriven as any. What is committed holds the node's own account, too
// (unit.base), which settles with it.
func (u *unit) attemptSequel(ctx context.Context) (result, error) {
	sum, _, err := u.below(ctx)
	if err != nil {
		return result{}, trouble{err}
	}
	c := u.newCollector(ctx)
	own, err := u.secondStep(ctx, u.reducer(), sum, &c)
	if err != nil {
		return result{}, err
	}
	res := result{own: own}
	res.kids, err = c.plan()
	return res, err
}

// fallBack is what becomes of a node that is given up, where its kind has children
// for that (processor.Fallback). They are planned where a tomb would be, so that they
// and it exclude each other, and what slower attempts come to.
func (u *unit) fallBack(ctx context.Context, why error) (res result, instead bool, err error) {
	f, is := u.t.cfg.Processors[u.m.Kind].(processor.Fallback)
	if !is {
		return res, false, nil
	}
	c := u.newCollector(ctx)
	out := u.newOutput(ctx, &c)
	out.node.ID, out.node.Kind, out.node.Args = u.m.ID, u.m.Kind, u.m.Args
	out.node.Depth, out.node.Tries, out.node.Share = u.m.Depth, u.m.Tries, u.m.Share
	err = out.guard(func() error { return f.GiveUp(ctx, &out.node, why, out) })
	u.abort()
	if err == nil {
		res.kids, err = c.plan()
	}
	switch {
	case ctx.Err() != nil:
		return res, false, context.Cause(ctx)
	case errors.As(err, &trouble{}), processor.IsTrouble(err):
		return res, false, err
	case err != nil:
		u.t.cfg.Log.Error("node given up without what should become of it", "run", u.m.Run, "node", u.m.ID, "error", err)
		return res, false, nil
	}
	res.own = u.base
	if u.redo {
		res.own.Failures--
	}
	u.closed = true
	return res, len(res.kids) > 0, nil
}
