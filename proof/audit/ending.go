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

// found is what the walk down a run tells of.
type found struct {
	counts func(unit)                                  // a unit whose results count
	failed func(id string, reduce bool)                // a node was given up, or its second step
	fell   func(id string, kids []string, reduce bool) // or that has become of it
	lost   func(id string)                             // a slot has not settled
}

// walk goes down what has settled of a run: through slots that settled through a plan,
// to leaves and tombs.
func (m *model) walk(f found) {
	root := schema.PIDOf(m.run.ID, schema.Place{})
	switch {
	case m.run.Via:
		m.descend(root, m.run.Root, m.run.State == ledger.Failed, f)
	case m.run.State == ledger.Failed:
		f.failed(m.run.Root.ID, false)
	default:
		f.counts(unit{pid: root, leaf: true})
	}
}

func (m *model) descend(pid schema.PID, node ledger.Kid, fails bool, f found) {
	p, ok := m.plans[pid]
	if !ok {
		f.lost(node.ID)
		return
	}
	_, sequel := tree.Reduces(node.Kind)
	some := m.children(p, node.ID, false, f)
	switch {
	case p.Reduce && sequel && !some:
		m.descendSecond(schema.ReducePID(pid), node.ID, f)
	case p.Reduce && !fails:
		f.counts(unit{pid: schema.ReducePID(pid), leaf: true})
	case fails && !some && p.Type == ledger.Live:
		f.failed(node.ID, true)
	}
}

// descendSecond goes down what the second step of a node has come to.
func (m *model) descendSecond(pid schema.PID, id string, f found) {
	switch r, ok := m.plans[pid]; {
	case !ok:
		f.lost(id)
	case r.Type == ledger.Tomb:
		f.failed(id, true)
	case r.Type == ledger.Leaf:
		f.counts(unit{pid: pid, leaf: true})
	default:
		m.children(r, id, true, f)
	}
}

// children goes down the children of a plan, and reports whether one has failed.
func (m *model) children(p ledger.Plan, id string, second bool, f found) (some bool) {
	if p.Type == ledger.Live {
		f.counts(unit{pid: p.PID, attempt: p.Attempt})
		if m.left(p) != "" {
			f.fell(id, m.kids(p), second)
		}
	}
	for slot, kid := range p.Kids {
		t := m.newest(p.PID, slot)
		child := m.nodeAt(schema.Place{Parent: p.PID, Slot: slot})
		switch {
		case t == nil:
			f.lost(kid.ID)
		case t.Via.Has(slot):
			m.descend(child, kid, t.Fail.Has(slot), f)
		case t.Fail.Has(slot):
			f.failed(kid.ID, false)
		default:
			f.counts(unit{pid: child, leaf: true})
		}
		some = some || t != nil && t.Fail.Has(slot)
	}
	return some
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
	a.model.walk(found{
		counts: func(unit) {}, failed: func(string, bool) {}, fell: func(string, []string, bool) {},
		lost: func(id string) { a.bad("I3: the run is over, and node %s has not settled", id) },
	})
}

// outcome is what a run that is over has come to.
type outcome struct {
	units          map[unit]bool
	nodes, reduces map[string]counted  // by name
	gone, stuck    map[string]bool     // nodes that were given up; those whose second step was
	fell, fellLast map[string][]string // what has become of a node, or of its second step, that was given up
}

// counted is a call of a processor whose results count.
type counted struct {
	serial, rows int
}

// ending audits what a run that is over has come to.
func (a *auditor) ending() {
	r := a.model.run
	if r.State != ledger.Finished && r.State != ledger.Failed {
		return
	}
	o := &outcome{
		units: map[unit]bool{}, nodes: map[string]counted{}, reduces: map[string]counted{},
		gone: map[string]bool{}, stuck: map[string]bool{}, fell: map[string][]string{}, fellLast: map[string][]string{},
	}
	a.model.walk(found{
		counts: func(u unit) {
			o.units[u] = true
			a.rows(u, o.nodes, o.reduces)
		},
		failed: func(id string, reduce bool) {
			if reduce {
				o.stuck[tree.Path(id)] = true
			} else {
				o.gone[tree.Path(id)] = true
			}
		},
		fell: func(id string, kids []string, reduce bool) {
			if reduce {
				o.fellLast[tree.Path(id)] = kids
			} else {
				o.fell[tree.Path(id)] = kids
			}
		},
		lost: func(id string) { a.bad("I1: node %s has not settled at the end", id) },
	})

	var sum schema.Account
	for _, c := range o.nodes {
		sum = sum.Add(a.calls[c.serial].account).Add(schema.Account{Nodes: 1})
	}
	for _, c := range o.reduces {
		sum = sum.Add(a.calls[c.serial].account).Add(schema.Account{Reduces: 1})
	}
	sum.Failures = int64(len(o.gone) + len(o.stuck))
	if r.Totals != sum {
		a.bad("I2: the totals are %+v, the results that count come to %+v", r.Totals, sum)
	}
	if (r.State == ledger.Failed) != (sum.Failures > 0) {
		a.bad("I3: the run is %s, with %d nodes given up", r.State, sum.Failures)
	}
	a.listed(o)
	a.mourned(o)
	a.revealed(o)
	a.reduced(o)
	a.graphs(o)
}

// listed asks whether the ledger names the same units and failures to whoever makes
// something of the run.
func (a *auditor) listed(o *outcome) {
	if a.Listed == nil {
		return
	}
	units, failures, err := a.Listed()
	if err != nil {
		a.bad("I1: the ledger cannot say what counts: %v", err)
		return
	}
	seen := map[unit]bool{}
	for _, u := range units {
		is := unit{pid: u.PID, attempt: u.Attempt, leaf: u.Leaf}
		if seen[is] || !o.units[is] {
			a.bad("I2: the ledger says that a unit of node %s counts, which does not, or did already", tree.Path(u.Kid.ID))
		}
		seen[is] = true
	}
	if len(seen) < len(o.units) {
		a.bad("I1: the ledger says that %d units count, want %d", len(seen), len(o.units))
	}
	for _, f := range failures {
		if id := tree.Path(f.ID); !o.gone[id] && !o.stuck[id] {
			a.bad("I3: the ledger says that node %s was given up, which was not", id)
		}
	}
	if n := len(o.gone) + len(o.stuck); len(failures) != n {
		a.bad("I3: the ledger says that %d nodes were given up, want %d", len(failures), n)
	}
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
func (a *auditor) revealed(o *outcome) {
	known := map[string]string{"0": ""}
	reveal := func(by string, kids []string) {
		for _, kid := range kids {
			if other, twice := known[kid]; twice {
				a.bad("the tree is wrong: node %s is revealed by %s and %s", kid, other, by)
			}
			known[kid] = by
		}
	}
	for what, some := range map[string]map[string]counted{"node": o.nodes, "the reduce of node": o.reduces} {
		for id, c := range some {
			if rows := int(a.calls[c.serial].account.Objects); c.rows != rows {
				a.bad("I2: of %s %s %d rows count, it wrote %d", what, id, c.rows, rows)
			}
			reveal(id, a.calls[c.serial].kids)
		}
	}
	for _, some := range []map[string][]string{o.fell, o.fellLast} {
		for id, kids := range some {
			reveal(id, kids)
		}
	}
	for id := range known {
		_, there := o.nodes[id]
		_, fell := o.fell[id]
		switch {
		case there && (o.gone[id] || fell):
			a.bad("I2: node %s counts, and was given up", id)
		case fell && o.gone[id]:
			a.bad("I2: node %s was given up with what became of it, and without", id)
		case !there && !o.gone[id] && !fell:
			a.bad("I1: node %s was revealed by %s and neither counts nor was given up", id, known[id])
		}
	}
	for id := range o.nodes {
		if _, ok := known[id]; !ok {
			a.bad("I2: node %s counts, and no attempt that counts has revealed it", id)
		}
	}
}

// reduced asks whether all that reduce did, once, and were given the sum of all below
// their first step.
func (a *auditor) reduced(o *outcome) {
	below := map[string]schema.Account{}
	bad := map[string]bool{} // a failure is below, in the first part
	var add func(id string) (schema.Account, bool)
	all := func(kids []string) (sum schema.Account, fails bool) {
		for _, kid := range kids {
			s, f := add(kid)
			sum, fails = sum.Add(s), fails || f
		}
		return sum, fails
	}
	add = func(id string) (schema.Account, bool) {
		c, there := o.nodes[id]
		if !there {
			sum, fails := all(o.fell[id])
			return sum, fails || o.gone[id]
		}
		sum, fails := all(a.calls[c.serial].kids)
		sum = sum.Add(a.calls[c.serial].account).Add(schema.Account{Nodes: 1})
		below[id], bad[id] = sum, fails
		if r, ok := o.reduces[id]; ok {
			more, f := all(a.calls[r.serial].kids)
			sum, fails = sum.Add(a.calls[r.serial].account).Add(schema.Account{Reduces: 1}).Add(more), fails || f
		}
		more, f := all(o.fellLast[id])
		return sum.Add(more), fails || f || o.stuck[id]
	}
	add("0")
	for id, c := range o.reduces {
		if given := a.calls[c.serial].given; given != below[id] {
			a.bad("I4: node %s was reduced with %+v, all below it comes to %+v", id, given, below[id])
		}
		if bad[id] {
			a.bad("I4: node %s was reduced, and something below it has failed", id)
		}
	}
	for id, c := range o.nodes {
		_, did := o.reduces[id]
		_, fell := o.fellLast[id]
		reduces, _ := tree.Reduces(a.calls[c.serial].kind)
		if ends := did || fell || o.stuck[id]; reduces && !bad[id] && !ends {
			a.bad("I4: node %s was not reduced", id)
		}
		if did && (fell || o.stuck[id]) {
			a.bad("I4: node %s was reduced, and its reduce was given up", id)
		}
	}
}

// graphs asks whether each vertex that can be reached counts once, and by its shortest
// way where that is wanted.
func (a *auditor) graphs(o *outcome) {
	if len(o.gone) > 0 {
		return // what lies behind them waits
	}
	firsts, nearest := map[string]map[int]int{}, map[string]map[int]int{}
	for id := range o.nodes {
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
