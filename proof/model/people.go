package model

// people are the steps of those who own the run, and of the sweep.
func (c *checker) people(s *State) {
	by := func(verb string, change func(*State)) {
		t := *s
		c.wrote = call{}
		change(&t)
		c.emit(&t, label{verb: verb, nobody: true})
	}
	root := msg{op: opNode, epoch: s.run.epoch}
	if s.run.epoch > 0 {
		root.re = again
	}
	if s.run.posting {
		t := *s
		t.run.posting = false
		if c.post(&t, root) {
			c.emit(&t, label{verb: "the root is posted", nobody: true})
		}
		if s.left[Send] > 0 {
			t.left[Send]--
			root.re = again
			if c.post(&t, root) {
				c.emit(&t, label{verb: "the root is posted, the ANSWER IS LOST, and it is posted again", nobody: true})
			}
		}
		if s.left[Crash] > 0 {
			by("who posts the root CRASHES before", func(t *State) { t.left[Crash]--; t.run.posting, t.lost = false, true })
		}
	}
	if s.run.state == failed && s.run.epoch+1 < c.w.Epochs && !s.run.posting {
		by("the run is redriven", func(t *State) { t.run.posting = c.amend(t, "redrive") })
	}
	if s.run.state == running && s.left[Cancel] > 0 {
		by("the run is CANCELLED", func(t *State) { t.left[Cancel]--; c.amend(t, "cancel") })
	}
	if s.run.state == running && s.left[Pause] > 0 && !s.run.paused {
		by("the run is PAUSED", func(t *State) { t.left[Pause]--; c.amend(t, "pause") })
	}
	if s.run.paused && s.run.state == running {
		by("the run is resumed", func(t *State) { c.amend(t, "resume") })
	}
	c.wrote = call{}
	if s.left[Forge] > 0 && s.run.state == running {
		t := *s
		t.left[Forge]--
		if root.forged = true; c.post(&t, root) {
			c.emit(&t, label{verb: "somebody without the key POSTS", nobody: true})
		}
	}
	if s.left[Return] == 0 {
		return
	}
	for p := range c.w.places {
		if old := s.plans[p]; s.letters>>p&1 != 0 && old.kind == tomb && c.w.places[p].of == none {
			t := *s
			t.left[Return]--
			t.letters &^= 1 << p
			m := msg{op: opNode, at: pid(p), name: old.name, epoch: old.epoch, mid: old.mid, re: again, reason: true}
			c.adopting(&t, &m)
			if c.send(&t, m) {
				c.emit(&t, label{m: m, verb: "is MOVED BACK from the dead-letter queue"})
			}
		}
	}
}

// quiet reports whether nothing moves.
func (s *State) quiet() bool {
	for i := range s.msgs {
		if s.msgs[i].op != opNone {
			return false
		}
	}
	for i := range s.workers {
		if s.workers[i].do != idle {
			return false
		}
	}
	return !s.run.posting && !s.sweep.on
}

// sweeps are the steps of a sweep: it begins where nothing moves though something was
// lost, or for no reason; visits one node at a time; and may stop at any (Crash).
func (c *checker) sweeps(s *State) {
	c.wrote = call{}
	if !s.sweep.on {
		if s.run.state != running || s.run.paused {
			return
		}
		t := *s
		switch {
		case s.lost && s.quiet():
		case s.left[Sweep] > 0:
			t.left[Sweep]--
		default:
			return
		}
		t.sweep = sweeper{on: true, epoch: s.run.epoch, kin: c.freshKin(s), pending: 1}
		c.emit(&t, label{verb: "a sweep begins", nobody: true})
		return
	}
	at := pid(0)
	for s.sweep.pending>>at&1 == 0 {
		at++
	}
	t := *s
	t.sweep.pending &^= 1 << at
	verb := c.visit(&t, at)
	if t.sweep.pending == 0 {
		t.sweep = sweeper{}
	}
	if verb != "" {
		c.emit(&t, label{verb: verb, at: at, about: true, nobody: true})
	}
	if s.left[Crash] > 0 {
		t = *s
		t.left[Crash]--
		t.sweep, t.lost = sweeper{}, true
		c.emit(&t, label{verb: "the sweep CRASHES", nobody: true})
	}
}

// visit goes below a node if some of its children have settled, so that it surely posted
// them; otherwise it posts the node itself, which follows its plan if it has one.
func (c *checker) visit(t *State, at pid) (verb string) {
	e := t.sweep.epoch
	m := msg{op: opNode, at: at, epoch: e, re: adopt, kin: t.sweep.kin}
	if up := c.w.places[at].up; up != none {
		m = c.kid(t, up, int(c.w.places[at].slot), &m)
	}
	p, sums := t.plans[at], &t.tallies[at][e]
	if p.kind != live || p.epoch != e || sums.done == 0 {
		if !c.post(t, m) {
			return ""
		}
		return "the sweep posts"
	}
	missing := c.full(t, at) &^ sums.done
	if missing == 0 {
		m.op = opClimb
		if !c.post(t, m) {
			return ""
		}
		return "the sweep posts a climb of"
	}
	for slot := range 8 {
		if missing>>slot&1 != 0 {
			t.sweep.pending |= 1 << c.w.place(at, uint8(slot))
		}
	}
	return "the sweep goes below"
}
