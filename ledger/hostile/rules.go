package hostile

import (
	"maps"
	"slices"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// The functions of this file are the conditional writes of PROTOCOL §2, each on
// one record.

// amend is the run after the change, or as it was and ErrConflict.
func amend(r ledger.Run, c ledger.Change) (ledger.Run, error) {
	if r.State != c.From || r.Epoch != c.Epoch {
		return r, ledger.ErrConflict
	}
	if c.State != "" {
		r.State = c.State
	}
	if c.State != "" && c.State.Over() {
		r.Finished = c.At
	}
	if c.NextEpoch {
		r.Epoch++
	}
	if c.Paused != nil {
		r.Paused = *c.Paused
	}
	if c.Concurrency != nil {
		r.Options.Concurrency = *c.Concurrency
	}
	r.Options = r.Options.With(c.Params)
	return r, nil
}

// plans reports whether p may be put where old is stored.
func plans(old *ledger.Plan, p ledger.Plan) bool {
	switch {
	case old == nil, p.Type == ledger.Group:
		return true
	default:
		return old.Type == ledger.Tomb && old.Epoch < p.Epoch
	}
}

// sameTry reports whether a stored plan was written by an earlier try of the
// call that puts p.
func sameTry(old, p ledger.Plan) bool {
	return old.MID == p.MID && old.Attempt == p.Attempt && old.Type == p.Type && old.Epoch == p.Epoch
}

// claim marks a slot unless it has settled.
func claim(t *ledger.Tally, slot int) ledger.Outcome {
	if t.Done.Has(slot) {
		return ledger.Already
	}
	t.Claim.Add(slot)
	return ledger.Won
}

// claimRoot marks the root's slot unless the run is over or in another epoch.
func claimRoot(r *ledger.Run, epoch int) ledger.Outcome {
	if r.State != ledger.Running || r.Epoch != epoch {
		return ledger.Over
	}
	r.Claim = epoch + 1
	return ledger.Won
}

// settle adds a slot unless it has settled, or is claimed and the settlement is
// unfenced.
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
		t.Header = copyOf(s.Header)
	}
	return ledger.Won
}

// settleRoot ends a run unless it is over or in another epoch, or the root's
// slot is claimed in this epoch and the settlement is unfenced.
func settleRoot(r *ledger.Run, s ledger.Settlement) ledger.Outcome {
	switch {
	case r.State != ledger.Running || r.Epoch != s.Epoch:
		return ledger.Over
	case s.Unfenced && r.Claim == s.Epoch+1:
		return ledger.Claimed
	}
	r.State = ledger.Finished
	if s.Failed {
		r.State = ledger.Failed
	}
	r.Via = s.Via
	r.Totals = r.Totals.Add(s.Account)
	r.Finished = time.Now()
	return ledger.Won
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func copyKid(k ledger.Kid) ledger.Kid {
	k.Args = slices.Clone(k.Args)
	k.Group = copyOf(k.Group)
	return k
}

func copyRun(r ledger.Run) ledger.Run {
	r.Root = copyKid(r.Root)
	r.Options.Params = maps.Clone(r.Options.Params)
	return r
}

func copyPlan(p ledger.Plan) ledger.Plan {
	kids := make([]ledger.Kid, len(p.Kids))
	for i, k := range p.Kids {
		kids[i] = copyKid(k)
	}
	p.Kids = kids
	return p
}

func copyTally(t ledger.Tally) ledger.Tally {
	t.Header = copyOf[schema.Header](t.Header)
	return t
}

func copyWorker(w ledger.Worker) ledger.Worker {
	w.Requests = maps.Clone(w.Requests)
	return w
}
