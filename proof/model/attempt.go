package model

// works runs the processor: every outcome that the world has is one way to go on. It is
// no step of its own, since nobody sees it: the commit, or what follows, is.
func (c *checker) works(s *State, i int, l label) {
	m := s.workers[i].m
	n := &c.w.nodes[m.name]
	plain := m.op == opReduce && !c.sequel(&m)
	if m.op == opReduce {
		c.checkReduce(s, &m)
	}
	if m.dead {
		t := *s
		c.giveUp(&t, i)
		c.emit(&t, c.then(l, "is given up: the queue did"))
		return
	}
	list := n.process
	switch {
	case plain:
		list = []uint8{reduced}
	case m.op == opReduce:
		list = n.second
	}
	for _, out := range list {
		t := *s
		w := &t.workers[i]
		w.do, w.out, w.kind = commit, out, leafPlan
		if len(c.w.outcomes[out].kids) > 0 {
			w.kind = live
		}
		if !c.w.Commits {
			c.commits(&t, i)
		}
		c.emit(&t, c.then(l, "comes to "+c.outcome(out)))
	}
	fails := c.w.fails
	if m.op == opReduce {
		fails = c.w.failsRed
	}
	if s.left[Fail] == 0 || fails>>m.name&1 == 0 {
		return
	}
	t := *s
	t.left[Fail]--
	if m.tries < c.w.Retries {
		t.workers[i].do = sendCopy
		c.early(&t, i, RetryAfterDelete)
		c.emit(&t, c.then(l, "FAILS, to be tried again"))
		return
	}
	c.giveUp(&t, i)
	c.emit(&t, c.then(l, "FAILS for good"))
}

// commits hands the results to the sink, and says what the unit puts or settles. Of a
// leaf the first results count, and their account.
func (c *checker) commits(t *State, i int) {
	w := &t.workers[i]
	m := &w.m
	of := c.subject(m)
	own := c.w.outcomes[w.out].own
	switch {
	case w.kind == live && c.has(RowsLast):
	case w.kind == live:
		t.parts[of] |= 1 << w.out
	case t.leaf[of] == 0 || c.has(LastLeafCounts):
		t.leaf[of] = w.out + 1
	case !c.has(OwnAccount):
		own = c.w.outcomes[t.leaf[of]-1].own
	}
	if m.op == opReduce && !c.sequel(m) {
		_, below := c.below(t, m)
		c.aim(w, m.at, below.add(own), settling{via: true, fenced: true})
		return
	}
	if w.redo && !c.has(NotTakenBack) {
		own.failures--
	}
	if c.sequel(m) {
		_, below := c.below(t, m)
		own = own.add(below)
	}
	if w.kind == leafPlan && !c.sequel(m) && (!m.suspect() || c.has(NoFence)) {
		c.aim(w, m.at, own, settling{})
		c.early(t, i, DeleteBeforeSettle)
		return
	}
	w.do, w.acc = putPlan, own
}

// giveUp puts a tomb, or what the kind has in its place. A reduce has no plan of its
// own to be given up: it settles as failed.
func (c *checker) giveUp(t *State, i int) {
	w := &t.workers[i]
	m := &w.m
	if m.op == opReduce && !c.sequel(m) {
		_, below := c.below(t, m)
		below.failures++
		c.aim(w, m.at, below, settling{via: true, fenced: true, failed: true})
		w.do = mourn
		return
	}
	var own account
	if c.sequel(m) {
		_, own = c.below(t, m)
	}
	if w.redo {
		own.failures--
	}
	w.do, w.kind, w.acc = putPlan, tomb, own
	if f := c.w.nodes[m.name].fallback; f != none && m.op == opNode {
		w.kind, w.out = live, f
		return
	}
	w.acc.failures++
	if c.has(NoTomb) {
		c.aim(w, m.at, w.acc, settling{fenced: true, failed: true, via: c.sequel(m)})
		w.do = mourn
	}
}

// below is what a reduce finds: the account of the node and all below it, in all epochs,
// and what of that is this epoch's.
func (c *checker) below(s *State, m *msg) (sum, own account) {
	p := s.plans[m.at]
	sum = p.own
	sum.failures = 0
	for e := range m.epoch + 1 {
		sum = sum.add(s.tallies[m.at][e].sum)
	}
	own = s.tallies[m.at][m.epoch].sum
	if p.epoch == m.epoch {
		own = own.add(p.own)
	} else if !c.sequel(m) && s.tallies[m.at][m.epoch-1].fail == 0 {
		own.failures-- // the reduce itself had failed, and is counted
	}
	return sum, own
}
