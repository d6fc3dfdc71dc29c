package dynamodb

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// Claim marks a slot, as ledger.Ledger says.
func (l *Ledger) Claim(ctx context.Context, run string, at schema.Place, epoch int) (t ledger.Tally, o ledger.Outcome, err error) {
	if at.IsRoot() {
		o, err = l.claimRoot(ctx, run, epoch)
	} else {
		e := newExpression()
		e.add("claim", slotSet(at.Slot))
		e.lacks("done", at.Slot)
		t, o, err = l.writeSlot(ctx, at, epoch, e)
	}
	if err != nil {
		return ledger.Tally{}, 0, l.explain(fmt.Sprintf("claim slot %d of %s in run %s", at.Slot, at.Parent, run), err)
	}
	return t, o, nil
}

// Settle settles a slot, as ledger.Ledger says.
func (l *Ledger) Settle(ctx context.Context, s ledger.Settlement) (t ledger.Tally, o ledger.Outcome, err error) {
	if s.At.IsRoot() {
		o, err = l.settleRoot(ctx, s)
	} else {
		t, o, err = l.writeSlot(ctx, s.At, s.Epoch, settlement(s))
	}
	if err != nil {
		return ledger.Tally{}, 0, l.explain(fmt.Sprintf("settle slot %d of %s in run %s", s.At.Slot, s.At.Parent, s.Run), err)
	}
	return t, o, nil
}

// settlement is the one write of a leaf. Where it is repeated because its answer
// was lost, its condition finds the slot.
func settlement(s ledger.Settlement) *expression {
	e := newExpression()
	slot := slotSet(s.At.Slot)
	e.add("done", slot)
	if s.Failed {
		e.add("fail", slot)
	}
	if s.Via {
		e.add("via", slot)
	}
	for name, v := range account(s.Account) {
		e.add(name, v)
	}
	if s.Header != nil {
		e.setOnce("hdr", headerMap(s.Header))
	}
	e.lacks("done", s.At.Slot)
	if s.Unfenced {
		e.lacks("claim", s.At.Slot)
	}
	return e
}

// writeSlot writes to the tally that has a slot, and tells why it could not.
func (l *Ledger) writeSlot(ctx context.Context, at schema.Place, epoch int, e *expression) (t ledger.Tally, o ledger.Outcome, err error) {
	if at.Slot < 0 || at.Slot >= schema.MaxSlots {
		return t, 0, fmt.Errorf("want a slot from 0 to %d", schema.MaxSlots-1)
	}
	i, err := l.update(ctx, tallyKey(at.Parent, epoch), e)
	o = ledger.Won
	if old, refused := refusal(err); refused {
		i, err, o = old, nil, ledger.Already
	}
	if err != nil {
		return t, 0, err
	}
	if t, err = readTally(i, at.Parent, epoch); err != nil {
		return t, 0, err
	}
	if o == ledger.Already && !t.Done.Has(at.Slot) {
		o = ledger.Claimed
	}
	return t, o, nil
}

func headerMap(h *schema.Header) types.AttributeValue {
	m := item{
		"k":    number(int64(h.Required)),
		"up":   binary(h.Up.Parent[:]),
		"slot": number(int64(h.Up.Slot)),
	}
	if own := account(h.Own); len(own) > 0 {
		m["own"] = &types.AttributeValueMemberM{Value: own}
	}
	if h.Reduce {
		m["red"] = truth(true)
	}
	return &types.AttributeValueMemberM{Value: m}
}

func readTally(i item, plan schema.PID, epoch int) (ledger.Tally, error) {
	r := &reader{item: i}
	t := ledger.Tally{
		PID: plan, Epoch: epoch,
		Done: r.slots("done"), Fail: r.slots("fail"), Claim: r.slots("claim"), Via: r.slots("via"),
		Sum: r.account(),
	}
	r.below("hdr", func(r *reader) {
		h := &schema.Header{
			Required: int(r.number("k")), Reduce: r.truth("red"),
			Up: schema.Place{Parent: r.pid("up"), Slot: int(r.number("slot"))},
		}
		r.below("own", func(r *reader) { h.Own = r.account() })
		t.Header = h
	})
	return t, r.err
}
