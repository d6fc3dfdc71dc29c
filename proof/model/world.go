package model

import (
	"fmt"
	"strings"
)

// Sizes that a state is made for; a configuration that needs more is refused.
const (
	maxPIDs    = 16
	maxEpochs  = 3
	maxMsgs    = 14
	maxWorkers = 3
	maxKins    = 7  // sweeps, and dead letters that are gone on with, of which messages are about; 0 is none
	maxNames   = 16 // an account counts each node in 2 bits of 32
)

const (
	none    = 0xff // no pid, no name, no message
	reduced = 0    // the outcome of a second step without children
)

type (
	pid   = uint8 // a place, or the second step of what is there: its records' key
	name  = uint8 // a node, as people know it
	slots = uint8 // a set of slots of a plan
)

// outcome is one thing that an attempt may come to. Attempts at one node may differ:
// what they find has changed, or they did more inline.
type outcome struct {
	own    account // what was done in the unit, the node itself included
	kids   []name  // what is left
	closed bool    // the second step is taken, or given up: no reduce follows the plan
	group  bool    // it is no outcome, but a page of the children of a wide node
}

// node is what is known of a name.
type node struct {
	name     string
	process  []uint8 // outcomes of its attempts
	second   []uint8 // of its second step, if it may have children (processor.Sequel)
	fallback uint8   // the outcome in place of a tomb (processor.Fallback); none
	reduces  bool
	group    bool
}

// place is where something hangs: all records are kept by it, not by name.
type place struct {
	up     pid   // the plan above; none for the root
	slot   uint8 // in that plan
	second pid   // the second step of what is here; none
	of     pid   // of a second step: the place; none
}

// World is one configuration: a tree, and the faults that may meet it.
type World struct {
	Name, About string

	// Tree says what attempts may come to, one node a line, the root first:
	//
	//	b = b > c d | b c > d   one attempt does b and leaves c and d, another does c inline
	//	b ~ b > c               b reduces when all below it has settled
	//	b ' b > e | b           what that second step may come to; b itself is not counted twice
	//	b ? > f                 what becomes of b when it is given up
	//	g # > c d               a page of a wide node's children
	//
	// A name without a line is a leaf.
	Tree string

	Fails    string // names of nodes that may fail
	Reduces  string // names of nodes whose second step may fail
	Retries  uint8  // failures before a node is given up
	Epochs   uint8  // 2: the run may be redriven once
	Workers  int    // 2, where it is 0
	PutOffs  uint8  // receives after which a message is sent anew; 0: never
	Max      int    // faults at a time, of all kinds; 0: as many as the budget has
	Budget   map[Fault]uint8
	Commits  bool // the sink's commit is a step of its own
	Past     bool // the search goes on after the end of the run, until all is drained
	Stale    bool // a worker may believe that the run is as it was
	Doubtful bool // deliveries may lie about being the first: orphans may be left (docs/state-machine.md)
	Most     int  // messages there may be at a time; 0: as many as a state holds
	Limit    int  // states after which the search ends; 0: when all are seen

	budget   [faults]uint8
	nodes    []node
	outcomes []outcome
	places   []place
	fails    uint32 // by name
	failsRed uint32
	whole    []uint32 // of each name, the nodes in its subtree, if all attempts agree on them
	rest     []uint32 // of each name, those below its second step
	fixed    bool     // all agree
}

func (w *World) index(text string) name {
	for i := range w.nodes {
		if w.nodes[i].name == text {
			return name(i)
		}
	}
	w.nodes = append(w.nodes, node{name: text, fallback: none})
	return name(len(w.nodes) - 1)
}

func (w *World) set(names string) (set uint32) {
	for text := range strings.FieldsSeq(names) {
		set |= 1 << w.index(text)
	}
	return set
}

// parse reads the tree.
func (w *World) parse() {
	w.nodes, w.places = nil, nil
	w.outcomes = []outcome{{own: account{reduces: 1}}} // reduced
	for line := range strings.Lines(w.Tree) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n := w.index(f[0])
		var list []uint8
		for text := range strings.SplitSeq(strings.Join(f[2:], " "), "|") {
			own, kids, _ := strings.Cut(text, ">")
			var o outcome
			for text := range strings.FieldsSeq(own) {
				o.own.nodes += once(w.index(text))
			}
			for text := range strings.FieldsSeq(kids) {
				o.kids = append(o.kids, w.index(text))
			}
			list = append(list, w.add(o))
		}
		switch f[1] {
		case "=", "~":
			w.nodes[n].process, w.nodes[n].reduces = list, f[1] == "~"
		case "'":
			w.nodes[n].second = list
			for _, i := range list {
				w.outcomes[i].own = account{reduces: 1}
			}
		case "?":
			w.nodes[n].fallback = list[0]
			w.outcomes[list[0]].closed = true
		case "#":
			w.nodes[n].process, w.nodes[n].group = list, true
			w.outcomes[list[0]].group = true
		default:
			panic(fmt.Sprintf("world %s: line %q is none", w.Name, line))
		}
	}
	w.fails, w.failsRed = w.set(w.Fails), w.set(w.Reduces)
	for n := range w.nodes {
		if len(w.nodes[n].process) == 0 {
			w.nodes[n].process = []uint8{w.add(outcome{own: account{nodes: once(name(n))}})}
		}
		if w.nodes[n].reduces {
			w.nodes[n].process = w.reduceLeaves(w.nodes[n])
		}
	}
}

// reduceLeaves has attempts that find no children take the second step at once.
func (w *World) reduceLeaves(n node) (list []uint8) {
	for _, i := range n.process {
		o := w.outcomes[i]
		switch {
		case len(o.kids) > 0:
			list = append(list, i)
		case len(n.second) == 0:
			o.own.reduces++
			list = append(list, w.add(o))
		default:
			for _, j := range n.second {
				list = append(list, w.add(outcome{own: o.own.add(w.outcomes[j].own), kids: w.outcomes[j].kids, closed: true}))
			}
		}
	}
	return list
}

func (w *World) add(o outcome) uint8 {
	w.outcomes = append(w.outcomes, o)
	return uint8(len(w.outcomes) - 1)
}

// build makes ready what the search looks up.
func (w *World) build() *World {
	w.parse()
	if w.Workers == 0 {
		w.Workers = 2
	}
	w.Epochs = max(w.Epochs, 1)
	if w.Most == 0 {
		w.Most = maxMsgs
	}
	for f, n := range w.Budget {
		w.budget[f] = n
	}
	root := w.place(none, 0)
	w.grow(root, 0, map[[2]uint8]bool{})
	w.whole, w.rest = make([]uint32, len(w.nodes)), make([]uint32, len(w.nodes))
	w.fixed = true
	w.measure(0)
	if len(w.places) > maxPIDs || len(w.nodes) > maxNames || len(w.outcomes) > 32 || w.Workers > maxWorkers || w.Epochs > maxEpochs || w.Most > maxMsgs {
		panic(fmt.Sprintf("world %s is too big: %d places, %d nodes, %d outcomes", w.Name, len(w.places), len(w.nodes), len(w.outcomes)))
	}
	return w
}

func (w *World) place(up pid, slot uint8) pid {
	for p := range w.places {
		if w.places[p].up == up && w.places[p].slot == slot && w.places[p].of == none {
			return pid(p)
		}
	}
	w.places = append(w.places, place{up: up, slot: slot, second: none, of: none})
	return pid(len(w.places) - 1)
}

// grow makes the places below a place that may hold a node.
func (w *World) grow(p pid, n name, seen map[[2]uint8]bool) {
	if seen[[2]uint8{p, n}] {
		return
	}
	seen[[2]uint8{p, n}] = true
	below := func(p pid, list []uint8) {
		for _, i := range list {
			for slot, kid := range w.outcomes[i].kids {
				w.grow(w.place(p, uint8(slot)), kid, seen)
			}
		}
	}
	below(p, w.nodes[n].process)
	if f := w.nodes[n].fallback; f != none {
		below(p, []uint8{f})
	}
	if w.nodes[n].reduces && w.places[p].second == none {
		w.places = append(w.places, place{up: w.places[p].up, slot: w.places[p].slot, second: none, of: p})
		w.places[p].second = pid(len(w.places) - 1)
	}
	if s := w.places[p].second; s != none {
		below(s, w.nodes[n].second)
	}
}

// measure counts the nodes in a subtree, if all that attempts may come to agree.
func (w *World) measure(n name) uint32 {
	sum := func(list []uint8) (all uint32) {
		for k, i := range list {
			o := w.outcomes[i]
			total := o.own.nodes
			for _, kid := range o.kids {
				total += w.measure(kid)
			}
			w.fixed = w.fixed && (k == 0 || total == all)
			all = total
		}
		return all
	}
	w.rest[n] = sum(w.nodes[n].second)
	var all uint32
	for k, i := range w.nodes[n].process {
		o := w.outcomes[i]
		total := o.own.nodes
		for _, kid := range o.kids {
			total += w.measure(kid)
		}
		if w.nodes[n].reduces && !o.closed {
			total += w.rest[n]
		}
		w.fixed = w.fixed && (k == 0 || total == all)
		all = total
	}
	w.fixed = w.fixed && w.nodes[n].fallback == none
	w.whole[n] = all
	return all
}
