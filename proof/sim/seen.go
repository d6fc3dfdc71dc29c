package sim

import (
	"strings"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/proof/tree"
	"github.com/ramify/ramify/schema"
)

// seen is how often what may occur did: the faults, as those say who had them, and the
// kinds of nodes and the ways through the protocol, as the history says.
func (w *world) seen() map[string]int {
	n := w.log.Seen()
	for fault, times := range w.main.Happened() {
		n["queue: "+fault] += times
	}
	for _, times := range w.dead.Happened() {
		n["a fault of the dead-letter queue"] += times
	}
	s := seeing{n: n, plans: map[schema.PID]ledger.PlanType{}}
	events := w.log.Events()
	for i := range events {
		s.event(&events[i])
	}
	return n
}

type seeing struct {
	n     map[string]int
	plans map[schema.PID]ledger.PlanType
}

func (s seeing) is(what string, yes bool) {
	if yes {
		s.n[what]++
	}
}

func (s seeing) event(e *history.Event) {
	switch e.What {
	case history.Plan:
		s.plan(e)
	case history.Settle:
		s.is("a slot that has settled", e.Outcome == ledger.Already)
		s.is("a leaf whose slot is claimed", e.Outcome == ledger.Claimed)
		s.is("a settlement of a run that is over", e.Outcome == ledger.Over)
		s.is("a settlement in epoch 2 or later", e.Settlement.Epoch > 1)
		s.is("a failed node is healed", e.Settlement.Account.Failures < 0)
	case history.Claim:
		s.is("a claim of a slot that has settled", e.Outcome == ledger.Already)
	case history.Process:
		s.is("a node 30 levels deep", strings.Count(e.ID, ".") > 30)
		s.is("a node 200 levels deep", strings.Count(e.ID, ".") > 200)
		s.is("a node that is what is left of another", strings.HasSuffix(e.ID, "~"))
		_, _, _, again, vertex := tree.Vertex(e.ID)
		s.is("a vertex of a graph", vertex)
		s.is("a vertex that a shorter way takes over", again)
		_, _, left := tree.Left(e.ID)
		s.is("what is left of a node that was given up", left)
		s.is("an attempt of a redrive", e.Epoch > 0)
	case history.Processed:
		s.failure(e)
	case history.Reduce:
		_, sequel := tree.Reduces(e.Kind)
		s.is("a reduce", !sequel)
		s.is("a second step with children", sequel)
	case history.Reduced:
		s.is("a reduce fails", e.Err != "")
	case history.GaveUp:
		s.is("a node that is given up has children", len(e.Kids) > 0 && e.Err == "")
		s.is("a node that is given up has none after all", len(e.Kids) == 0 || e.Err != "")
	case history.Receive:
		s.is("a message received again", !strings.Contains(e.Note, "receives=1 "))
		s.is("a message that a sweep has posted", e.Message != nil && e.Message.Re == schema.PostAdopt)
	}
}

func (s seeing) failure(e *history.Event) {
	s.is("an attempt panics", strings.Contains(e.Err, "panicked"))
	s.is("an attempt fails for good", strings.Contains(e.Err, tree.Permanent))
	s.is("an attempt fails", e.Err != "")
	s.is("an attempt is in trouble", strings.Contains(e.Err, tree.Away))
}

func (s seeing) plan(e *history.Event) {
	p := e.Plan
	if !e.Won {
		s.is("a plan that loses", len(p.Kids) > 0)
		s.is("a plan that loses against another's leaf", p.Type == ledger.Live && e.Stored.Type == ledger.Leaf)
		s.is("a leaf that loses against another's plan", p.Type == ledger.Leaf && e.Stored.Type == ledger.Live)
		s.is("two attempts on a node find different children", p.Type == ledger.Live && len(p.Kids) != len(e.Stored.Kids))
		s.is("a tomb that loses against a plan", p.Type == ledger.Tomb && e.Stored.Type == ledger.Live)
		return
	}
	if p.Type == ledger.Tomb || p.Type == ledger.Leaf {
		s.n["a "+string(p.Type)]++
	}
	s.is("a tomb that is replaced", s.plans[p.PID] == ledger.Tomb)
	s.plans[p.PID] = p.Type
	s.is("a unit that does several nodes", p.Own.Nodes > 1)
	s.is("a plan of 256 children", len(p.Kids) == ledger.MaxKids)
	if len(p.Kids) > 0 {
		first := p.Kids[0]
		s.is("a node wider than a plan", p.Type == ledger.Live && first.Group != nil)
		s.is("a node wider than a plan of groups", p.Type == ledger.Group && first.Group != nil)
	}
}
