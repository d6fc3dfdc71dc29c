package audit

import (
	"strconv"
	"strings"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/proof/tree"
	"github.com/ramify/ramify/schema"
)

// unit is what counts of a node.
type unit struct {
	pid     schema.PID
	attempt uint64
	leaf    bool
}

// walk goes down what has settled of a run: through slots that settled through a plan,
// to leaves and tombs. lost is told of a slot that has not settled.
func (m *model) walk(counts func(unit), failed func(id string, reduce bool), lost func(id string)) {
	root := schema.PIDOf(m.run.ID, schema.Place{})
	switch {
	case m.run.Via:
		m.descend(root, m.run.Root.ID, m.run.State == ledger.Failed, counts, failed, lost)
	case m.run.State == ledger.Failed:
		failed(m.run.Root.ID, false)
	default:
		counts(unit{pid: root, leaf: true})
	}
}

func (m *model) descend(pid schema.PID, id string, fails bool, counts func(unit), failed func(string, bool), lost func(string)) {
	p, ok := m.plans[pid]
	if !ok {
		lost(id)
		return
	}
	if p.Type == ledger.Live {
		counts(unit{pid: pid, attempt: p.Attempt})
	}
	some := false
	for slot, kid := range p.Kids {
		t := m.newest(pid, slot)
		child := m.nodeAt(schema.Place{Parent: pid, Slot: slot})
		switch {
		case t == nil:
			lost(kid.ID)
		case t.Via.Has(slot):
			m.descend(child, kid.ID, t.Fail.Has(slot), counts, failed, lost)
		case t.Fail.Has(slot):
			failed(kid.ID, false)
		default:
			counts(unit{pid: child, leaf: true})
		}
		some = some || t != nil && t.Fail.Has(slot)
	}
	switch {
	case p.Reduce && !fails:
		counts(unit{pid: schema.ReducePID(pid), leaf: true})
	case fails && !some && p.Type == ledger.Live:
		failed(id, true)
	}
}

// newest is the tally of the last epoch in which a slot settled.
func (m *model) newest(pid schema.PID, slot int) *ledger.Tally {
	for e := m.run.Epoch; e >= 0; e-- {
		if t := m.tallies[tallyKey{pid, e}]; t != nil && t.Done.Has(slot) {
			return t
		}
	}
	return nil
}

// whole asks, at the moment at which the run is over, whether all of it has settled.
func (a *auditor) whole() {
	a.model.walk(func(unit) {}, func(string, bool) {}, func(id string) {
		a.bad("I3: the run is over, and node %s has not settled", id)
	})
}

// counted is a call of a processor whose results count.
type counted struct {
	serial, rows int
}

// ending audits what a run that is over has come to.
func (a *auditor) ending() {
	a.last = ""
	r := a.model.run
	if r.State != ledger.Finished && r.State != ledger.Failed {
		return
	}
	nodes, reduces := map[string]counted{}, map[string]counted{}
	gone, unreduced := map[string]bool{}, map[string]bool{}
	a.model.walk(func(u unit) { a.rows(u, nodes, reduces) }, func(id string, reduce bool) {
		if reduce {
			unreduced[short(id)] = true
		} else {
			gone[short(id)] = true
		}
	}, func(id string) { a.bad("I1: node %s has not settled at the end", id) })

	var sum schema.Account
	for _, c := range nodes {
		sum = sum.Add(a.calls[c.serial].account).Add(schema.Account{Nodes: 1})
	}
	for _, c := range reduces {
		sum = sum.Add(a.calls[c.serial].account).Add(schema.Account{Reduces: 1})
	}
	sum.Failures = int64(len(gone) + len(unreduced))
	if r.Totals != sum {
		a.bad("I2: the totals are %+v, the results that count come to %+v", r.Totals, sum)
	}
	if (r.State == ledger.Failed) != (sum.Failures > 0) {
		a.bad("I3: the run is %s, with %d nodes given up", r.State, sum.Failures)
	}
	a.revealed(nodes, gone)
	a.reduced(nodes, reduces, gone, unreduced)
	a.graphs(nodes, gone)
}

// rows takes up the rows of a unit that counts: each says of which call it is.
func (a *auditor) rows(u unit, nodes, reduces map[string]counted) {
	for _, row := range a.Rows(u.pid, u.attempt, u.leaf) {
		part := strings.Fields(row)
		serial, err := strconv.Atoi(part[1])
		if err != nil {
			a.bad("I2: a row is %q", row)
			continue
		}
		into, id := nodes, part[0]
		if rest, ok := strings.CutPrefix(id, "reduce:"); ok {
			into, id = reduces, rest
		}
		c, there := into[id]
		switch {
		case a.calls[serial] == nil || a.calls[serial].id != id || !a.calls[serial].ok:
			a.bad("I2: a row counts that no attempt which succeeded has written: %q", row)
			continue
		case !there:
			c.serial = serial
		case c.serial != serial:
			a.bad("I2: of node %s two attempts count, #%d and #%d", id, c.serial, serial)
		}
		c.rows++
		into[id] = c
	}
}

// revealed compares what counts with what the attempts that count have revealed.
func (a *auditor) revealed(nodes map[string]counted, gone map[string]bool) {
	known := map[string]string{"0": ""}
	for id, c := range nodes {
		if rows := int(a.calls[c.serial].account.Objects); c.rows != rows {
			a.bad("I2: of node %s %d rows count, it wrote %d", id, c.rows, rows)
		}
		for _, kid := range a.calls[c.serial].kids {
			if by, twice := known[kid]; twice {
				a.bad("the tree is wrong: node %s is revealed by %s and %s", kid, by, id)
			}
			known[kid] = id
		}
	}
	for id := range known {
		_, there := nodes[id]
		switch {
		case there && gone[id]:
			a.bad("I2: node %s counts, and was given up", id)
		case !there && !gone[id]:
			a.bad("I1: node %s was revealed by %s and neither counts nor was given up", id, known[id])
		}
	}
	for id := range nodes {
		if _, ok := known[id]; !ok {
			a.bad("I2: node %s counts, and no attempt that counts has revealed it", id)
		}
	}
}

// reduced asks whether all that reduce did, once, and were given the sum of all below.
func (a *auditor) reduced(nodes, reduces map[string]counted, gone, unreduced map[string]bool) {
	below := map[string]schema.Account{}
	bad := map[string]bool{} // a failure is below
	var add func(id string) (schema.Account, bool)
	add = func(id string) (schema.Account, bool) {
		c, there := nodes[id]
		if !there {
			return schema.Account{}, true
		}
		sum, fails := a.calls[c.serial].account.Add(schema.Account{Nodes: 1}), false
		for _, kid := range a.calls[c.serial].kids {
			s, f := add(kid)
			sum, fails = sum.Add(s), fails || f
		}
		below[id], bad[id] = sum, fails || unreduced[id]
		if r, ok := reduces[id]; ok {
			sum = sum.Add(a.calls[r.serial].account).Add(schema.Account{Reduces: 1})
		}
		return sum, bad[id]
	}
	add("0")
	for id, c := range reduces {
		if given := a.calls[c.serial].given; given != below[id] {
			a.bad("I4: node %s was reduced with %+v, all below it comes to %+v", id, given, below[id])
		}
		if bad[id] {
			a.bad("I4: node %s was reduced, and something below it has failed", id)
		}
	}
	for id, c := range nodes {
		if _, did := reduces[id]; a.calls[c.serial].kind == tree.Summed && !did && !bad[id] && !gone[id] {
			a.bad("I4: node %s was not reduced", id)
		}
	}
}

// graphs asks whether each vertex that can be reached counts once, and by its shortest
// way where that is wanted.
func (a *auditor) graphs(nodes map[string]counted, gone map[string]bool) {
	if len(gone) > 0 {
		return // what lies behind them waits
	}
	firsts, nearest := map[string]map[int]int{}, map[string]map[int]int{}
	for id := range nodes {
		walk, v, depth, again, ok := tree.Vertex(id)
		if !ok {
			continue
		}
		if firsts[walk] == nil {
			firsts[walk], nearest[walk] = map[int]int{0: 1}, map[int]int{0: 0}
		}
		if !again {
			firsts[walk][v]++
		}
		if d, ok := nearest[walk][v]; !ok || depth < d {
			nearest[walk][v] = depth
		}
	}
	for walk := range firsts {
		for v, steps := range a.Shape.Steps(walk) {
			if n := firsts[walk][v]; n != 1 {
				a.bad("I2: vertex %d of walk %s counts %d times", v, walk, n)
			}
			if d := nearest[walk][v]; a.Shape.Nearer && d != steps {
				a.bad("I2: vertex %d of walk %s was reached in %d steps, want %d", v, walk, d, steps)
			}
		}
	}
}

func short(id string) string {
	p, _, _ := strings.Cut(id, ":")
	return p
}
