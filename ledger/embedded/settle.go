package embedded

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// Claim marks a slot, as ledger.Ledger says.
func (l *Ledger) Claim(ctx context.Context, run string, at schema.Place, epoch int) (t ledger.Tally, o ledger.Outcome, err error) {
	if at.IsRoot() {
		o, err = l.claimRoot(ctx, run, epoch)
	} else {
		t, o, err = l.writeSlot(ctx, at, epoch, func(t *ledger.Tally) (ledger.Outcome, bool) {
			if t.Done.Has(at.Slot) {
				return ledger.Already, false
			}
			again := t.Claim.Has(at.Slot)
			t.Claim.Add(at.Slot)
			return ledger.Won, !again
		})
	}
	if err != nil {
		return ledger.Tally{}, 0, fmt.Errorf("claim slot %d of %s in run %s: %w", at.Slot, at.Parent, run, err)
	}
	return t, o, nil
}

// Settle settles a slot, as ledger.Ledger says.
func (l *Ledger) Settle(ctx context.Context, s ledger.Settlement) (t ledger.Tally, o ledger.Outcome, err error) {
	if s.At.IsRoot() {
		o, err = l.settleRoot(ctx, s)
	} else {
		s.Header = copyHeader(s.Header)
		t, o, err = l.writeSlot(ctx, s.At, s.Epoch, func(t *ledger.Tally) (ledger.Outcome, bool) {
			o := settle(t, s)
			return o, o == ledger.Won
		})
	}
	if err != nil {
		return ledger.Tally{}, 0, fmt.Errorf("settle slot %d of %s in run %s: %w", s.At.Slot, s.At.Parent, s.Run, err)
	}
	return t, o, nil
}

func settle(t *ledger.Tally, s ledger.Settlement) ledger.Outcome {
	slot := s.At.Slot
	switch {
	case t.Done.Has(slot):
		return ledger.Already
	case s.Unfenced && t.Claim.Has(slot):
		return ledger.Claimed
	}
	t.Done.Add(slot)
	if s.Failed {
		t.Fail.Add(slot)
	}
	if s.Via {
		t.Via.Add(slot)
	}
	t.Sum = t.Sum.Add(s.Account)
	if t.Header == nil {
		t.Header = s.Header
	}
	return ledger.Won
}

// writeSlot applies change to the tally that has a slot, and keeps the tally if
// change says that it has changed it.
func (l *Ledger) writeSlot(
	ctx context.Context, at schema.Place, epoch int, change func(*ledger.Tally) (ledger.Outcome, bool),
) (now ledger.Tally, o ledger.Outcome, err error) {
	if at.Slot < 0 || at.Slot >= schema.MaxSlots {
		return now, 0, fmt.Errorf("want a slot from 0 to %d", schema.MaxSlots-1)
	}
	err = l.update(ctx, func(tx *store.Tx) error {
		r, err := l.tallies.get(tx, tallyKey{at.Parent, epoch})
		if err != nil {
			return err
		}
		var changed bool
		if o, changed = change(&r.tally); changed {
			l.figures.note(tx)
			l.tallies.touch(r)
		}
		now = r.tally
		return nil
	})
	now.Header = copyHeader(now.Header) // the cache's never changes, so it may be read here
	return now, o, err
}

func copyHeader(h *schema.Header) *schema.Header {
	if h == nil {
		return nil
	}
	c := *h
	return &c
}
