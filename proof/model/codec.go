package model

import "slices"

// codec writes a state into bytes, or reads it back: what does not exist takes no room,
// and what does not matter to any later step is not there. Two states of the same bytes
// are one.
type codec struct {
	buf     []byte
	at      int
	reading bool
}

func (c *codec) byte(b *uint8) {
	if c.reading {
		*b = c.buf[c.at]
		c.at++
		return
	}
	c.buf = append(c.buf, *b)
}

func (c *codec) word(v *uint32) {
	for shift := 0; shift < 32; shift += 8 {
		b := uint8(*v >> shift)
		c.byte(&b)
		if c.reading {
			*v |= uint32(b) << shift
		}
	}
}

// bools packs up to eight into a byte.
func (c *codec) bools(bs ...*bool) {
	var set uint8
	for i, b := range bs {
		if *b {
			set |= 1 << i
		}
	}
	c.byte(&set)
	if c.reading {
		for i, b := range bs {
			*b = set>>i&1 != 0
		}
	}
}

func (c *codec) account(a *account) {
	c.word(&a.nodes)
	both := uint8(a.failures+8)<<4 | uint8(a.reduces+8)&0xf
	c.byte(&both)
	if c.reading {
		a.failures, a.reduces = int8(both>>4)-8, int8(both&0xf)-8
	}
}

func (c *codec) msg(m *msg) {
	a := uint8(m.op) | m.at<<4
	b := m.name | m.mid<<4
	d := m.epoch | m.re<<2 | m.tries<<4 | m.rc<<6
	c.byte(&a)
	c.byte(&b)
	c.byte(&d)
	if c.reading {
		m.op, m.at, m.name, m.mid = op(a&0xf), a>>4, b&0xf, b>>4
		m.epoch, m.re, m.tries, m.rc = d&3, d>>2&3, d>>4&3, d>>6
	}
	c.byte(&m.kin)
	c.bools(&m.dead, &m.reason, &m.forged, &m.leased)
}

func (c *codec) worker(w *worker) {
	c.byte((*uint8)(&w.do))
	if w.do == idle {
		return
	}
	if w.do == takeOver {
		c.byte((*uint8)(&w.then))
	}
	c.byte(&w.held)
	c.bools(&w.stale, &w.acted, &w.behind, &w.redo, &w.later, &w.failed, &w.via, &w.fenced)
	c.msg(&w.m)
	a := uint8(w.kind) | w.re<<4
	c.byte(&a)
	c.byte(&w.out)
	c.byte(&w.at)
	c.byte(&w.post)
	if c.reading {
		w.kind, w.re = planType(a&0xf), a>>4
	}
	if w.do == settle || w.do == putPlan || w.do == mourn {
		c.account(&w.acc)
	}
}

func (c *codec) tally(t *tally) {
	c.byte(&t.done)
	c.byte(&t.claim)
	c.byte(&t.fail)
	c.byte(&t.via)
	if t.done != 0 {
		c.account(&t.sum)
	}
}

func (c *codec) place(s *State, p int, epochs uint8) {
	x := &s.plans[p]
	var has uint8
	flag := func(bit int, yes bool) {
		if yes {
			has |= 1 << bit
		}
	}
	flag(0, x.kind != noPlan)
	flag(1, s.leaf[p] != 0)
	flag(2, s.parts[p] != 0)
	for e := range epochs {
		flag(3+int(e), s.tallies[p][e].set())
	}
	flag(6, s.steps[p] != [maxEpochs]uint8{})
	flag(7, s.overs[p] != [maxKins]sweepStep{})
	c.byte(&has)
	if has&1 != 0 {
		c.byte((*uint8)(&x.kind))
		c.byte(&x.epoch)
		c.byte(&x.name)
		c.byte(&x.out)
		c.byte(&x.mid)
		c.bools(&x.posted)
		c.account(&x.own)
	}
	if has&2 != 0 {
		c.byte(&s.leaf[p])
	}
	if has&4 != 0 {
		c.word(&s.parts[p])
	}
	for e := range epochs {
		if has>>(3+e)&1 != 0 {
			c.tally(&s.tallies[p][e])
		}
	}
	if has>>6&1 != 0 {
		for e := range epochs {
			c.byte(&s.steps[p][e])
		}
	}
	if has>>7&1 != 0 {
		for k := range s.overs[p] {
			o := &s.overs[p][k]
			both := o.by | o.posted<<4
			c.byte(&both)
			if c.reading {
				*o = sweepStep{by: both & 0xf, posted: both >> 4}
			}
		}
	}
}

func (c *codec) state(w *World, s *State) {
	r := &s.run
	a := uint8(r.state) | r.epoch<<2 | r.claim<<4
	c.byte(&a)
	if c.reading {
		r.state, r.epoch, r.claim = runState(a&3), a>>2&3, a>>4
	}
	c.bools(&r.paused, &r.via, &r.posting, &s.lost, &s.sweep.on)
	c.account(&r.totals)
	for p := range w.places {
		c.place(s, p, w.Epochs)
	}
	lo, hi := uint8(s.letters), uint8(s.letters>>8)
	c.byte(&lo)
	c.byte(&hi)
	if c.reading {
		s.letters = uint16(lo) | uint16(hi)<<8
	}
	if s.sweep.on {
		lo, hi = uint8(s.sweep.pending), uint8(s.sweep.pending>>8)
		c.byte(&s.sweep.epoch)
		c.byte(&s.sweep.kin)
		c.byte(&lo)
		c.byte(&hi)
		if c.reading {
			s.sweep.pending = uint16(lo) | uint16(hi)<<8
		}
	}
	for f := range s.left {
		c.byte(&s.left[f])
	}
	n := uint8(0)
	for n < maxMsgs && s.msgs[n].op != opNone {
		n++
	}
	c.byte(&n)
	for i := range n {
		c.msg(&s.msgs[i])
	}
	for i := range w.Workers {
		c.worker(&s.workers[i])
	}
}

// canonical brings a state into the form that all states like it share: messages and
// workers have no order, and workers forget what their next steps do not ask for.
func (c *checker) canonical(s *State) {
	for i := range s.workers[:c.w.Workers] {
		s.workers[i].forget()
	}
	for k, kins := 1, s.kins(); k < maxKins; k++ {
		if kins>>k&1 == 0 {
			for p := range c.w.places {
				s.overs[p][k] = sweepStep{}
			}
		}
	}
	for i := 1; i < maxMsgs; i++ {
		for j := i; j > 0 && s.msgs[j].before(&s.msgs[j-1]); j-- {
			s.msgs[j], s.msgs[j-1] = s.msgs[j-1], s.msgs[j]
			for k := range s.workers[:c.w.Workers] {
				switch w := &s.workers[k]; {
				case w.do == idle:
				case w.held == uint8(j):
					w.held = uint8(j - 1)
				case w.held == uint8(j-1):
					w.held = uint8(j)
				}
			}
		}
	}
	slices.SortFunc(s.workers[:c.w.Workers], func(a, b worker) int { return a.compare(&b) })
}

// rank orders messages; none come last.
func (m *msg) rank() uint64 {
	if m.op == opNone {
		return 1 << 63
	}
	r := uint64(m.op)<<40 | uint64(m.at)<<36 | uint64(m.name)<<32 | uint64(m.epoch)<<28 | uint64(m.re)<<24 |
		uint64(m.mid)<<16 | uint64(m.tries)<<12 | uint64(m.rc)<<8 | uint64(m.kin)<<4
	for i, b := range [4]bool{m.dead, m.reason, m.forged, m.leased} {
		if b {
			r |= 1 << i
		}
	}
	return r
}

func (m *msg) before(o *msg) bool { return m.rank() < o.rank() }

func (w *worker) compare(o *worker) int {
	if d := int(w.do) - int(o.do); d != 0 {
		return d
	}
	a, b := codec{buf: make([]byte, 0, 32)}, codec{buf: make([]byte, 0, 32)}
	a.worker(w)
	b.worker(o)
	return slices.Compare(a.buf, b.buf)
}

// forget clears what no later step of the unit asks for.
func (w *worker) forget() {
	x := worker{do: w.do, held: w.held, stale: w.stale, m: w.m}
	switch w.do {
	case idle:
		x = worker{}
	case remove:
		x.m = msg{op: w.m.op, at: w.m.at, mid: w.m.mid, name: w.m.name}
	case settle, mourn:
		x.acc, x.at, x.via, x.fenced, x.failed, x.behind = w.acc, w.at, w.via, w.fenced, w.failed, w.behind
	case postReduce:
		x.at, x.behind, x.acted = w.at, w.behind, w.acted
	case postKids:
		x.post, x.re = w.post, w.re
	case sendCopy:
		x.later = w.later
	case claim:
		x.later = w.later
	case takeOver:
		x.then, x.later = w.then, w.later
	case commit:
		x.kind, x.out, x.redo = w.kind, w.out, w.redo
	case putPlan:
		x.kind, x.out, x.acc, x.acted = w.kind, w.out, w.acc, w.acted
		if w.kind != live {
			x.out = 0
		}
	case work:
		x.redo = w.redo
	}
	*w = x
}
