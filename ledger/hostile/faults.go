package hostile

import (
	"context"
	"time"

	"github.com/ramify/ramify/internal/whim"
)

// Faults says how unkind a ledger is. Probabilities are from 0 to 1 and drawn
// anew for each call; the zero value is a kind ledger.
type Faults struct {
	Before float64 // a write fails and has not acted
	After  float64 // a write fails and has acted: the answer is lost
	Again  float64 // a settlement is made twice, as by a client that repeats it, and answers as the second
	Read   float64 // a read fails

	Latency  time.Duration // a call takes up to this long before it acts, and again before it answers
	Stall    float64       // a call takes up to StallFor longer, at one of these two places
	StallFor time.Duration
}

// Unkind is all faults at probability p; a caller that follows the contract gets
// its work done at any p below 1. Stalls are up to a minute long.
func Unkind(p float64) Faults {
	return Faults{
		Before: p, After: p, Again: p, Read: p,
		Latency: 10 * time.Millisecond, Stall: p / 10, StallFor: time.Minute,
	}
}

// Calls is the record of the calls of each method.
type Calls struct {
	Create, Run, Amend, Plan, Claim, Settle, Read Count // of ledger.Ledger
	Report, Workers, Draw, Sketches, Runs         Count // of ledger.Board
	Lease, Release                                Count // of ledger.Leaser
	Visit, Visited                                Count // of ledger.Visits
	Ticked, Tick                                  Count // of ledger.Ticks
}

// Count is the record of the calls of one method.
type Count struct {
	Calls  int // calls made
	Acted  int // times that the store was reached: a request that is paid for, whether or not its condition held
	Faults int // calls that were answered with ErrFault
}

// Writes is how many writes of the protocol reached the store: one a leaf and
// two an interior node, where nothing goes wrong.
func (c Calls) Writes() int { return c.Plan.Acted + c.Claim.Acted + c.Settle.Acted }

// write makes a call that writes.
func (l *Ledger) write(ctx context.Context, count *Count, act func() error) error {
	return l.call(ctx, func() error {
		count.Calls++
		if l.medium.Chance(l.faults.Before) {
			count.Faults++
			return ErrFault
		}
		count.Acted++
		err := act()
		if l.medium.Chance(l.faults.After) {
			count.Faults++
			return ErrFault
		}
		return err
	})
}

// read makes a call that reads.
func (l *Ledger) read(ctx context.Context, count *Count, act func() error) error {
	return l.call(ctx, func() error {
		count.Calls++
		if l.medium.Chance(l.faults.Read) {
			count.Faults++
			return ErrFault
		}
		count.Acted++
		return act()
	})
}

// call runs act with the lock, as a request that takes its time. A refusal is an answer
// and takes as long.
func (l *Ledger) call(ctx context.Context, act func() error) error {
	var refused error
	lost := l.medium.Call(ctx, func() whim.Delays {
		return whim.Delays{Latency: l.faults.Latency, Stall: l.faults.Stall, StallFor: l.faults.StallFor}
	}, func() error {
		refused = act()
		return nil
	})
	if lost != nil {
		return lost
	}
	return refused
}
