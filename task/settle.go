package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// settle commits the node's slot, the one write of a leaf, and climbs. The figures
// count what is new with it: own and share.
func (u *unit) settle(ctx context.Context, s ledger.Settlement, own schema.Account, share schema.Share) (verdict, error) {
	s.Run, s.Epoch = u.m.Run, u.m.Epoch
	tally, outcome, err := u.t.cfg.Ledger.Settle(ctx, s)
	if err != nil {
		return 0, fmt.Errorf("settle node %s: %w", u.m.ID, err)
	}
	switch outcome {
	case ledger.Claimed:
		return u.yield(ctx)
	case ledger.Won:
		u.settled(own, share)
	default:
		u.behind = true
	}
	if s.At.IsRoot() {
		return u.over(ctx)
	}
	return u.after(ctx, s.At.Parent, tally)
}

// yield ends a leaf whose slot another attempt's plan has claimed. If that plan
// is this message's own, an earlier delivery of it wrote the plan and may have
// died before it posted: the message must stay for a later delivery.
func (u *unit) yield(ctx context.Context) (verdict, error) {
	rec, err := u.t.cfg.Ledger.Read(ctx, []ledger.Key{{PID: u.pid}})
	if err != nil {
		return 0, fmt.Errorf("read plan of node %s: %w", u.m.ID, err)
	}
	if p := rec[0].Plan; p != nil && p.MID != u.m.MID {
		return done, nil
	}
	return letGo, nil
}

// after is what follows the settlement of a slot of plan p: nothing, while others
// are missing; otherwise the plan is complete, and what it belongs to is reduced
// or settled in turn, and so on up. Every step can be repeated by another worker:
// complete tallies never change.
func (u *unit) after(ctx context.Context, p schema.PID, tally ledger.Tally) (verdict, error) {
	for {
		h := tally.Header
		if h == nil {
			var err error
			if h, err = u.readHeader(ctx, p); err != nil {
				return 0, err
			}
		}
		if tally.Done.Len() < h.Required {
			return done, nil
		}
		failed := tally.Fail.Len() > 0
		if h.Reduce && !failed {
			return u.postReduce(ctx, h.Up, nil)
		}
		s := ledger.Settlement{
			Run: u.m.Run, At: h.Up, Epoch: u.m.Epoch,
			Account: tally.Sum.Add(h.Own), Failed: failed, Via: true,
		}
		if !h.Up.IsRoot() {
			s.Header = u.t.headers.get(h.Up.Parent, u.m.Epoch)
		}
		next, outcome, err := u.t.cfg.Ledger.Settle(ctx, s)
		if err != nil {
			return 0, fmt.Errorf("settle above node %s: %w", u.m.ID, err)
		}
		u.behind = u.behind || outcome != ledger.Won
		if h.Up.IsRoot() {
			return u.over(ctx)
		}
		p, tally = h.Up.Parent, next
	}
}

// over is the end of the run: its last settlement is made. The figures come first:
// who is told that it is over reads them.
func (u *unit) over(ctx context.Context) (verdict, error) {
	u.t.control.forget(ctx, u.m.Run)
	last, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	u.t.report(last)
	u.t.cfg.Over(u.m.Run)
	return done, nil
}

// readHeader makes the header of a plan from the ledger, where no settler of its
// slots knew it: all children have children themselves.
func (u *unit) readHeader(ctx context.Context, pid schema.PID) (*schema.Header, error) {
	rec, err := u.t.cfg.Ledger.Read(ctx, []ledger.Key{
		{PID: pid},
		{PID: pid, Tally: true, Epoch: u.m.Epoch - 1},
	})
	if err != nil {
		return nil, fmt.Errorf("read plan above node %s: %w", u.m.ID, err)
	}
	p := rec[0].Plan
	if p == nil {
		return nil, fmt.Errorf("read plan above node %s: it is missing from the ledger", u.m.ID)
	}
	failed := 0
	if rec[1].Tally != nil {
		failed = rec[1].Tally.Fail.Len()
	}
	h := u.header(p, failed)
	u.t.headers.put(pid, u.m.Epoch, h)
	return &h, nil
}

// climb looks whether the plan of a node is complete (sent by a sweep).
func (u *unit) climb(ctx context.Context) (verdict, error) {
	rec, err := u.t.cfg.Ledger.Read(ctx, []ledger.Key{{PID: u.pid, Tally: true, Epoch: u.m.Epoch}})
	if err != nil {
		return 0, fmt.Errorf("read tally of node %s: %w", u.m.ID, err)
	}
	if rec[0].Tally == nil {
		return done, nil
	}
	return u.after(ctx, u.pid, *rec[0].Tally)
}

// giveUp settles the node as failed. The tomb comes first: it arbitrates against
// a plan that a slower attempt may still write.
func (u *unit) giveUp(ctx context.Context, why error) (verdict, error) {
	if res, instead, err := u.fallBack(ctx, why); err != nil {
		return 0, err
	} else if instead {
		return u.commitPlan(ctx, res)
	}
	own := u.base.Add(schema.Account{Failures: 1})
	if u.redo {
		own.Failures-- // it is counted already
	}
	stored, _, err := u.t.cfg.Ledger.Plan(ctx, ledger.Plan{
		PID: u.pid, Run: u.m.Run, Type: ledger.Tomb, Epoch: u.m.Epoch, Own: own, Up: u.m.Up,
		Attempt: u.attempt, MID: u.m.MID, Depth: u.m.Depth, Err: reason(why.Error()),
		Tries: u.m.Tries + 1, At: stamp(),
	})
	if err != nil {
		return 0, fmt.Errorf("give up node %s: %w", u.m.ID, err)
	}
	return u.concede(ctx, &stored)
}

// stamp is the time as a tomb keeps it.
func stamp() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// bury copies the message to the dead letters and settles a tomb of this epoch.
// The letter comes first: once the slot has settled the run may be over, and no
// delivery would write it any more. A node that has succeeded elsewhere at that
// moment leaves a letter in vain.
func (u *unit) bury(ctx context.Context, p *ledger.Plan) (verdict, error) {
	if err := u.mourn(ctx, p.Err); err != nil {
		return 0, err
	}
	tally, outcome, err := u.t.cfg.Ledger.Settle(ctx, ledger.Settlement{
		Run: u.m.Run, At: u.m.Up, Epoch: u.m.Epoch, Account: p.Own, Failed: true, Header: u.m.Hdr, Via: u.sequel,
	})
	if err != nil {
		return 0, fmt.Errorf("settle failed node %s: %w", u.m.ID, err)
	}
	if outcome == ledger.Won {
		u.settled(p.Own, u.m.Share)
	} else {
		u.behind = true
	}
	if u.m.Up.IsRoot() {
		return u.over(ctx)
	}
	return u.after(ctx, u.m.Up.Parent, tally)
}

// mourn copies the message to the dead letters.
func (u *unit) mourn(ctx context.Context, why string) error {
	if err := u.t.deadLetter(ctx, u.held, why); err != nil {
		return fmt.Errorf("copy node %s to the dead letters: %w", u.m.ID, err)
	}
	return nil
}

// mournReduce is mourn of a reduce. The node's own plan says what is below it, so a
// tomb beside it says why, for people: nothing is decided by it.
func (u *unit) mournReduce(ctx context.Context, why string) error {
	if err := u.mourn(ctx, why); err != nil {
		return err
	}
	_, _, err := u.t.cfg.Ledger.Plan(ctx, ledger.Plan{
		PID: schema.ReducePID(u.pid), Run: u.m.Run, Type: ledger.Tomb, Epoch: u.m.Epoch, Up: u.m.Up,
		Attempt: u.attempt, MID: u.m.MID, Depth: u.m.Depth, Err: why,
		Tries: u.m.Tries + 1, At: stamp(),
	})
	if err != nil {
		return fmt.Errorf("give up reduce of node %s: %w", u.m.ID, err)
	}
	return nil
}

// postReduce posts the reduce of the node at a place; its plan may be known. Only
// who made the very settlement that completed the node, and is no suspect, posts
// the original.
func (u *unit) postReduce(ctx context.Context, at schema.Place, p *ledger.Plan) (verdict, error) {
	m := schema.Message{
		V: schema.Version, Run: u.m.Run, Op: schema.OpReduce, Up: at,
		MID: schema.NewMID(), Epoch: u.m.Epoch,
	}
	switch {
	case u.m.Re == schema.PostAdopt && u.m.Op != schema.OpReduce:
		// What a sweep looked for may have been posted, and lost with its owner. Not
		// so one level up: nothing there was complete when it looked.
		m.Re, m.MID = schema.PostAdopt, u.m.MID.Kin()
	case u.suspect || u.behind:
		m.Re = schema.PostAgain
	}
	if p != nil && at == u.m.Up {
		m.Kind, m.ID, m.Args, m.Depth = u.m.Kind, u.m.ID, u.m.Args, u.m.Depth
		return done, u.t.poster.Send(ctx, post.Letter{Message: m})
	}
	kid, depth, err := u.kidAt(ctx, at)
	if err != nil {
		return 0, err
	}
	m.Kind, m.ID, m.Args, m.Depth = kid.Kind, kid.ID, kid.Args, depth
	return done, u.t.poster.Send(ctx, post.Letter{Message: m})
}

// kidAt is the node at a place, as the plan above it has it.
func (u *unit) kidAt(ctx context.Context, at schema.Place) (ledger.Kid, int, error) {
	if at.IsRoot() {
		return u.run.Root, 0, nil
	}
	rec, err := u.t.cfg.Ledger.Read(ctx, []ledger.Key{{PID: at.Parent}})
	if err != nil {
		return ledger.Kid{}, 0, fmt.Errorf("read plan above node %s: %w", u.m.ID, err)
	}
	p := rec[0].Plan
	if p == nil || at.Slot >= len(p.Kids) {
		return ledger.Kid{}, 0, fmt.Errorf("read plan above node %s: it is missing from the ledger", u.m.ID)
	}
	return p.Kids[at.Slot], p.Depth + p.Kids[at.Slot].Deeper, nil
}

// reduce runs the second step of a node and settles it.
func (u *unit) reduce(ctx context.Context) (verdict, error) {
	sum, own, err := u.below(ctx)
	if err != nil {
		return 0, err
	}
	s := ledger.Settlement{At: u.m.Up, Via: true, Account: own}
	did, err := u.doReduce(ctx, sum)
	switch {
	case ctx.Err() != nil:
		u.abort()
		return 0, context.Cause(ctx)
	case err == nil:
	case errors.As(err, &trouble{}), errors.Is(err, sink.ErrFull), processor.IsTrouble(err):
		u.abort()
		return 0, err
	case processor.IsPermanent(err) || u.m.Tries >= u.run.Options.Retries:
		u.abort()
		u.t.cfg.Log.Error("reduce given up", "run", u.m.Run, "node", u.m.ID, "error", err)
		// First: after the settlement nothing would tell a later delivery why.
		if err := u.mournReduce(ctx, reason(err.Error())); err != nil {
			return 0, err
		}
		s.Failed = true
		did = schema.Account{Failures: 1}
	default:
		u.abort()
		return u.fail(ctx, err)
	}
	s.Account = own.Add(did)
	return u.settle(ctx, s, did, 0)
}

// below is what a reduce finds: the account of the node and all below it, in all
// epochs, and what of that is this epoch's, the difference that settles.
func (u *unit) below(ctx context.Context) (sum, own schema.Account, err error) {
	keys := []ledger.Key{{PID: u.node}}
	for e := range u.m.Epoch + 1 {
		keys = append(keys, ledger.Key{PID: u.node, Tally: true, Epoch: e})
	}
	rec, err := u.t.cfg.Ledger.Read(ctx, keys)
	if err != nil {
		return sum, own, fmt.Errorf("read tallies of node %s: %w", u.m.ID, err)
	}
	p := rec[0].Plan
	if p == nil {
		return sum, own, fmt.Errorf("reduce node %s: its plan is missing from the ledger", u.m.ID)
	}
	sum = p.Own
	sum.Failures = 0 // one that the node takes back, which was given up in an earlier epoch, was counted above it
	for _, r := range rec[1:] {
		if r.Tally != nil {
			sum = sum.Add(r.Tally.Sum)
		}
	}
	if now := rec[len(rec)-1].Tally; now != nil {
		own = now.Sum
	}
	if p.Epoch == u.m.Epoch {
		own = own.Add(p.Own)
	} else if last := rec[len(rec)-2].Tally; !u.sequel && (last == nil || last.Fail.Len() == 0) {
		own.Failures-- // the reduce itself had failed, and is counted; that of a sequel has a tomb that says so
	}
	return sum, own, nil
}

// doReduce runs the second step of the node and commits its results. They have
// no plan to name the attempt that counts, so the sink decides as for a leaf.
func (u *unit) doReduce(ctx context.Context, sum schema.Account) (schema.Account, error) {
	if u.lost {
		return schema.Account{}, processor.Permanent(u.lostReason())
	}
	r := u.reducer()
	if r == nil {
		return schema.Account{}, processor.Permanent(fmt.Errorf("reduce node %s: kind %q does not reduce here", u.m.ID, u.m.Kind))
	}
	u.results = schema.ReducePID(u.pid)
	did, err := u.secondStep(ctx, r, sum, nil)
	if err != nil {
		return schema.Account{}, err
	}
	// Also where it wrote nothing: another attempt may, as of a leaf.
	if err := u.write(ctx, sink.Rows, nil, 0); err != nil {
		return schema.Account{}, err
	}
	if did, err = u.part.Commit(ctx, true, did); err != nil {
		return did, trouble{fmt.Errorf("commit results of the reduce of node %s: %w", u.m.ID, err)}
	}
	return did, nil
}
