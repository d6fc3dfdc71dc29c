package model

import "math/bits"

func size(s slots) int { return bits.OnesCount8(s) }

// subject is the record that a message may own: its node's plan, or that of its second
// step.
func (c *checker) subject(m *msg) pid {
	if m.op == opReduce {
		return c.w.places[m.at].second
	}
	return m.at
}

// freshMID names a post. Names that nobody knows any more are used again: two that are
// told apart by nothing are one.
func (c *checker) freshMID(s *State, m *msg) uint8 {
	if m.op == opClimb {
		return 0 // owns nothing
	}
	of := c.subject(m)
	var taken uint32
	for i := range s.msgs {
		if q := &s.msgs[i]; q.op == m.op && q.at == m.at {
			taken |= 1 << q.mid
		}
	}
	for i := range s.workers {
		if q := &s.workers[i]; q.do != idle && q.m.op == m.op && q.m.at == m.at {
			taken |= 1 << q.m.mid
		}
	}
	taken |= 1 << s.plans[of].mid
	for e := range s.steps[of] {
		taken |= 1 << s.steps[of][e]
	}
	for _, o := range s.overs[of] {
		taken |= 1<<o.by | 1<<o.posted
	}
	return uint8(bits.TrailingZeros32(^taken &^ 1))
}

// kins are those that a message, a unit or a sweep under way has: a step of any other
// one nobody will ask for again.
func (s *State) kins() (set uint8) {
	for i := range s.msgs {
		set |= 1 << s.msgs[i].kin
	}
	for i := range s.workers {
		set |= 1 << s.workers[i].m.kin
	}
	return (set | 1<<s.sweep.kin) &^ 1
}

// freshKin names a sweep, as freshMID does a post. The id of a post that was none of a
// sweep's has a half, too, which nobody asks for until it adopts.
func (c *checker) freshKin(s *State) uint8 {
	k := uint8(bits.TrailingZeros8(^s.kins() &^ 1))
	if k >= maxKins {
		c.overflow = true
		return maxKins - 1
	}
	return k
}

// adopting has a message go on with what others own from here on.
func (c *checker) adopting(s *State, m *msg) {
	if m.kin == 0 {
		m.kin = c.freshKin(s)
	}
}

// send puts a message on the queue. If there are too many the step is not made, and the
// search says so.
func (c *checker) send(s *State, m msg) bool {
	for i := range s.msgs[:c.w.Most] {
		if s.msgs[i].op == opNone {
			s.msgs[i] = m
			return true
		}
	}
	c.overflow = true
	return false
}

// post sends a new message.
func (c *checker) post(s *State, m msg) bool {
	m.mid = c.freshMID(s, &m)
	return c.send(s, m)
}

// drop takes a message off the queue, whoever holds it.
func (c *checker) drop(s *State, at uint8) {
	if at == none {
		return
	}
	s.msgs[at] = msg{}
	for i := range s.workers {
		if s.workers[i].held == at && s.workers[i].do != idle {
			s.workers[i].held = none
		}
	}
}

// release ends a worker's unit; if it held its message that is visible again.
func (c *checker) release(s *State, i int) {
	w := &s.workers[i]
	if !w.stale && w.held != none {
		s.msgs[w.held].leased = false
	}
	*w = worker{}
}

// letGo ends a worker's unit and leaves the message to its lease, which runs out.
func (c *checker) letGo(s *State, i int) { c.release(s, i) }

// queueFaults is what the queue may do by itself.
func (c *checker) queueFaults(s *State) {
	for i := range s.msgs {
		m := s.msgs[i]
		if m.op == opNone || i > 0 && m == s.msgs[i-1] {
			continue
		}
		if m.leased {
			continue
		}
		if s.left[Lose] > 0 {
			t := *s
			t.left[Lose]--
			t.lost = true
			c.drop(&t, uint8(i))
			c.emit(&t, label{m: m, verb: "is LOST by the queue"})
		}
		if s.left[Bury] > 0 && !m.dead {
			t := *s
			t.left[Bury]--
			t.msgs[i].dead, t.msgs[i].reason, t.msgs[i].rc = true, false, 1
			c.adopting(&t, &t.msgs[i])
			c.emit(&t, label{m: m, verb: "is moved to the dead-letter queue BY THE QUEUE"})
		}
		if s.left[Lie] > 0 && !m.dead {
			t := *s
			t.left[Lie]--
			if c.send(&t, m) {
				c.emit(&t, label{m: m, verb: "will be delivered TWICE, and neither shows it"})
			}
		}
	}
}

// receive hands a visible message to a worker.
func (c *checker) receive(s *State) {
	i := -1
	for k := range s.workers[:c.w.Workers] {
		if s.workers[k].do == idle {
			i = k // workers are alike
			break
		}
	}
	if i < 0 {
		return
	}
	for k := range s.msgs {
		m := &s.msgs[k]
		if m.op == opNone || m.leased || k > 0 && *m == s.msgs[k-1] {
			continue
		}
		t := *s
		q := &t.msgs[k]
		q.leased = true
		q.rc = min(q.rc+1, max(2, c.w.PutOffs))
		t.workers[i] = worker{held: uint8(k), m: *q}
		t.workers[i].m.leased = false
		c.begin(s, &t, i)
	}
}
