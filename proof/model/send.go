package model

// The steps of a unit that send. A batch is no transaction: each entry is on the queue
// or not, whatever the answer says, and what has no answer is sent again, as what may be
// a duplicate.

func (c *checker) sends(s *State, i int) {
	w := s.workers[i]
	m := w.m
	switch w.do {
	case postKids:
		c.postsKids(s, i)
	case postReduce:
		c.sendsOne(s, i, c.reduceMessage(s, &w), label{m: m, verb: "posts the reduce of", at: w.at, about: true})
	case sendCopy:
		verb := "sends its copy, a retry"
		if w.later {
			verb = "sends its copy"
		}
		c.sendsOne(s, i, c.copied(s, &w), label{m: m, verb: verb})
	case mourn:
		t := *s
		t.letters |= 1 << c.subject(&m)
		t.workers[i].do = settle
		c.emit(&t, label{m: m, verb: "sends its letter to the dead-letter queue"})
	}
}

// kid is the message of a child, which is owed to another one.
func (c *checker) kid(s *State, of pid, slot int, by *msg) msg {
	k := msg{op: opNode, at: c.w.place(of, uint8(slot)), name: c.w.outcomes[s.plans[of].out].kids[slot], epoch: by.epoch, re: by.re}
	if k.re == adopt {
		k.kin = by.kin
	}
	if c.w.nodes[k.name].group {
		k.op = opGroup
	}
	return k
}

func (c *checker) postsKids(s *State, i int) {
	w := s.workers[i]
	m := w.m
	of := c.subject(&m)
	all := w.post
	send := func(t *State, some slots) bool {
		if some != 0 {
			t.plans[of].posted = true
			c.checkSweep(t, of, &m, w.re)
		}
		by := m
		by.re = w.re
		for slot := range c.w.outcomes[t.plans[of].out].kids {
			if some>>slot&1 != 0 && !c.post(t, c.kid(t, of, slot, &by)) {
				return false
			}
		}
		return true
	}
	// try sends some entries of which the answer names those that failed.
	try := func(t *State, some, bad slots, l label) {
		if !send(t, some) {
			return
		}
		x := &t.workers[i]
		if x.post = bad; bad != 0 {
			x.re = max(again, x.re)
			if c.has(ResendsAsOriginal) {
				x.re = w.re
			}
			if c.has(SendNotRepeated) {
				x.post = 0
			}
		}
		if x.post == 0 {
			x.do = remove
			if c.has(RowsLast) && w.re == original {
				t.parts[of] |= 1 << t.plans[of].out
			}
		}
		c.emit(t, l)
	}
	t := *s
	try(&t, all, 0, label{m: m, verb: "posts", post: all, re: w.re})
	for some := (all - 1) & all; some != 0; some = (some - 1) & all {
		if s.left[Crash] > 0 {
			t := *s
			t.left[Crash]--
			if send(&t, some) {
				c.release(&t, i)
				c.emit(&t, label{m: m, verb: "posts, and CRASHES in the middle", post: some, re: w.re})
			}
		}
	}
	if s.left[Send] == 0 {
		return
	}
	for bad := all; bad != 0; bad = (bad - 1) & all {
		if bad != all && bad&(bad-1) != 0 {
			continue // one entry fails, or all do
		}
		t := *s
		t.left[Send]--
		try(&t, all&^bad, bad, label{m: m, verb: "posts; the REST IS NOT TAKEN", post: all &^ bad, re: w.re})
		t = *s
		t.left[Send]--
		try(&t, all, bad, label{m: m, verb: "posts; of some THE ANSWER IS LOST", post: all, re: w.re})
	}
}

// sendsOne sends a message that does what is left of the unit's, which is then deleted.
func (c *checker) sendsOne(s *State, i int, next msg, l label) {
	t := *s
	t.workers[i].do = remove
	if c.send(&t, next) {
		c.emit(&t, l)
	}
	if s.left[Send] == 0 {
		return
	}
	t = *s
	t.left[Send]--
	t.workers[i].acted = true // from here on it may be a duplicate
	if c.has(SendNotRepeated) {
		t.workers[i].do = remove
	}
	u := t
	c.emit(&t, c.then(l, "it IS NOT TAKEN"))
	if c.send(&u, next) {
		c.emit(&u, c.then(l, "and THE ANSWER IS LOST"))
	}
}

// reduceMessage is the message that reduces a node. Only who made the very settlement
// that completed it, and is no suspect, posts the original.
func (c *checker) reduceMessage(s *State, w *worker) msg {
	next := msg{op: opReduce, at: w.at, name: s.plans[w.at].name, epoch: w.m.epoch}
	switch {
	case w.m.re == adopt && w.m.op != opReduce && !c.has(SweepDropped):
		next.re, next.kin = adopt, w.m.kin
	case w.m.suspect() || w.behind || w.acted:
		next.re = again
	}
	next.mid = c.freshMID(s, &next)
	return next
}

// copied is the unit's message to be sent once more: the same message, and a suspect.
func (c *checker) copied(s *State, w *worker) msg {
	next := w.m
	next.re = max(next.re, again)
	if next.adopts() {
		next.re = adopt
	}
	next.rc, next.dead, next.reason = 0, false, false
	if !w.later {
		next.tries++
	}
	if c.has(CopyRenamed) {
		next.mid = c.freshMID(s, &next)
	}
	return next
}

// early deletes a unit's message before its time.
func (c *checker) early(t *State, i int, b Bug) {
	if c.has(b) {
		c.drop(t, t.workers[i].held)
	}
}

// removes deletes the message of a worker that holds its lease. To wait with it is as
// good as to do it now, unless the worker dies first, or its lease ends: so these are
// looked at here, at once.
func (c *checker) removes(s *State, i int, l label) {
	held := s.workers[i].held
	t := *s
	c.drop(&t, held)
	t.workers[i] = worker{}
	c.emit(&t, c.then(l, "deleted"))
	if held == none {
		return
	}
	if s.left[Undelete] > 0 {
		t = *s
		t.left[Undelete]--
		c.release(&t, i)
		c.emit(&t, c.then(l, "the DELETE IS LOST"))
	}
	if s.left[Crash] > 0 {
		t = *s
		t.left[Crash]--
		c.release(&t, i)
		c.emit(&t, c.then(l, "CRASH before the delete"))
	}
	if s.left[Expire] > 0 {
		t = *s
		t.left[Expire]--
		t.msgs[held].leased = false
		t.workers[i].stale = true
		c.emit(&t, c.then(l, "the lease ENDS before the delete"))
	}
}

// removesStale deletes with a receipt that a later delivery has replaced, or may have:
// the message is deleted or not.
func (c *checker) removesStale(s *State, i int) {
	w := s.workers[i]
	t := *s
	t.workers[i] = worker{}
	c.emit(&t, label{m: w.m, verb: "is deleted with a stale receipt, without effect"})
	if w.held != none {
		t = *s
		c.drop(&t, w.held)
		t.workers[i] = worker{}
		c.emit(&t, label{m: w.m, verb: "is deleted with a stale receipt"})
	}
}
