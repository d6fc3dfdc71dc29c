package model

// checker makes the steps of one world.
type checker struct {
	w    *World
	bugs Bug

	tracing  bool
	bad      string              // what the step under way, or the state under view, violates
	overflow bool                // a step would have needed more messages than a state has room for
	to       *search             // takes the states that steps lead to
	found    func(label, *State) // if set, takes them in its place
	wrote    call                // the write of the ledger that the step under way has made
}

func (c *checker) has(b Bug) bool { return c.bugs&b != 0 }

// successors makes every step that anybody may take in a state.
func (c *checker) successors(s *State) {
	if s.run.state == finished || s.run.state == cancelled || s.run.state == failed && s.run.epoch+1 >= c.w.Epochs {
		if !c.w.Past {
			return // nothing can change what counts: the run's record refuses it
		}
	}
	c.wrote = call{}
	c.receive(s)
	c.queueFaults(s)
	for i := range s.workers[:c.w.Workers] {
		if s.workers[i].do != idle {
			c.step(s, i)
			c.wrote = call{}
			c.accidents(s, i)
		}
	}
	c.people(s)
	c.sweeps(s)
}

// step is the next step of a worker.
func (c *checker) step(s *State, i int) {
	switch s.workers[i].do {
	case takeReduce, takeOver, ask, askPlan:
		t := *s
		c.asks(&t, i)
	case settle:
		c.settles(s, i)
	case postKids, postReduce, sendCopy, mourn:
		c.sends(s, i)
	case remove:
		c.removesStale(s, i)
	default:
		c.plans(s, i)
	}
}

// accidents are what may happen to a worker: it dies, or its lease ends while it goes
// on. One whose lease has ended may see that at any time, and stop.
func (c *checker) accidents(s *State, i int) {
	w := &s.workers[i]
	if w.stale || s.left[Crash] > 0 {
		t := *s
		if !w.stale {
			t.left[Crash]--
		}
		c.release(&t, i)
		c.emit(&t, label{m: w.m, verb: "CRASH of its worker"})
	}
	if s.left[Expire] > 0 && !w.stale && w.held != none {
		t := *s
		t.left[Expire]--
		t.msgs[w.held].leased = false
		t.workers[i].stale = true
		c.emit(&t, label{m: w.m, verb: "the lease ENDS, and its worker goes on"})
	}
}

// emit hands on a state that a step has led to. What nobody sees follows at once: the
// processor runs, and a message that is done with goes.
func (c *checker) emit(s *State, l label) {
	if c.w.Max > 0 && c.w.used(s) > c.w.Max {
		return
	}
	for i := range s.workers[:c.w.Workers] {
		switch w := &s.workers[i]; {
		case w.do == work:
			c.works(s, i, l)
			return
		case w.do == remove && (!w.stale || w.held == none):
			c.removes(s, i, l)
			return
		}
	}
	if c.found == nil {
		c.to.reached(s)
		return
	}
	u := *s // the states of a search stay on the stack
	c.found(l, &u)
}
