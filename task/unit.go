package task

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// unit is the work done for one received message. Its methods are the steps of
// docs/state-machine.md; between any two of them the process may die.
type unit struct {
	t       *Task
	held    *held
	m       *schema.Message
	pid     schema.PID
	run     ledger.Run
	sink    sink.Sink
	attempt uint64
	suspect bool // the ledger is asked before work is done
	adopts  bool // it goes on with what another message owns: that one may be lost
	lost    bool // its node is given up instead of processed
	redo    bool // the node was given up in an earlier epoch
	sequel  bool // it is a reduce that may have children: what it comes to is kept as pid
	closed  bool // the attempt has taken the second step, or given it up: no reduce follows its plan
	behind  bool // somebody else has made a settlement that it came for, and may have gone on from there
	began   time.Time
	under   time.Time   // began, where the figures count it as under way
	borrows atomic.Bool // it takes idle slots itself
	shares  atomic.Bool // it was told to share its work with another task
	loans   sync.Map    // of *loan: borrowed and not returned

	node schema.PID     // the node, where sequel makes pid another
	base schema.Account // of a sequel: what the node, and all below its first plan, adds in this epoch
	seen seen

	results schema.PID // under which results are kept
	partMu  sync.Mutex
	part    sink.Part // opened by the first write
}

func newUnit(t *Task, h *held, m *schema.Message) *unit {
	u := &unit{t: t, held: h, m: m, pid: m.PID(), attempt: uint64(schema.NewMID()), began: time.Now()}
	u.node = u.pid
	if _, is := t.cfg.Processors[m.Kind].(processor.Sequel); is && m.Op == schema.OpReduce {
		u.sequel, u.pid = true, schema.ReducePID(u.node)
	}
	u.results = u.pid
	// A reason: somebody has moved the dead-letter queue back.
	u.adopts = m.Re == schema.PostAdopt || h.Attrs[AttrReason] != ""
	u.suspect = u.adopts || h.Receives > 1 || m.Re > schema.PostOriginal
	return u
}

// handle does what the message asks for.
func (u *unit) handle(ctx context.Context) (verdict, error) {
	run, err := u.t.control.get(ctx, u.m.Run, u.lost) // a pause of this moment must not cost a node
	if err == nil && run.Epoch < u.m.Epoch {
		run, err = u.t.control.get(ctx, u.m.Run, true)
	}
	switch {
	case errors.Is(err, ledger.ErrNoRun):
		return u.orphan(ctx, "no run "+u.m.Run+" in the ledger")
	case err != nil:
		return 0, err
	case run.Epoch < u.m.Epoch: // an epoch begins in the ledger, and then on the queue
		return u.orphan(ctx, fmt.Sprintf("run %s is in epoch %d: epoch %d has not begun", u.m.Run, run.Epoch, u.m.Epoch))
	case run.State.Over() || run.Epoch > u.m.Epoch:
		return done, nil
	case run.Paused:
		return later, nil
	}
	u.run = run
	u.under = u.began
	u.t.figures.begin(run.ID, u.under, &u.seen, u.m.ID, u.m.Kind)
	if u.sink, err = u.t.control.sink(ctx, run); err != nil {
		return 0, err
	}
	if u.m.Op == schema.OpClimb {
		return u.climb(ctx)
	}
	if u.suspect && u.m.Op == schema.OpReduce {
		if mine, err := u.takeReduce(ctx); err != nil || !mine {
			return done, err
		}
	}
	if u.suspect || u.m.Op == schema.OpReduce {
		if v, decided, err := u.ask(ctx); decided || err != nil {
			return v, err
		}
	}
	switch u.m.Op {
	case schema.OpGroup:
		return u.group(ctx)
	case schema.OpReduce:
		if !u.sequel {
			return u.reduce(ctx)
		}
		if _, u.base, err = u.below(ctx); err != nil {
			return 0, err
		}
		fallthrough
	default:
		if u.lost {
			return u.giveUpLost(ctx)
		}
		return u.process(ctx)
	}
}

// orphan is a message that the ledger knows nothing of: to the dead letters.
func (u *unit) orphan(ctx context.Context, why string) (verdict, error) {
	if err := u.t.deadLetter(ctx, u.held, why); err != nil {
		return 0, err
	}
	u.seen.rejected = 1
	return done, nil
}

// ask reads what the ledger knows of the node before work is done on it.
func (u *unit) ask(ctx context.Context) (v verdict, decided bool, err error) {
	if u.m.Up.IsRoot() {
		run, err := u.t.control.get(ctx, u.m.Run, true)
		if err != nil {
			return 0, true, err
		}
		if run.State.Over() || run.Epoch != u.m.Epoch {
			return done, true, nil
		}
	}
	rec, err := u.t.cfg.Ledger.Read(ctx, []ledger.Key{
		{PID: u.m.Up.Parent, Tally: true, Epoch: u.m.Epoch},
		{PID: u.pid},
	})
	if err != nil {
		return 0, true, fmt.Errorf("ask ledger of node %s: %w", u.m.ID, err)
	}
	if above := rec[0].Tally; above != nil && above.Done.Has(u.m.Up.Slot) {
		// Not "it is done, so delete": the attempt that settled it may have died
		// before it climbed.
		u.behind = true
		v, err = u.after(ctx, u.m.Up.Parent, *above)
		return v, true, err
	}
	if plan := rec[1].Plan; plan != nil && (u.sequel || u.m.Op == schema.OpNode) {
		return u.follow(ctx, plan)
	}
	return 0, false, nil
}

// follow goes on with the plan that is stored for the node, whoever made it. It
// is undecided where the plan is the tomb of an earlier epoch: process the node.
func (u *unit) follow(ctx context.Context, p *ledger.Plan) (v verdict, decided bool, err error) {
	e := u.m.Epoch
	switch {
	case p.Epoch > e:
		return done, true, nil
	case p.Type == ledger.Live && p.Epoch == e:
		if p.MID != u.m.MID {
			// Another message owns the plan and is not deleted before it has
			// posted: this duplicate ends here instead of walking the subtree.
			mine := false
			if u.adopts {
				mine, err = u.takeOver(ctx, p.PID)
			}
			if err != nil || !mine {
				return done, true, err
			}
		}
		v, err = u.adopt(ctx, p)
	case p.Type == ledger.Live:
		v, err = u.redrive(ctx, p)
	case p.Type == ledger.Leaf:
		v, err = u.settle(ctx, ledger.Settlement{At: u.m.Up, Account: p.Own, Header: u.m.Hdr, Via: u.sequel}, p.Own, u.m.Share)
	case p.Type == ledger.Tomb && p.Epoch == e:
		v, err = u.bury(ctx, p)
	case p.Type == ledger.Tomb:
		u.redo = true
		return 0, false, nil
	default:
		return 0, true, fmt.Errorf("follow plan of node %s: type %q is unknown", u.m.ID, p.Type)
	}
	return v, true, err
}

// adopt claims the slot for a plan of this epoch and posts what has not settled.
func (u *unit) adopt(ctx context.Context, p *ledger.Plan) (verdict, error) {
	v, claimed, err := u.claim(ctx)
	if err != nil || !claimed {
		return v, err
	}
	rec, err := u.t.cfg.Ledger.Read(ctx, []ledger.Key{{PID: p.PID, Tally: true, Epoch: u.m.Epoch}})
	if err != nil {
		return 0, fmt.Errorf("read tally of node %s: %w", u.m.ID, err)
	}
	missing := ledger.FirstSlots(len(p.Kids))
	tally := rec[0].Tally
	if tally != nil {
		missing = missing.Minus(tally.Done)
	}
	if missing.Len() == 0 && tally != nil {
		u.behind = true
		return u.after(ctx, p.PID, *tally)
	}
	h := u.header(p, 0)
	return done, u.postKids(ctx, p, h, p.Share, missing, max(schema.PostAgain, u.m.Re))
}

// claim marks in the parent's tally that a plan exists for the node.
func (u *unit) claim(ctx context.Context) (v verdict, claimed bool, err error) {
	tally, outcome, err := u.t.cfg.Ledger.Claim(ctx, u.m.Run, u.m.Up, u.m.Epoch)
	switch {
	case err != nil:
		return 0, false, fmt.Errorf("claim slot of node %s: %w", u.m.ID, err)
	case outcome == ledger.Won:
		return 0, true, nil
	case outcome == ledger.Over || u.m.Up.IsRoot():
		return done, false, nil
	default:
		u.behind = true
		v, err = u.after(ctx, u.m.Up.Parent, tally)
		return v, false, err
	}
}

// redrive is the step of a new epoch through a plan of an earlier one: post again
// what failed there, and only that.
func (u *unit) redrive(ctx context.Context, p *ledger.Plan) (verdict, error) {
	mine, err := u.takeStep(ctx, p)
	if err != nil || !mine {
		return done, err
	}
	failed, tally, err := u.failedBefore(ctx, p)
	if err != nil {
		return 0, err
	}
	if failed.Len() == 0 && !u.sequel {
		// All below is well: it was the node's own reduce that failed.
		return u.postReduce(ctx, u.m.Up, p)
	}
	if failed.Len() == 0 { // nothing is left of what had failed: so it has settled
		return u.settle(ctx, ledger.Settlement{At: u.m.Up, Via: true}, schema.Account{}, 0)
	}
	missing := failed
	if tally != nil {
		missing = failed.Minus(tally.Done)
		if missing.Len() == 0 {
			return u.after(ctx, p.PID, *tally)
		}
	}
	h := u.header(p, failed.Len())
	return done, u.postKids(ctx, p, h, p.Share, missing, max(schema.PostAgain, u.m.Re))
}

// takeStep reports whether the message is the one that takes a redrive through
// this node. The plan of an earlier epoch names no owner in this one.
func (u *unit) takeStep(ctx context.Context, p *ledger.Plan) (bool, error) {
	mine, err := u.own(ctx, p.PID)
	if err != nil {
		return false, fmt.Errorf("take redrive step of node %s: %w", u.m.ID, err)
	}
	return mine, nil
}

// takeReduce reports whether the message, a suspect, is the one of all suspects
// that reduces this node. One that is no suspect is the only one of its kind, and
// pays for no record; if its plan of a sequel is there it goes on, whoever has taken
// the step since: all others end at that plan.
func (u *unit) takeReduce(ctx context.Context) (bool, error) {
	of := schema.ReducePID(u.node)
	mine, err := u.own(ctx, of)
	if err == nil && !mine && u.sequel {
		var rec []ledger.Record
		if rec, err = u.t.cfg.Ledger.Read(ctx, []ledger.Key{{PID: of}}); err == nil {
			mine = rec[0].Plan != nil && rec[0].Plan.MID == u.m.MID
		}
	}
	if err != nil {
		return false, fmt.Errorf("take reduce of node %s: %w", u.m.ID, err)
	}
	return mine, nil
}

// own makes the message the owner of a step, one an epoch, unless it has one.
// Without a record of its own every duplicate would go on, and be duplicated in
// turn, once more at each level. An owner is not deleted before it has done all
// that follows. A message that adopts goes on whoever owns the step, since the owner
// may be gone; but of each sweep only one.
func (u *unit) own(ctx context.Context, of schema.PID) (bool, error) {
	step, _, err := u.t.cfg.Ledger.Plan(ctx, ledger.Plan{
		PID: schema.StepPID(of, u.m.Epoch), Run: u.m.Run, Type: ledger.Live, Epoch: u.m.Epoch,
		Up: u.m.Up, Attempt: u.attempt, MID: u.m.MID, Depth: u.m.Depth,
	})
	if err != nil || step.MID == u.m.MID || !u.adopts {
		return step.MID == u.m.MID, err
	}
	return u.takeOver(ctx, of)
}

// takeOver reports whether the message is the one of its sweep that goes on here with
// what another message owns. A sweep's messages, too, are duplicated and received
// again, and each time what they post is: without a record to end at they would double
// at each level.
func (u *unit) takeOver(ctx context.Context, of schema.PID) (bool, error) {
	step, _, err := u.t.cfg.Ledger.Plan(ctx, ledger.Plan{
		PID: schema.StepPID(schema.StepPID(of, u.m.Epoch), u.m.MID.Sweep()), Run: u.m.Run, Type: ledger.Live,
		Epoch: u.m.Epoch, Up: u.m.Up, Attempt: u.attempt, MID: u.m.MID, Depth: u.m.Depth,
	})
	if err != nil {
		return false, fmt.Errorf("take over node %s: %w", u.m.ID, err)
	}
	return step.MID == u.m.MID, nil
}

// failedBefore is the slots of a plan that failed in the epoch before this one,
// and the plan's tally in this one, if any.
func (u *unit) failedBefore(ctx context.Context, p *ledger.Plan) (ledger.Slots, *ledger.Tally, error) {
	rec, err := u.t.cfg.Ledger.Read(ctx, []ledger.Key{
		{PID: p.PID, Tally: true, Epoch: u.m.Epoch - 1},
		{PID: p.PID, Tally: true, Epoch: u.m.Epoch},
	})
	if err != nil {
		return ledger.Slots{}, nil, fmt.Errorf("read tallies of node %s: %w", u.m.ID, err)
	}
	var failed ledger.Slots
	if rec[0].Tally != nil {
		failed = rec[0].Tally.Fail
	}
	return failed, rec[1].Tally, nil
}

// header is what children of a plan are told of it in this epoch; failed is how
// many of them a redrive posts again.
func (u *unit) header(p *ledger.Plan, failed int) schema.Header {
	h := schema.Header{Required: failed, Up: p.Up, Reduce: p.Reduce}
	if p.Epoch == u.m.Epoch {
		h.Required, h.Own = len(p.Kids), p.Own
	}
	return h
}

// postKids posts children of a plan.
func (u *unit) postKids(ctx context.Context, p *ledger.Plan, h schema.Header, share schema.Share, slots ledger.Slots, re int) error {
	parent := post.Parent{Run: u.m.Run, Plan: p, Header: h, Epoch: u.m.Epoch, Share: share, Kind: u.m.Kind, Re: re, By: u.m.MID}
	u.t.headers.put(p.PID, u.m.Epoch, h)
	if u.m.Hdr != nil { // of the plan above, in which this node will settle
		u.t.headers.put(u.m.Up.Parent, u.m.Epoch, *u.m.Hdr)
	}
	letters := parent.Children(slots)
	if err := u.t.poster.Send(ctx, letters...); err != nil {
		return err
	}
	u.seen.posted(letters)
	return nil
}

// group posts the children of one group of a wide plan.
func (u *unit) group(ctx context.Context) (verdict, error) {
	rec, err := u.t.cfg.Ledger.Read(ctx, []ledger.Key{{PID: u.pid}})
	if err != nil {
		return 0, fmt.Errorf("read group of node %s: %w", u.m.ID, err)
	}
	p := rec[0].Plan
	if p == nil {
		return 0, fmt.Errorf("read group of node %s: its page is missing from the ledger", u.m.ID)
	}
	re := schema.PostOriginal
	if u.suspect {
		re = max(schema.PostAgain, u.m.Re)
	}
	if u.adopts {
		if mine, err := u.takeOver(ctx, u.pid); err != nil || !mine {
			return done, err
		}
	}
	missing, failed := ledger.FirstSlots(len(p.Kids)), 0
	if u.suspect {
		before, tally, err := u.failedBefore(ctx, p)
		if err != nil {
			return 0, err
		}
		if p.Epoch < u.m.Epoch {
			missing, failed = before, before.Len()
		}
		if tally != nil {
			missing = missing.Minus(tally.Done)
			if missing.Len() == 0 {
				return u.after(ctx, p.PID, *tally)
			}
		}
	}
	return done, u.postKids(ctx, p, u.header(p, failed), u.m.Share, missing, re)
}

// reducer is the second step of the node's kind, if it has one.
func (u *unit) reducer() processor.Reducer {
	r, _ := u.t.cfg.Processors[u.m.Kind].(processor.Reducer)
	return r
}
