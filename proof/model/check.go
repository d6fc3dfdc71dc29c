package model

import "fmt"

// invariants looks whether a state must not be. What it asks for is told by the records
// alone: by a walk of the committed tree, as package ledger makes it, and the sink's.
func (c *checker) invariants(s *State) {
	for p := range c.w.places {
		c.checkRecords(s, pid(p))
	}
	if s.run.state == finished || s.run.state == failed {
		c.checkEnd(s)
	}
}

// checkRecords looks at the records of one place.
func (c *checker) checkRecords(s *State, p pid) {
	pl := &s.plans[p]
	for e := range c.w.Epochs {
		t := &s.tallies[p][e]
		if t.fail&^t.done != 0 || t.via&^t.done != 0 {
			c.violate("a slot has failed that has not settled")
		}
	}
	if c.w.Doubtful || pl.kind != live || !pl.posted {
		return
	}
	// The fence: a slot settles as a leaf, or the plan of its node is posted, not both.
	up, slot := c.slot(p)
	e := pl.epoch
	switch {
	case c.w.places[p].of != none: // only its plan settles what a second step comes to
	case up == none && s.run.state == finished && !s.run.via && s.run.epoch == e,
		up != none && s.tallies[up][e].done&^s.tallies[up][e].via&slot != 0:
		c.violate(fmt.Sprintf("I3: %s has settled without its plan, whose children are about", c.placeName(p)))
	}
}

// checkEnd looks at a run that is reported finished, with failures or not.
func (c *checker) checkEnd(s *State) {
	t := c.walk(s)
	if t.bad != "" {
		c.violate(t.bad)
		return
	}
	if t.sum != s.run.totals {
		c.violate(fmt.Sprintf("I2: the run's totals are %s; the committed tree has %s", c.accountText(s.run.totals), c.accountText(t.sum)))
	}
	if (s.run.state == failed) != (t.sum.failures > 0) {
		c.violate("I3: the run's state and its failures disagree")
	}
	if t.rows != t.sum.nodes {
		c.violate(fmt.Sprintf("the sink: rows of %s, counted are %s", c.namesText(t.rows), c.namesText(t.sum.nodes)))
	}
	if t.sum.nodes>>1&0x55555555 != 0 {
		c.violate("I2: a node is counted twice: " + c.namesText(t.sum.nodes))
	}
	if want := c.w.whole[0] - t.without; c.w.fixed && t.sum.nodes != want {
		c.violate(fmt.Sprintf("I1: counted are %s, the tree has %s", c.namesText(t.sum.nodes), c.namesText(want)))
	}
	if c.w.Doubtful {
		return
	}
	for p := range c.w.places {
		if x := &s.plans[p]; x.kind == live && x.posted && s.tallies[p][x.epoch].done != c.full(s, pid(p)) {
			c.violate(fmt.Sprintf("I3: reported finished, and children of %s were posted that have not settled", c.placeName(pid(p))))
		}
	}
}

// checkReduce looks at what a reduce is about to be given.
func (c *checker) checkReduce(s *State, m *msg) {
	if s.plans[m.at].kind != live {
		c.violate("I4: a node reduces that has no plan")
		return
	}
	// As of the reduce's epoch: a later one may have begun, where its message is late.
	past := *s
	past.run.epoch = m.epoch
	t := tree{c: c, s: &past}
	t.below(planned{at: m.at, name: m.name, whole: true, bare: true})
	sum, _ := c.below(s, m)
	switch {
	case t.bad != "":
		c.violate(t.bad)
	case t.sum.failures > 0 || t.open:
		c.violate("I4: a node reduces and not all below it has settled well")
	case sum.nodes != t.sum.nodes || sum.reduces != t.sum.reduces:
		c.violate(fmt.Sprintf("I4: a reduce is told of %s, below it are %s", c.accountText(sum), c.accountText(t.sum)))
	}
}

// checkSweep looks who posts children of a plan that belongs to another message, if to
// any: of a sweep one message. Otherwise they would double at each level.
func (c *checker) checkSweep(s *State, of pid, m *msg, re uint8) {
	if re != adopt || s.plans[of].mid == m.mid || s.steps[of][m.epoch] == m.mid {
		return
	}
	o := &s.overs[of][m.kin]
	if o.posted != 0 && o.posted != m.mid {
		c.violate(fmt.Sprintf("two messages of one sweep go on through %s: there is no bound to how many there will be", c.placeName(of)))
	}
	o.posted = m.mid
}

func (c *checker) violate(why string) {
	if c.bad == "" {
		c.bad = why
	}
}

// walk goes down the committed tree: package ledger's Units and Failures.
func (c *checker) walk(s *State) *tree {
	t := &tree{c: c, s: s}
	root := planned{name: 0, fail: s.run.state == failed, whole: s.run.state == finished}
	switch {
	case s.run.via:
		t.below(root)
	case s.run.state == finished:
		t.leaf(0)
	default:
		t.failure(root)
	}
	return t
}

// tree is what a walk has found.
type tree struct {
	c       *checker
	s       *State
	sum     account // of the units
	rows    uint32  // of the units, as the sink has them
	without uint32  // what is below failures, if attempts agree on it
	open    bool    // something has not settled
	bad     string
}

// planned is a node known to have a plan, or a tomb.
type planned struct {
	at          pid
	name        name
	fail, whole bool
	bare        bool // without its second step
}

func (t *tree) wrong(why string, at pid) {
	if t.bad == "" {
		t.bad = why + ": " + t.c.placeName(at)
	}
}

// leaf is a unit that settled without children; the sink knows of which attempt.
func (t *tree) leaf(at pid) {
	k := t.s.leaf[at]
	if k == 0 {
		t.wrong("the sink: a leaf counts whose rows were never committed", at)
		return
	}
	own := t.c.w.outcomes[k-1].own
	t.rows += own.nodes
	t.sum = t.sum.add(own)
}

func (t *tree) failure(n planned) {
	t.sum.failures++
	if t.c.w.places[n.at].of == none {
		t.without += t.c.w.whole[n.name]
	} else {
		t.without += t.c.w.rest[n.name]
	}
	if t.s.letters>>n.at&1 == 0 && t.s.left[Return] == t.c.w.budget[Return] {
		t.wrong("I1: a node was given up, and no letter says so", n.at)
	}
}

// below counts a node that has a plan, and all below it.
func (t *tree) below(n planned) {
	c, s := t.c, t.s
	p := &s.plans[n.at]
	second := c.w.places[n.at].of != none
	if second && p.kind != live {
		if n.whole {
			t.leaf(n.at)
		} else {
			t.failure(n)
		}
		return
	}
	if p.kind != live {
		t.wrong("I1: a plan is missing, or it is none", n.at)
		return
	}
	o := &c.w.outcomes[p.out]
	own := o.own
	if own.nodes != 0 || own.reduces != 0 {
		if s.parts[n.at]>>p.out&1 == 0 {
			t.wrong("the sink: a plan counts whose rows were never committed", n.at)
		}
		t.rows += own.nodes
		t.sum = t.sum.add(own)
	}
	failedBelow := false
	for slot, kid := range o.kids {
		child := planned{at: c.w.place(n.at, uint8(slot)), name: kid}
		settled := c.newest(s, n.at, slots(1)<<slot)
		switch {
		case settled == nil:
			t.open = true
			t.wrong("I3: a slot has not settled", child.at)
		case settled.via>>slot&1 != 0:
			child.fail = settled.fail>>slot&1 != 0
			child.whole = !child.fail
			t.below(child)
		case settled.fail>>slot&1 != 0:
			t.failure(child)
		default:
			t.leaf(child.at)
		}
		failedBelow = failedBelow || settled != nil && settled.fail>>slot&1 != 0
	}
	if c.reduces(s, n.at) {
		switch {
		case n.bare:
		case n.whole, n.fail && !failedBelow:
			t.below(planned{at: c.w.places[n.at].second, name: n.name, whole: n.whole, fail: n.fail})
		default:
			t.without += c.w.rest[n.name]
		}
	}
}

// newest is the tally of the last epoch in which a slot settled.
func (c *checker) newest(s *State, p pid, slot slots) *tally {
	for e := int(s.run.epoch); e >= 0; e-- {
		if t := &s.tallies[p][e]; t.done&slot != 0 {
			return t
		}
	}
	return nil
}
