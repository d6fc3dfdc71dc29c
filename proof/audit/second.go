package audit

import (
	"slices"
	"strings"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/proof/tree"
	"github.com/ramify/ramify/schema"
)

// second asks whether a node whose second step has children settles as what that came
// to, which a record beside the node's plan says. sum is what the node's first part comes
// to in this epoch; all of it has settled.
func (a *auditor) second(s ledger.Settlement, node schema.PID, sum schema.Account) {
	m := a.model
	pid := schema.ReducePID(node)
	r, there := m.plans[pid]
	if !there || r.Epoch > s.Epoch {
		a.bad("I1: a node settles before its second step is on record")
		return
	}
	failed := false
	switch {
	case r.Type == ledger.Live:
		done, below, fails := m.below(r, s.Epoch)
		if !done {
			a.bad("I3: a node settles, and not all that its second step revealed has")
		}
		if r.Epoch < s.Epoch { // a redrive goes through it, and the first part has nothing new
			below = below.Add(sum)
		}
		sum, failed = below, fails
	case r.Epoch < s.Epoch:
		a.bad("I1: a node settles by the second step of an epoch before")
	case r.Type == ledger.Tomb:
		failed = true
		sum.Failures += 1 - m.healed(pid)
		if r.Own != sum {
			a.bad("I2: the tomb of a second step has %v, its node and all below it come to %v", r.Own, sum)
		}
	default:
		sum = sum.Add(m.leaves[pid])
		sum.Failures -= m.healed(pid)
		if r.Own != sum {
			a.bad("I2: a second step has %v, its node and all below it come to %v", r.Own, sum)
		}
	}
	if s.Failed != failed {
		a.bad("I3: a node settles as failed=%v, of its second step failed=%v", s.Failed, failed)
	}
	if s.Account != sum {
		a.bad("I2: a node settles as %v, it and its second step come to %v", s.Account, sum)
	}
}

// healed is 1 for what had a tomb in an epoch before, and was counted there.
func (m *model) healed(pid schema.PID) int64 {
	if m.tombs[pid] {
		return 1
	}
	return 0
}

// own asks whether a plan's own account is that of the results of its attempt; of a
// second step's, beside that of the node and all below it, which settles with it.
func (a *auditor) own(p ledger.Plan) {
	m := a.model
	want, ok := m.commits[p.Attempt]
	if !ok {
		a.bad("I2: a plan was made, and its attempt's results are not there")
		return
	}
	want.Failures -= m.redone(p)
	if node, is := m.reduces[p.PID]; is {
		want = want.Add(m.base(node, p.Epoch))
	}
	if p.Own != want {
		a.bad("I2: a plan has %v of its own, its attempt came to %v", p.Own, want)
	}
}

// redone is 1 where a plan takes the place of a tomb, in whose epoch the node was counted
// as a failure. It is asked before the plan is put.
func (m *model) redone(p ledger.Plan) int64 {
	if old, there := m.plans[p.PID]; m.tombs[p.PID] || there && old.Type == ledger.Tomb && old.Epoch < p.Epoch {
		return 1
	}
	return 0
}

// base is what a node and all below its first part come to in an epoch.
func (m *model) base(node schema.PID, epoch int) schema.Account {
	_, sum, _ := m.below(m.plans[node], epoch)
	return sum
}

// left is the name of the node whose plan says what becomes of it, since it was given
// up; "" of any other plan.
func (m *model) left(p ledger.Plan) string {
	if p.Type != ledger.Live {
		return ""
	}
	for _, id := range m.kids(p) {
		if of, epoch, ok := tree.Left(id); ok && epoch == p.Epoch && of == tree.Path(m.named(p)) {
			return of
		}
	}
	return ""
}

// ofSecond reports whether a plan is of what a node's second step revealed.
func (m *model) ofSecond(p ledger.Plan) bool {
	kids := m.kids(p)
	return len(kids) > 0 && strings.HasPrefix(kids[0], tree.Path(m.named(p))+"/")
}

// named is the name of a plan's node.
func (m *model) named(p ledger.Plan) string { return m.kidAt(p.Up).ID }

// kidAt is the node at a place.
func (m *model) kidAt(at schema.Place) ledger.Kid {
	if at.IsRoot() {
		return m.run.Root
	}
	if kids := m.plans[at.Parent].Kids; at.Slot < len(kids) {
		return kids[at.Slot]
	}
	return ledger.Kid{}
}

// kids are the names of the children of a plan, those of its groups in their order.
func (m *model) kids(p ledger.Plan) (ids []string) {
	for _, k := range p.Kids {
		if k.Group == nil {
			ids = append(ids, tree.Path(k.ID))
		} else {
			ids = append(ids, m.kids(m.plans[*k.Group])...)
		}
	}
	return ids
}

// fallsBack asks of a plan that says what becomes of a node whether somebody has said
// so, and, if it won, whether it counts nothing but what it takes back.
func (a *auditor) fallsBack(p ledger.Plan, id string, won bool) {
	m := a.model
	kids := m.kids(p)
	said := func(c *call) bool { return c.ok && slices.Equal(c.kids, kids) }
	if !slices.ContainsFunc(a.gaveUp[id], said) {
		a.bad("I1: of node %s becomes %v, which nobody said", id, kids)
	}
	var want schema.Account
	if node, is := m.reduces[p.PID]; is {
		want = m.base(node, p.Epoch)
	}
	want.Failures -= m.redone(p)
	if won && p.Own != want { // what came late may know of no redrive
		a.bad("I2: a node that falls back has %v of its own, want %v", p.Own, want)
	}
	if p.Reduce {
		a.bad("I4: a node that falls back is to be reduced")
	}
}
