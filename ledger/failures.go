package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/ramify/ramify/schema"
)

// Failure is a node that was given up.
type Failure struct {
	Kid
	PID      schema.PID   `json:"-"`
	Place    schema.Place `json:"-"` // where it hangs: FailuresAfter goes on behind it
	Depth    int          `json:"depth"`
	Reason   string       `json:"reason"`
	Attempts int          `json:"attempts,omitempty"` // that failed in the epoch that gave it up; 0: not known
	At       time.Time    `json:"at,omitzero"`        // when it was given up, to the millisecond; zero: not known
}

// failureOf is what the tomb of a node says, where there is one.
func failureOf(n *planned, tomb *Plan) Failure {
	f := Failure{Kid: n.kid, PID: n.pid, Place: n.at, Depth: n.depth}
	if tomb != nil {
		f.Reason, f.Attempts, f.At = tomb.Err, tomb.Tries, tomb.At
	}
	return f
}

// Failures yields every node of the run that was given up and not healed since, in
// the order of the tree: a child and all below it before the next child, and a node's
// second step behind them all.
func Failures(ctx context.Context, l Ledger, run Run) iter.Seq2[Failure, error] {
	return failures(ctx, l, run, nil)
}

// FailuresAfter yields those that come behind a place, which is that of a failure. It
// reads the plans between that place and the root, and nothing of what comes before
// it, so the last page of many costs what the first does. ErrNoPlace: the run has no
// such place.
func FailuresAfter(ctx context.Context, l Ledger, run Run, after schema.Place) iter.Seq2[Failure, error] {
	return failures(ctx, l, run, &after)
}

// ErrNoPlace is the error of FailuresAfter for a place that is not in the run's tree.
var ErrNoPlace = errors.New("no such place in the tree")

func failures(ctx context.Context, l Ledger, run Run, after *schema.Place) iter.Seq2[Failure, error] {
	return func(yield func(Failure, error) bool) {
		w := walk{ctx: ctx, ledger: l, run: run, failuresOnly: true}
		err := w.inOrder(after, visitor{
			unit:    func(Unit) bool { return true },
			failure: func(f Failure) bool { return yield(f, nil) },
		})
		if err != nil {
			yield(Failure{}, err)
		}
	}
}

// begins is how many nodes are read at first: who wants a page of them, or to know
// whether there is one, does not want hundreds read.
const begins = 25

// inOrder walks depth first. What lies side by side is read at once; what is read and
// then buried under what was found below another is dropped, and read again.
func (w *walk) inOrder(after *schema.Place, v visitor) error {
	stack, err := w.start(after)
	if err != nil {
		return err
	}
	for wide := begins; len(stack) > 0; {
		top := len(stack) - 1
		if stack[top].rec == nil {
			n := min(wide, width(len(stack)))
			if err := w.load(stack[len(stack)-n:]); err != nil {
				return err
			}
			wide = min(2*wide, widest)
			for i := range stack[:max(len(stack)-widest, 0)] {
				stack[i].rec = nil
			}
		}
		n := stack[top]
		stack = stack[:top]
		below, ok, err := w.below(&n, v)
		if err != nil || !ok {
			return err
		}
		slices.Reverse(below)
		stack = append(stack, below...)
	}
	return nil
}

// start is the nodes that a walk goes through, the last first: of each that lies above
// the place it begins behind, the slots behind the one that leads there.
func (w *walk) start(after *schema.Place) ([]planned, error) {
	root, leaf := w.root()
	switch {
	case leaf && after != nil && !after.IsRoot():
		return nil, fmt.Errorf("walk run %s behind slot %d of %s: the root has no children: %w", w.run.ID, after.Slot, after.Parent, ErrNoPlace)
	case leaf:
		return nil, nil
	case after == nil:
		return []planned{root}, nil
	}
	var above []planned
	for at := *after; !at.IsRoot(); {
		some := []planned{{pid: at.Parent, from: at.Slot + 1}}
		if err := w.load(some); err != nil {
			return nil, err
		}
		n := some[0]
		p := n.rec[0].Plan
		if p == nil || p.Run != w.run.ID || at.Slot < 0 || at.Slot >= len(p.Kids) {
			return nil, fmt.Errorf("walk run %s behind slot %d of %s: %w", w.run.ID, at.Slot, at.Parent, ErrNoPlace)
		}
		n.at, n.depth = p.Up, p.Depth
		n.second = n.pid == schema.ReducePID(schema.PIDOf(w.run.ID, p.Up))
		above = append(above, n)
		at = p.Up
	}
	slices.Reverse(above)
	for i := range above {
		n := &above[i]
		if i == 0 {
			n.kid, n.fail = root.kid, root.fail
			continue
		}
		up, slot := &above[i-1], above[i-1].from-1
		t := newest(up.rec[1:], slot)
		n.kid, n.fail = up.rec[0].Plan.Kids[slot], t != nil && t.Fail.Has(slot)
	}
	return above, nil
}
