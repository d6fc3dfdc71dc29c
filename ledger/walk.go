package ledger

import (
	"context"
	"fmt"
	"iter"

	"github.com/ramify/ramify/schema"
)

// Unit is a unit of a run that counts: its results are those of the run.
type Unit struct {
	PID     schema.PID
	Attempt uint64 // of a plan; 0 for a leaf
	Leaf    bool
	Kid     Kid // the node, as the plan above it has it; of a reduce, too
}

// Units yields every unit of the run that has settled without failing, or has a
// plan, and every reduce, once. It reads two records a plan and holds the siblings on the way down.
// Of a run that is not over it yields what has settled so far.
func Units(ctx context.Context, l Ledger, run Run) iter.Seq2[Unit, error] {
	return func(yield func(Unit, error) bool) {
		w := walk{ctx: ctx, ledger: l, run: run}
		err := w.all(visitor{
			unit:    func(u Unit) bool { return yield(u, nil) },
			failure: func(Failure) bool { return true },
		})
		if err != nil {
			yield(Unit{}, err)
		}
	}
}

type visitor struct {
	unit    func(Unit) bool
	failure func(Failure) bool
}

// walk goes down the committed tree: through slots that settled through a plan,
// to those that settled as a leaf or a tomb.
type walk struct {
	ctx          context.Context
	ledger       Ledger
	run          Run
	failuresOnly bool
}

// planned is a node known to have a plan, or a tomb.
type planned struct {
	pid    schema.PID
	at     schema.Place // where it hangs
	kid    Kid
	depth  int
	tomb   bool
	second bool     // its second step: pid is that of the reduce
	fail   bool     // it settled as failed
	whole  bool     // it settled without failing
	from   int      // the first of its slots that is asked for
	rec    []Record // its plan and, of no tomb, its tallies, the first epoch's first; nil: not read
}

// How many plans are read at a time: many, since the medium answers a few hundred
// about as fast as one, and fewer once many siblings are held: what is below those
// that are read comes on top.
const (
	widest  = 400
	narrow  = 50
	holding = 10_000 // siblings
)

func width(held int) int {
	if held >= holding {
		return narrow
	}
	return min(held, widest)
}

// root is where the walk begins, and whether it is a leaf that went well.
func (w *walk) root() (n planned, leaf bool) {
	n = planned{pid: schema.PIDOf(w.run.ID, schema.Place{}), kid: w.run.Root, fail: w.run.State == Failed, whole: w.run.State == Finished}
	if w.run.State.Over() && !w.run.Via && w.run.State != Cancelled {
		leaf = w.run.State == Finished
		n.tomb = !leaf
	}
	return n, leaf
}

func (w *walk) all(v visitor) error {
	root, leaf := w.root()
	if leaf {
		v.unit(Unit{PID: root.pid, Leaf: true, Kid: root.kid})
		return nil
	}
	stack := []planned{root}
	for len(stack) > 0 {
		n := width(len(stack))
		batch := append([]planned(nil), stack[len(stack)-n:]...)
		stack = stack[:len(stack)-n]
		if err := w.load(batch); err != nil {
			return err
		}
		for i := range batch {
			below, ok, err := w.below(&batch[i], v)
			if err != nil || !ok {
				return err
			}
			stack = append(stack, below...)
		}
	}
	return nil
}

// load reads what is not read yet of some nodes.
func (w *walk) load(batch []planned) error {
	var keys []Key
	var of []*planned
	for i := range batch {
		n := &batch[i]
		if n.rec != nil {
			continue
		}
		of = append(of, n)
		keys = append(keys, Key{PID: n.pid})
		for e := 0; e <= w.run.Epoch && !n.tomb; e++ {
			keys = append(keys, Key{PID: n.pid, Tally: true, Epoch: e})
		}
	}
	if len(keys) == 0 {
		return nil
	}
	rec, err := w.ledger.Read(w.ctx, keys)
	if err != nil {
		return fmt.Errorf("read plans of run %s: %w", w.run.ID, err)
	}
	for _, n := range of {
		some := 1
		if !n.tomb {
			some += w.run.Epoch + 1
		}
		n.rec, rec = rec[:some:some], rec[some:]
	}
	return nil
}

// below says what is below a node that was read, in the order of its slots, and last
// its second step.
func (w *walk) below(n *planned, v visitor) (more []planned, ok bool, err error) {
	p, tallies := n.rec[0].Plan, n.rec[1:]
	if n.tomb {
		return nil, v.failure(failureOf(n, p)), nil
	}
	if n.second && (p == nil || p.Type != Live) {
		return nil, w.reduced(n, p, v), nil
	}
	if p == nil {
		if n.pid == schema.PIDOf(w.run.ID, schema.Place{}) && (!w.run.State.Over() || w.run.State == Cancelled) {
			return nil, true, nil // the root has not been planned yet, or never will be
		}
		return nil, false, fmt.Errorf("walk run %s: the plan of node %s is missing from the ledger", w.run.ID, n.kid.ID)
	}
	if p.Type == Live && !v.unit(Unit{PID: n.pid, Attempt: p.Attempt, Kid: n.kid}) {
		return nil, false, nil
	}
	failedBelow := false
	for slot := range p.Kids {
		kid := p.Kids[slot]
		t := newest(tallies, slot)
		failedBelow = failedBelow || t != nil && t.Fail.Has(slot)
		if slot < n.from {
			continue
		}
		at := schema.Place{Parent: p.PID, Slot: slot}
		child := planned{pid: schema.PIDOf(w.run.ID, at), at: at, kid: kid, depth: p.Depth + kid.Deeper}
		if kid.Group != nil {
			child.pid = *kid.Group
		}
		switch {
		case t == nil:
			// Not settled: of a run that goes on, what is below counts so far.
		case t.Via.Has(slot):
			child.fail = t.Fail.Has(slot)
			child.whole = !child.fail
			if w.failuresOnly && !child.fail {
				continue
			}
			more = append(more, child)
		case t.Fail.Has(slot):
			child.tomb = true
			more = append(more, child)
		default:
			if !v.unit(Unit{PID: child.pid, Leaf: true, Kid: child.kid}) {
				return nil, false, nil
			}
		}
	}
	if p.Reduce && (n.whole || n.fail && !failedBelow) { // where it failed, and nothing below it did, its reduce has
		again := *n
		again.pid, again.second, again.from, again.rec = schema.ReducePID(n.pid), true, 0, nil
		more = append(more, again)
	}
	return more, true, nil
}

// reduced says what came of a reduce that has no children. That of most kinds keeps
// nothing but, where it was given up, why; and that also where it was mended since.
func (w *walk) reduced(n *planned, p *Plan, v visitor) bool {
	if n.whole {
		return v.unit(Unit{PID: n.pid, Leaf: true, Kid: n.kid})
	}
	f := failureOf(n, p)
	if p == nil {
		f.Reason = "its reduce failed; the dead-letter queue has the reason"
	} else {
		f.Reason = "its reduce failed: " + p.Err
	}
	return v.failure(f)
}

// newest is the tally of the last epoch in which a slot settled.
func newest(tallies []Record, slot int) *Tally {
	for i := len(tallies) - 1; i >= 0; i-- {
		if t := tallies[i].Tally; t != nil && t.Done.Has(slot) {
			return t
		}
	}
	return nil
}
