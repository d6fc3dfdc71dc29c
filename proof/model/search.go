package model

import (
	"hash/maphash"
	"time"
)

// Result is what the search of one world has found.
type Result struct {
	World    string
	States   int
	Steps    int           // transitions, among them those to states seen before
	Depth    int           // steps to the states that are farthest away
	Messages int           // the most at a time
	Time     time.Duration // of the search
	Complete bool          // all that can be reached has been seen
	Crowded  int           // states of which a step was left out, since it needs more messages than a state has room for
	Wrong    string        // what is violated; "" if nothing is
	Trace    []string      // the steps to it: the fewest
}

// search is one breadth-first search. States are known by 64 bits of a hash of their
// bytes: of ten million, one pair is taken for one with a chance of 3 in a million.
type search struct {
	c      *checker
	seed   maphash.Seed
	prints []uint64 // of the states, in the order in which they were found
	from   []uint32 // the state of which it was found
	table  []uint32 // index into prints + 1, by print
	kind   []uint32 // successors by steps that are no faults, state by state
	ends   []uint32 // of each state's successors in kind
	over   []bool   // the run is over, or the state was not looked at
	buf    []byte
	left   [faults]uint8 // of the state whose steps are made
	next   []byte        // the states found in this level
	steps  int
}

// Check searches a world, or its version with bugs.
func Check(w *World, bugs Bug) Result {
	w.build()
	s := &search{c: &checker{w: w, bugs: bugs}, seed: maphash.MakeSeed(), table: make([]uint32, 1<<16)}
	s.c.to = s
	began := time.Now()
	r := s.run()
	r.World, r.Time = w.Name, time.Since(began)
	return r
}

func (s *search) start() State {
	return State{run: run{posting: true}, left: s.c.w.budget}
}

func (s *search) run() (r Result) {
	c := s.c
	first := s.start()
	s.add(&first, 0)
	level := append([]byte(nil), s.buf...)
	bad, step := -1, false
	var why string
	for len(level) > 0 && bad < 0 && (c.w.Limit == 0 || len(s.prints) < c.w.Limit) {
		r.Depth++
		s.next = s.next[:0]
		in := codec{buf: level, reading: true}
		for in.at < len(level) && bad < 0 {
			var x State
			id := len(s.ends)
			in.state(c.w, &x)
			r.Messages = max(r.Messages, x.messages())
			c.bad, c.overflow = "", false
			if c.invariants(&x); c.bad != "" {
				bad, why = id, c.bad
				break
			}
			s.left = x.left
			c.successors(&x)
			if c.overflow {
				r.Crowded++
			}
			s.ends = append(s.ends, uint32(len(s.kind)))
			s.over = append(s.over, c.overflow || x.run.state.over() && (!c.w.Past || x.drained()))
			if c.bad != "" {
				bad, why, step = id, c.bad, true
			}
		}
		level, s.next = s.next, level
	}
	r.Steps = s.steps
	r.States, r.Complete = len(s.prints), bad < 0 && len(level) == 0
	if bad < 0 {
		if bad = s.stuck(); bad >= 0 {
			why = "I1: the run can not end any more, whatever goes well from here"
			if c.w.Past {
				why = "the run is over or not, and from here its messages never go away"
			}
		}
	}
	if bad >= 0 {
		r.Wrong, r.Trace = why, s.trace(uint32(bad), step)
	}
	return r
}

// reached notes a state that a step has led to, of the state under view.
func (s *search) reached(x *State) {
	s.steps++
	to, fresh := s.add(x, uint32(len(s.ends)))
	if fresh {
		s.next = append(s.next, s.buf...)
	}
	if x.left == s.left {
		s.kind = append(s.kind, to)
	}
}

// add notes a state, and leaves its bytes in buf.
func (s *search) add(x *State, from uint32) (id uint32, fresh bool) {
	s.c.canonical(x)
	out := codec{buf: s.buf[:0]}
	out.state(s.c.w, x)
	s.buf = out.buf
	hash := maphash.Bytes(s.seed, s.buf)
	mask := uint64(len(s.table) - 1)
	at := hash & mask
	for ; s.table[at] != 0; at = (at + 1) & mask {
		if id := s.table[at] - 1; s.prints[id] == hash {
			return id, false
		}
	}
	s.prints, s.from = append(s.prints, hash), append(s.from, from)
	s.table[at] = uint32(len(s.prints))
	if 2*len(s.prints) > len(s.table) {
		s.rehash()
	}
	return uint32(len(s.prints) - 1), true
}

func (s *search) rehash() {
	s.table = make([]uint32, 2*len(s.table))
	mask := uint64(len(s.table) - 1)
	for id, hash := range s.prints {
		at := hash & mask
		for s.table[at] != 0 {
			at = (at + 1) & mask
		}
		s.table[at] = uint32(id + 1)
	}
}

// stuck is the first state from which the run cannot end by steps that are no faults,
// or -1. States that the search has not gone on from are taken for good.
func (s *search) stuck() int {
	good := make([]bool, len(s.prints))
	for id := range good {
		good[id] = id >= len(s.over) || s.over[id]
	}
	for changed := true; changed; {
		changed = false
		for id := len(s.ends) - 1; id >= 0; id-- {
			if good[id] {
				continue
			}
			from := uint32(0)
			if id > 0 {
				from = s.ends[id-1]
			}
			for _, to := range s.kind[from:s.ends[id]] {
				if good[to] {
					good[id], changed = true, true
					break
				}
			}
		}
	}
	for id := range good {
		if !good[id] {
			return id
		}
	}
	return -1
}

// trace makes the steps to a state again, in words; step: and the one from there that
// violates something.
func (s *search) trace(id uint32, step bool) (lines []string) {
	var way []uint32
	for at := id; at != 0; at = s.from[at] {
		way = append(way, at)
	}
	c := s.c
	c.tracing = true
	defer func() { c.tracing, c.found = false, nil }()
	x := s.start()
	for i := len(way) - 1; i >= 0; i-- {
		now := x
		done := false
		c.found = func(l label, t *State) {
			if done {
				return
			}
			u := *t
			c.canonical(&u)
			out := codec{}
			out.state(c.w, &u)
			if maphash.Bytes(s.seed, out.buf) == s.prints[way[i]] {
				// As it will be read: without what does not matter.
				x, done = State{}, true
				in := codec{buf: out.buf, reading: true}
				in.state(c.w, &x)
				lines = append(lines, c.labelText(l))
			}
		}
		c.successors(&now)
	}
	if step {
		c.bad = ""
		last := ""
		c.found = func(l label, _ *State) {
			if c.bad != "" && last == "" {
				last = c.labelText(l)
			}
		}
		c.successors(&x)
		lines = append(lines, last+" (and this is wrong)")
	}
	return lines
}

func (s *State) messages() (n int) {
	for n < maxMsgs && s.msgs[n].op != opNone {
		n++
	}
	return n
}

// drained reports whether nothing is on the queue but what people are to see to.
func (s *State) drained() bool { return s.messages() == 0 }
