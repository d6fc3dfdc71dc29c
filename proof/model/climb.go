package model

// settling is how a slot is to settle.
type settling struct{ via, fenced, failed bool }

// aim has a worker settle a place's slot next.
func (c *checker) aim(w *worker, at pid, acc account, how settling) {
	w.do, w.at, w.acc, w.acted = settle, at, acc, false
	w.via, w.fenced, w.failed = how.via, how.fenced, how.failed
}

// after is what follows the settlement of a slot of plan p: nothing, while others are
// missing; otherwise what the plan belongs to reduces, or settles in turn.
func (c *checker) after(t *State, i int, p pid) {
	w := &t.workers[i]
	epoch := w.m.epoch
	if t.plans[p].kind != live {
		c.violate("a slot of a plan has settled that is not there")
		w.do = remove
		return
	}
	if !c.complete(t, p, epoch) {
		w.do = remove
		return
	}
	sums := &t.tallies[p][epoch]
	if c.reduces(t, p) && (sums.fail == 0 || c.has(ReduceDespiteFailures)) {
		w.do, w.at = postReduce, p
		c.early(t, i, DeleteBeforeReduce)
		return
	}
	acc := sums.sum
	if t.plans[p].epoch == epoch || c.has(RedriveAddsTotals) {
		acc = acc.add(t.plans[p].own)
	}
	c.aim(w, p, acc, settling{via: true, fenced: true, failed: sums.fail != 0})
}

// settles is the one write of a leaf, and of each level of a climb.
func (c *checker) settles(s *State, i int) {
	t := *s
	w := &t.workers[i]
	m := w.m
	at := w.at
	up, _ := c.slot(at)
	outcome := c.settle(&t, at, m.epoch, w)
	if outcome == won && s.left[Reply] > 0 {
		u := t
		u.left[Reply]--
		c.emit(&u, label{m: m, verb: "settles the slot of", at: at, about: true, lost: true})
	}
	switch {
	case outcome == claimed:
		// An earlier delivery of this message may have written that plan, and have died
		// before it posted: the message stays for a later one.
		if t.plans[c.subject(&m)].mid != m.mid || c.has(YieldDeletes) {
			w.do = remove
		} else {
			c.letGo(&t, i)
		}
	case outcome != won && c.has(NoReclimb):
		w.do = remove
	default:
		w.behind = w.behind || outcome != won
		if up == none {
			w.do = remove
		} else {
			c.after(&t, i, up)
		}
	}
	c.emit(&t, label{m: m, verb: "settles the slot of", at: at, about: true, yes: outcome == won, said: true})
}
