package audit

import (
	"errors"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/schema"
)

// model is the records of a run, changed one at a time, by the rules of
// docs/state-machine.md.
type model struct {
	run     ledger.Run
	plans   map[schema.PID]ledger.Plan
	places  map[schema.Place]schema.PID // of groups: which hangs where
	tallies map[tallyKey]*ledger.Tally
	leaves  map[schema.PID]schema.Account // as the sink settled them, by node or reduce
	commits map[uint64]schema.Account     // of all attempts that have children
	reduces map[schema.PID]schema.PID     // the node, by what names its second step
	tombs   map[schema.PID]bool           // nodes, and second steps, that had one before
}

type tallyKey struct {
	pid   schema.PID
	epoch int
}

func newModel(run string) *model {
	return &model{
		run: ledger.Run{ID: run}, plans: map[schema.PID]ledger.Plan{}, places: map[schema.Place]schema.PID{},
		tallies: map[tallyKey]*ledger.Tally{}, leaves: map[schema.PID]schema.Account{},
		commits: map[uint64]schema.Account{}, reduces: map[schema.PID]schema.PID{}, tombs: map[schema.PID]bool{},
	}
}

func (m *model) create(r ledger.Run) { m.run = r }

var errState = errors.New("it is in another state or epoch")

func (m *model) amend(c ledger.Change) error {
	if m.run.State != c.From || m.run.Epoch != c.Epoch {
		return errState
	}
	if c.State != "" {
		m.run.State = c.State
	}
	if c.NextEpoch {
		m.run.Epoch++
	}
	if c.Paused != nil {
		m.run.Paused = *c.Paused
	}
	return nil
}

func (m *model) plan(p ledger.Plan) (stored ledger.Plan, won bool) {
	old, there := m.plans[p.PID]
	if there && p.Type != ledger.Group && (old.Type != ledger.Tomb || old.Epoch >= p.Epoch) {
		return old, old.MID == p.MID && old.Attempt == p.Attempt && old.Type == p.Type && old.Epoch == p.Epoch
	}
	m.tombs[p.PID] = m.tombs[p.PID] || there && old.Type == ledger.Tomb
	m.reduces[schema.ReducePID(p.PID)] = p.PID
	m.plans[p.PID] = p
	return p, true
}

func samePlan(a, b ledger.Plan) bool {
	if len(a.Kids) != len(b.Kids) {
		return false
	}
	for i := range a.Kids {
		if a.Kids[i].ID != b.Kids[i].ID || a.Kids[i].Kind != b.Kids[i].Kind {
			return false
		}
	}
	return a.PID == b.PID && a.Type == b.Type && a.Epoch == b.Epoch && a.Own == b.Own && a.Up == b.Up &&
		a.Reduce == b.Reduce && a.Attempt == b.Attempt && a.MID == b.MID && a.Share == b.Share && a.Err == b.Err
}

// commit notes the account of a leaf's results: the first one counts.
func (m *model) commit(e *history.Event) {
	if !e.Leaf {
		m.commits[e.Attempt] = e.Account
	} else if _, there := m.leaves[e.PID]; !there {
		m.leaves[e.PID] = e.Account
	}
}

func (m *model) tally(pid schema.PID, epoch int) *ledger.Tally {
	k := tallyKey{pid, epoch}
	if m.tallies[k] == nil {
		m.tallies[k] = &ledger.Tally{PID: pid, Epoch: epoch}
	}
	return m.tallies[k]
}

func (m *model) claimed(s ledger.Settlement) bool {
	if s.At.IsRoot() {
		return m.run.Claim == s.Epoch+1
	}
	t := m.tallies[tallyKey{s.At.Parent, s.Epoch}]
	return t != nil && t.Claim.Has(s.At.Slot)
}

// outcome is what a settlement or a claim comes to.
func (m *model) outcome(s ledger.Settlement, claim bool) ledger.Outcome {
	t := m.tallies[tallyKey{s.At.Parent, s.Epoch}]
	switch {
	case s.At.IsRoot() && (m.run.State != ledger.Running || m.run.Epoch != s.Epoch):
		return ledger.Over
	case !s.At.IsRoot() && t != nil && t.Done.Has(s.At.Slot):
		return ledger.Already
	case !claim && s.Unfenced && m.claimed(s):
		return ledger.Claimed
	default:
		return ledger.Won
	}
}

func (m *model) refuses(s ledger.Settlement) bool { return m.outcome(s, false) != ledger.Won }

// slot makes a settlement or a claim.
func (m *model) slot(s ledger.Settlement, claim bool) ledger.Outcome {
	outcome := m.outcome(s, claim)
	root := s.At.IsRoot()
	if !root {
		m.tally(s.At.Parent, s.Epoch)
	}
	if outcome != ledger.Won {
		return outcome
	}
	switch {
	case claim && root:
		m.run.Claim = s.Epoch + 1
	case claim:
		m.tally(s.At.Parent, s.Epoch).Claim.Add(s.At.Slot)
	case root:
		m.run.State, m.run.Via = ledger.Finished, s.Via
		if s.Failed {
			m.run.State = ledger.Failed
		}
		m.run.Totals = m.run.Totals.Add(s.Account)
	default:
		t := m.tally(s.At.Parent, s.Epoch)
		t.Done.Add(s.At.Slot)
		if s.Failed {
			t.Fail.Add(s.At.Slot)
		}
		if s.Via {
			t.Via.Add(s.At.Slot)
		}
		t.Sum = t.Sum.Add(s.Account)
	}
	return outcome
}

// nodeAt is the node, or the group, that hangs at a place.
func (m *model) nodeAt(at schema.Place) schema.PID {
	if p, ok := m.plans[at.Parent]; ok && at.Slot < len(p.Kids) && p.Kids[at.Slot].Group != nil {
		return *p.Kids[at.Slot].Group
	}
	return schema.PIDOf(m.run.ID, at)
}

func (m *model) failedIn(pid schema.PID, epoch int) bool {
	t := m.tallies[tallyKey{pid, epoch}]
	return t != nil && t.Fail.Len() > 0
}

// below is whether all children of a plan that an epoch asks for have settled, what
// they come to in it, with the plan's own in the epoch of its birth, and whether one
// has failed.
func (m *model) below(p ledger.Plan, epoch int) (done bool, sum schema.Account, failed bool) {
	required := ledger.FirstSlots(len(p.Kids))
	if p.Epoch < epoch {
		required = ledger.Slots{}
		if before := m.tallies[tallyKey{p.PID, epoch - 1}]; before != nil {
			required = before.Fail
		}
	} else {
		sum = p.Own
	}
	t := m.tallies[tallyKey{p.PID, epoch}]
	if t == nil {
		return required.Len() == 0, sum, false
	}
	left := required.Minus(t.Done)
	return left.Len() == 0, sum.Add(t.Sum), t.Fail.Len() > 0
}
