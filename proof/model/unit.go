package model

// The steps of a unit: docs/state-machine.md and task/unit.go, task/process.go. Each is
// one call of the ledger, the sink or the queue; between any two the worker may die.

// begin starts the unit of a message that was just received: signature and control.
func (c *checker) begin(s, t *State, i int) {
	w := &t.workers[i]
	m := &w.m
	says := func(verb string) label { return label{m: w.m, verb: verb} }
	if m.forged {
		if !c.has(AnySignature) {
			t.letters |= 1 << c.subject(m)
			w.do = remove
			c.emit(t, says("is received and REJECTED: its signature is wrong"))
			return
		}
		c.violate("I6: a message is executed that nobody with the key has sent")
	}
	stops := s.run.state.over() || s.run.epoch > m.epoch
	switch {
	case s.run.epoch < m.epoch:
		c.violate("I1: a message of an epoch that has not begun goes to the dead letters")
	case stops:
		u := *t
		u.workers[i].do = remove
		c.emit(&u, says("is received: the run is over, or in a later epoch"))
	case s.run.paused:
		u := *t
		c.postpone(&u, i)
		c.emit(&u, says("is received and put back: the run is paused"))
	}
	fresh := m.dead // for it the record is read anew
	if !stops && !s.run.paused || c.w.Stale && !fresh {
		c.start(t, i)
		c.emit(t, says("is received"))
	}
}

// start is the first step of a unit whose run goes on, as far as the worker knows.
func (c *checker) start(t *State, i int) {
	w := &t.workers[i]
	switch {
	case w.m.op == opClimb:
		w.do = readClimb
	case w.m.op == opReduce && w.m.suspect():
		w.do = takeReduce
	case w.m.op == opReduce || w.m.suspect() && !c.has(NeverAsks):
		w.do = ask
	default:
		c.proceed(t, i)
	}
}

// postpone puts a message back that cannot be worked on now. One that was often put
// back is sent anew, and deleted.
func (c *checker) postpone(t *State, i int) {
	w := &t.workers[i]
	if w.m.dead || c.w.PutOffs > 0 && w.m.rc >= c.w.PutOffs {
		w.do, w.later = sendCopy, true
		return
	}
	c.release(t, i)
}

// sequel reports whether a unit is of a second step that may have children.
func (c *checker) sequel(m *msg) bool {
	return m.op == opReduce && len(c.w.nodes[m.name].second) > 0
}

// asks are the steps that read, before work is done.
func (c *checker) asks(t *State, i int) {
	w := &t.workers[i]
	m := &w.m
	switch w.do {
	case takeReduce:
		mine := c.putStep(t, c.subject(m), m)
		c.own(t, i, mine, ask)
		c.emit(t, label{m: *m, verb: "takes the reduce step", yes: mine, said: true})
	case takeOver:
		mine := c.putOver(t, c.subject(m), m)
		c.owned(t, i, mine, w.then)
		c.emit(t, label{m: *m, verb: "takes the sweep step", yes: mine, said: true})
	case ask:
		up, slot := c.slot(m.at)
		switch {
		case up == none && (t.run.state.over() || t.run.epoch != m.epoch):
			w.do = remove
		case up != none && t.tallies[up][m.epoch].done&slot != 0:
			w.behind = true
			if c.has(NoReclimb) {
				w.do = remove
			} else {
				c.after(t, i, up)
			}
		case m.op == opNode || c.sequel(m):
			w.do = askPlan
		default:
			c.proceed(t, i)
		}
		c.emit(t, label{m: *m, verb: "reads the tally above"})
	case askPlan:
		of := c.subject(m)
		if t.plans[of].kind == noPlan || !c.follow(t, i, t.plans[of]) {
			c.proceed(t, i)
		}
		c.emit(t, label{m: *m, verb: "reads its plan"})
	}
}

// own goes on after a step was put. One that adopts may, whoever has it: the owner may
// be gone. But of each sweep only one does.
func (c *checker) own(t *State, i int, mine bool, then step) {
	w := &t.workers[i]
	if !mine && w.m.adopts() {
		w.do, w.then = takeOver, then
		return
	}
	c.owned(t, i, mine, then)
}

// owned goes on if a step is the unit's. A second step goes on with its own plan,
// whoever has taken the step since.
func (c *checker) owned(t *State, i int, mine bool, then step) {
	w := &t.workers[i]
	if of := c.subject(&w.m); !mine && then == ask && c.sequel(&w.m) {
		mine = t.plans[of].kind != noPlan && t.plans[of].mid == w.m.mid
	}
	if w.do = then; !mine {
		w.do = remove
	}
}

// proceed is what follows when the ledger knows nothing of the node.
func (c *checker) proceed(t *State, i int) {
	w := &t.workers[i]
	switch {
	case w.m.op == opGroup && w.m.adopts():
		w.do, w.then = takeOver, readGroup
	case w.m.op == opGroup && w.m.suspect():
		w.do = readGroup
	case w.m.op == opGroup:
		w.post, w.re, w.do = c.full(t, w.m.at), original, postKids
	default:
		w.do = work
	}
}

// follow goes on with the plan that is stored, whoever made it. It is undecided where
// the plan is the tomb of an earlier epoch: process the node.
func (c *checker) follow(t *State, i int, p plan) (decided bool) {
	w := &t.workers[i]
	m := &w.m
	switch {
	case p.epoch > m.epoch:
		w.do = remove
	case p.kind == live && p.epoch == m.epoch:
		adopts := m.adopts()
		if c.has(SweepDropped) {
			adopts = m.reason || m.dead
		}
		switch {
		case p.mid == m.mid && !c.has(PlannedMeansDelete):
			w.do = claim
		case adopts && !c.has(PlannedMeansDelete):
			w.do, w.then = takeOver, claim
		default:
			// Another message owns the plan and is not deleted before it has posted.
			w.do = remove
		}
		w.later = true // and then read what has settled
	case p.kind == live:
		w.do = takeStep
	case p.kind == leafPlan:
		c.aim(w, m.at, p.own, settling{via: c.sequel(m), fenced: true})
	case p.epoch == m.epoch: // a tomb
		c.aim(w, m.at, p.own, settling{via: c.sequel(m), fenced: true, failed: true})
		w.do = mourn
	default:
		w.redo = true
		return false
	}
	return true
}

// concede goes on with the plan that is stored after the unit has put its own. Where
// another message has won with children, that one is about.
func (c *checker) concede(t *State, i int, stored plan) {
	w := &t.workers[i]
	if stored.kind == live && stored.epoch == w.m.epoch && stored.mid != w.m.mid {
		w.do = remove
		return
	}
	if !c.follow(t, i, stored) {
		c.violate("a tomb of an earlier epoch was kept")
		w.do = remove
	}
}

// plans are the steps around the plan record.
func (c *checker) plans(s *State, i int) {
	t := *s
	w := &t.workers[i]
	m := w.m
	of := c.subject(&m)
	switch w.do {
	case commit:
		c.commits(&t, i)
		c.emit(&t, label{m: m, verb: "commits its results"})
	case putPlan:
		p := plan{kind: w.kind, epoch: m.epoch, name: m.name, out: w.out, mid: m.mid, own: w.acc}
		if w.kind != live {
			p.out = 0
		}
		before := t.plans[of]
		stored, ok := c.put(&t, of, p, w.acted)
		if ok && before != stored && s.left[Reply] > 0 {
			u := t
			u.left[Reply]--
			u.workers[i].acted = true
			c.emit(&u, label{m: m, verb: "puts its plan, and the ANSWER IS LOST", kind: w.kind})
		}
		won := ok && w.kind == live
		w.acted, w.redo = false, false
		switch {
		case won && m.suspect() && !c.has(NoFence) && !c.has(PostsBeforeClaim):
			w.do, w.later = claim, false
		case won:
			w.do, w.post, w.re = postKids, c.full(&t, of), original
			c.early(&t, i, DeleteBeforePost)
		default:
			c.concede(&t, i, stored)
		}
		c.emit(&t, label{m: m, verb: "puts its plan", kind: w.kind, yes: ok, said: true})
	case claim:
		adopting := w.later
		w.later = false
		switch up, _ := c.slot(m.at); c.claim(&t, m.at, m.epoch) {
		case won:
			if adopting {
				w.do = readAdopt
			} else {
				w.do, w.post, w.re = postKids, c.full(&t, of), original
				c.early(&t, i, DeleteBeforePost)
			}
		case already:
			w.behind = true
			c.after(&t, i, up)
		default:
			w.do = remove
		}
		c.emit(&t, label{m: m, verb: "claims its slot"})
	case readAdopt:
		missing := c.full(&t, of) &^ t.tallies[of][m.epoch].done
		if missing == 0 {
			w.behind = true
			c.after(&t, i, of)
		} else {
			w.do, w.post, w.re = postKids, missing, max(again, m.re)
		}
		c.emit(&t, label{m: m, verb: "reads which of its children have settled"})
	case takeStep:
		mine := c.putStep(&t, of, &m)
		c.own(&t, i, mine, readFailed)
		c.emit(&t, label{m: m, verb: "takes the redrive step", yes: mine, said: true})
	case readFailed:
		c.redrive(&t, i)
		c.emit(&t, label{m: m, verb: "reads which of its children had failed"})
	case readGroup:
		missing := c.required(&t, m.at, m.epoch) &^ t.tallies[m.at][m.epoch].done
		if missing == 0 && t.tallies[m.at][m.epoch].set() {
			c.after(&t, i, m.at)
		} else {
			w.do, w.post, w.re = postKids, missing, max(again, m.re)
		}
		c.emit(&t, label{m: m, verb: "reads which of the page have settled"})
	case readClimb:
		if t.tallies[m.at][m.epoch].set() {
			c.after(&t, i, m.at)
		} else {
			w.do = remove
		}
		c.emit(&t, label{m: m, verb: "reads the tally that may be complete"})
	}
}

// redrive is the step of a new epoch through a plan of an earlier one.
func (c *checker) redrive(t *State, i int) {
	w := &t.workers[i]
	m := &w.m
	of := c.subject(m)
	failed := t.tallies[of][m.epoch-1].fail
	missing := failed &^ t.tallies[of][m.epoch].done
	if c.has(RedrivesAll) && failed != 0 {
		missing = c.full(t, of) &^ t.tallies[of][m.epoch].done
	}
	switch {
	case failed == 0 && !c.sequel(m):
		w.do, w.at = postReduce, m.at // all below is well: its reduce had failed
	case failed == 0:
		c.aim(w, m.at, account{}, settling{via: true, fenced: true})
	case missing == 0:
		c.after(t, i, of)
	default:
		w.do, w.post, w.re = postKids, missing, max(again, m.re)
	}
}
