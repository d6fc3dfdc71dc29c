package plan

import "math"

// nodes are those of a run: what waits, what is worked on, what is done. They
// advance in steps of one node's time, or of a whole part of it that is at most a
// second, so that what has a closed form comes out exactly.
type nodes struct {
	tree  Tree
	total float64 // of the tree

	ready  []float64 // by level
	sum    float64   // of ready; negative: to be added up
	lo, hi int       // levels outside have none ready
	done   float64
	wide   int

	clock   float64 // of the next step
	step    float64 // seconds
	perNode int     // steps of a node
	passed  int     // levels passed over since the steps were last made longer
	coarse  int     // how often they were
	reach   float64 // seconds that a step may be then
	part    float64 // of the widest level that takes longer
	running []cohort
	spare   [][]float64
	held    float64 // sum of running

	long  map[int]int // that end at the beginning of a second
	longs int
	draw  func() float64 // 0 to 1

	leaf   []float64 // of each level, the part without children
	shares []float64 // and what such a node is of the run
	leaves float64   // that are done
	share  float64   // settled with them

	busy     float64                   // slot-seconds so far, those of running ones included
	settled  float64                   // nodes whose end was seen
	rate     func(now float64) float64 // nodes a second that the services bear; nil: any
	credit   float64
	refused  float64 // seconds in which the services bore less than was asked
	finished float64 // when the last was done; negative: not yet
	stopped  bool    // none is begun any more
}

// cohort is nodes that were begun together.
type cohort struct {
	left int // steps
	n    float64
	lo   int // level of the first
	by   []float64
}

func newNodes(t Tree, draw func() float64) *nodes {
	n := &nodes{
		tree: t, total: t.Nodes(), ready: make([]float64, len(t.Levels)+1), wide: t.widest(),
		long: map[int]int{}, draw: draw, finished: -1, sum: -1, step: t.Time.Seconds(), perNode: 1,
	}
	if n.step > 1 {
		n.perNode = int(math.Ceil(n.step))
		n.step /= float64(n.perNode)
	}
	n.ready[0] = t.Levels[0]
	for _, l := range t.Long {
		n.part += l.Part
	}
	left := 1.0
	for l, width := range t.Levels {
		part := 1.0
		if l+1 < len(t.Levels) {
			part = max(0, 1-t.Levels[l+1]/width)
		}
		n.leaf, n.shares = append(n.leaf, part), append(n.shares, left/width)
		left *= 1 - part
	}
	return n
}

const (
	nothing = 1e-9 // of a node; less is rounding
	hair    = 1e-9 // of a second
	enough  = 2e7  // levels that steps pass over before they become longer
)

// waiting are those that no slot has.
func (n *nodes) waiting() float64 {
	if n.sum < 0 {
		n.sum = 0
		for l := n.lo; l <= n.hi; l++ {
			n.sum += n.ready[l]
		}
		n.passed += n.hi - n.lo + 1
	}
	return n.sum
}

// coarsen makes steps longer once a run has taken many: it lasts long then, and need not
// be looked at as closely. Steps that are parts of a node's time become twice as long.
// Where they are all of it, several nodes after one another become one step, as many as
// wait for a slot, and of a second first, and then of twice as long each time.
func (n *nodes) coarsen() {
	if n.passed < enough {
		return
	}
	n.passed = 0
	if n.perNode == 1 {
		n.coarse++
		n.reach = math.Exp2(float64(n.coarse - 1))
		return
	}
	fine := n.step
	n.step *= float64(n.perNode)
	n.perNode = (n.perNode + 1) / 2
	n.step /= float64(n.perNode)
	for i := range n.running {
		if c := &n.running[i]; c.left > 0 {
			c.left = max(1, int(math.Round(float64(c.left)*fine/n.step)))
		}
	}
}

// several is how many nodes after one another a coarse step may be: they end by until,
// all have a slot or what the services bear of them, and those that will take long have
// one, too. Fewer than 2: it may not.
func (n *nodes) several(until, free, waits float64) float64 {
	if n.coarse == 0 || n.perNode > 1 || len(n.running) > 0 || free <= 0 {
		return 0
	}
	each := free
	if n.rate != nil {
		each = min(each, n.rate(n.clock)*n.step)
	}
	until = max(until, n.clock+n.reach)
	k := min((until-n.clock)/n.step+1, waits/each)
	if part := n.part * n.ready[n.wide] / waits; part > 0 {
		k = min(k, 1/part)
	}
	return math.Floor(k)
}

// scarce is whether so few slots are free beside nodes that take long that a coarse run
// waits for more of them.
func (n *nodes) scarce(free, slots float64) bool {
	return n.coarse > 0 && n.longs > 0 && (free < 1 || free < slots*min(0.05, 0.01*float64(n.coarse)))
}

// work is one second of a fleet's slots.
func (n *nodes) work(now int, slots float64) {
	if ended := n.long[now]; ended > 0 {
		n.longs -= ended
		n.done += float64(ended)
		n.settled += float64(ended)
		delete(n.long, now)
	}
	until := float64(now+1) - hair
	n.busy += float64(n.longs)
	for n.clock < until && n.finished < 0 {
		n.coarsen()
		n.release()
		if n.over() {
			n.finished = n.clock
			return
		}
		free := slots - float64(n.longs) - n.held
		waits := n.waiting()
		n.passed++
		if n.stopped {
			free = 0
		}
		if n.perNode == 1 && len(n.tree.Long) == 0 && n.clock-float64(now) < n.step {
			// With work for a second, one big step does nearly what many small ones do.
			if k := math.Floor((until-n.clock)/n.step) + 1; k > 1 && waits >= free*k && free > 0 {
				take := free * k
				if n.rate != nil {
					if bears := n.rate(n.clock) * k * n.step; take > bears {
						take = bears
						n.refused += k * n.step
					}
				}
				n.begin(take, waits)
				n.busy += free * k * n.step
				n.clock += k * n.step
				n.running[len(n.running)-1].left = 0
				continue
			}
		}
		if k := n.several(until, free, waits); k >= 2 && !n.stopped {
			n.together(k, free, waits)
			continue
		}
		if len(n.running) == 0 && n.perNode == 1 && n.scarce(free, slots) {
			n.clock += math.Ceil((until-n.clock)/n.step) * n.step // none ends before
			continue
		}
		take := min(max(free, 0), waits)
		wanted := take
		if n.rate != nil {
			bears := n.rate(n.clock)
			n.credit = min(n.credit+bears*n.step, bears) // a second's worth at most
			if take > n.credit+nothing {
				take = n.credit
				n.refused += n.step
			}
			n.credit -= take
		}
		// Who is told to slow down holds a slot, too.
		n.busy += (n.held + wanted) * n.step
		if take > nothing {
			n.begin(take, waits)
		}
		for i := range n.running {
			n.running[i].left--
		}
		n.clock += n.step
	}
	if n.clock <= float64(now+1)+hair {
		n.release()
		if n.finished < 0 && n.over() {
			n.finished = max(n.clock, float64(now))
		}
	}
}

// together is a step of k nodes after one another.
func (n *nodes) together(k, free, waits float64) {
	take, held := free*k, min(free, waits)
	if n.rate != nil {
		if bears := n.rate(n.clock) * k * n.step; take > bears {
			take = bears
			n.refused += k * n.step
		}
	}
	n.begin(min(take, waits), waits)
	n.busy += held * k * n.step
	n.clock += k * n.step
	n.running[len(n.running)-1].left = 0
}

// over reports whether all is done. Sums of fractions are not exact: what is left
// of a node is nothing.
func (n *nodes) over() bool {
	return n.longs == 0 && (n.done >= n.total-0.5 || n.held+n.waiting() < 0.01)
}

// begin takes nodes of all levels alike: a queue keeps no order.
func (n *nodes) begin(take, waits float64) {
	n.sum = -1
	n.passed += n.hi - n.lo + 1
	c := cohort{left: n.perNode, lo: n.lo, by: n.levels(n.hi - n.lo + 1)}
	part := min(take/waits, 1)
	for l := n.lo; l <= n.hi; l++ {
		x := n.ready[l] * part
		if n.ready[l]-x < nothing {
			x = n.ready[l]
		}
		n.ready[l] -= x
		c.by[l-n.lo] = x
		c.n += x
	}
	for n.lo < n.hi && n.ready[n.lo] == 0 {
		n.lo++
	}
	n.held += c.n
	n.running = append(n.running, c)
}

// release ends the cohorts that have had their time, and makes their children
// ready.
func (n *nodes) release() {
	ended := 0
	for _, c := range n.running {
		if c.left > 0 {
			break
		}
		ended++
		n.sum = -1
		n.passed += len(c.by)
		n.held = max(n.held-c.n, 0)
		for i, x := range c.by {
			if x == 0 {
				continue
			}
			l := c.lo + i
			n.done += x
			n.settled += x
			n.leaves += x * n.leaf[l]
			n.share += x * n.leaf[l] * n.shares[l]
			if l == n.wide {
				n.divert(x)
			}
			if l+1 < len(n.tree.Levels) {
				n.ready[l+1] += x * n.tree.Levels[l+1] / n.tree.Levels[l]
				n.lo, n.hi = min(n.lo, l+1), max(n.hi, l+1)
			}
		}
		n.spare = append(n.spare, c.by)
	}
	n.running = append(n.running[:0], n.running[ended:]...)
	if len(n.running) == 0 {
		n.held = 0
	}
}

// divert keeps those of x nodes in their slots that take longer.
func (n *nodes) divert(x float64) {
	for _, l := range n.tree.Long {
		expected := x * l.Part
		k := int(expected)
		if n.draw() < expected-float64(k) {
			k++
		}
		if k == 0 {
			continue
		}
		end := int(n.clock) + max(1, int(math.Round(l.Time.Seconds())))
		n.long[end] += k
		n.longs += k
		n.done -= float64(k)
		n.settled -= float64(k)
	}
}

func (n *nodes) levels(k int) []float64 {
	if last := len(n.spare) - 1; last >= 0 {
		by := n.spare[last]
		n.spare = n.spare[:last]
		if cap(by) >= k {
			by = by[:k]
			clear(by)
			return by
		}
	}
	return make([]float64, k)
}
