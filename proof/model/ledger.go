package model

// The conditional writes of single records, in the words of package ledger.

type ledgerOutcome uint8

const (
	won ledgerOutcome = iota + 1
	already
	claimed
	over
)

// call is a write of the ledger with what it came to, for who compares it with a real
// ledger.
type call struct {
	op      string // "" for none
	at      pid    // whose plan, or whose slot
	epoch   uint8
	plan    plan
	kin     uint8 // of a sweep step
	again   bool  // the same call once more: its answer was lost
	acc     account
	failed  bool
	via     bool
	fenced  bool
	outcome ledgerOutcome
}

// put puts a plan if the node has none, or has a tomb of an earlier epoch. again: the
// caller has put it before and got no answer, so that one equal to it counts as its own.
func (c *checker) put(s *State, at pid, p plan, again bool) (stored plan, ok bool) {
	old := s.plans[at]
	switch {
	case old.kind == noPlan, old.kind == tomb && old.epoch < p.epoch,
		c.has(PlanOverwritten) && old.kind == live && p.kind == live:
		s.plans[at], stored, ok = p, p, true
		c.pages(s, at, p)
	default:
		stored = old
		ok = again && old.mid == p.mid && old.kind == p.kind && old.epoch == p.epoch
	}
	c.note(call{op: "plan", at: at, epoch: p.epoch, plan: p, again: again, outcome: outcomeOf(ok)})
	return stored, ok
}

// pages commits the groups that a plan refers to: written ahead, under the attempt,
// they were nobody's before.
func (c *checker) pages(s *State, at pid, p plan) {
	if p.kind != live {
		return
	}
	for slot, kid := range c.w.outcomes[p.out].kids {
		if c.w.nodes[kid].group {
			page := c.w.place(at, uint8(slot))
			s.plans[page] = plan{kind: live, epoch: p.epoch, name: kid, out: c.w.nodes[kid].process[0]}
			c.pages(s, page, s.plans[page])
		}
	}
}

func outcomeOf(ok bool) ledgerOutcome {
	if ok {
		return won
	}
	return already
}

// putStep names the message that takes a step, once, if nobody has.
func (c *checker) putStep(s *State, of pid, m *msg) (mine bool) {
	first := s.steps[of][m.epoch] == 0
	if first {
		s.steps[of][m.epoch] = m.mid
	}
	c.note(call{op: "step", at: of, epoch: m.epoch, plan: plan{mid: m.mid}, outcome: outcomeOf(first)})
	return s.steps[of][m.epoch] == m.mid
}

// putOver names the message that goes on in a sweep, once, if nobody has.
func (c *checker) putOver(s *State, of pid, m *msg) (mine bool) {
	o := &s.overs[of][m.kin]
	if c.has(SweptOnce) {
		o = &s.overs[of][0]
	}
	first := o.by == 0
	if first {
		o.by = m.mid
	}
	c.note(call{op: "sweep", at: of, epoch: m.epoch, plan: plan{mid: m.mid}, kin: m.kin, outcome: outcomeOf(first)})
	return o.by == m.mid || c.has(SweepDoubles)
}

// amend changes the run's record if it is in the state that the change asks for.
func (c *checker) amend(s *State, op string) (ok bool) {
	from := running
	if op == "redrive" {
		from = failed
	}
	if ok = s.run.state == from; ok {
		switch op {
		case "redrive":
			s.run.state, s.run.paused = running, false
			s.run.epoch++
		case "cancel":
			s.run.state = cancelled
		default:
			s.run.paused = op == "pause"
		}
	}
	c.note(call{op: op, outcome: outcomeOf(ok)})
	return ok
}

// claim marks that a plan exists for the node at a place, unless its slot has settled.
func (c *checker) claim(s *State, at pid, epoch uint8) ledgerOutcome {
	up, slot := c.slot(at)
	outcome := won
	switch {
	case up == none && (s.run.state != running || s.run.epoch != epoch):
		outcome = over
	case up == none:
		s.run.claim = epoch + 1
	case s.tallies[up][epoch].done&slot != 0:
		outcome = already
	default:
		s.tallies[up][epoch].claim |= slot
	}
	c.note(call{op: "claim", at: at, epoch: epoch, outcome: outcome})
	return outcome
}

// settle adds the slot of a place, and its account, unless it has settled or is fenced.
// At the root it ends the run.
func (c *checker) settle(s *State, at pid, epoch uint8, w *worker) ledgerOutcome {
	up, slot := c.slot(at)
	outcome := won
	unfenced := !w.fenced && !c.has(NoFence)
	switch {
	case up == none && (s.run.state != running || s.run.epoch != epoch):
		outcome = over
	case up == none && unfenced && s.run.claim == epoch+1:
		outcome = claimed
	case up == none:
		s.run.state, s.run.via = finished, w.via
		if w.failed {
			s.run.state = failed
		}
		s.run.totals = s.run.totals.add(w.acc)
	case s.tallies[up][epoch].done&slot != 0 && !c.has(CountersUnconditional):
		outcome = already
	case unfenced && s.tallies[up][epoch].claim&slot != 0:
		outcome = claimed
	default:
		t := &s.tallies[up][epoch]
		t.done |= slot
		if w.failed {
			t.fail |= slot
		}
		if w.via {
			t.via |= slot
		}
		t.sum = t.sum.add(w.acc)
	}
	c.note(call{op: "settle", at: at, epoch: epoch, acc: w.acc, failed: w.failed, via: w.via, fenced: w.fenced, outcome: outcome})
	return outcome
}

// slot is where a place settles: the plan above and the slot in it.
func (c *checker) slot(at pid) (up pid, slot slots) {
	p := &c.w.places[at]
	return p.up, 1 << p.slot
}

// required is the slots of a plan that must settle in an epoch.
func (c *checker) required(s *State, p pid, epoch uint8) slots {
	if s.plans[p].epoch == epoch {
		return c.full(s, p)
	}
	if epoch == 0 {
		return 0
	}
	return s.tallies[p][epoch-1].fail
}

// full is all slots of a plan.
func (c *checker) full(s *State, p pid) slots {
	return 1<<len(c.w.outcomes[s.plans[p].out].kids) - 1
}

// complete reports whether a plan's tally has as many slots as its header asks for.
func (c *checker) complete(s *State, p pid, epoch uint8) bool {
	return size(s.tallies[p][epoch].done) >= size(c.required(s, p, epoch))
}

// reduces reports whether a plan is followed by a reduce: what its header says.
func (c *checker) reduces(s *State, p pid) bool {
	return c.w.places[p].of == none && c.w.nodes[s.plans[p].name].reduces && !c.w.outcomes[s.plans[p].out].closed
}

// note keeps the write of a step for who compares.
func (c *checker) note(k call) { c.wrote = k }
