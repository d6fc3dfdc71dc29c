package model

import "math/rand/v2"

// walk takes random steps through a world and tells each, with the state that it leads
// to. Where there is nothing left to do it begins anew, at most so many steps in all.
func walk(w *World, seed uint64, steps int, tell func(label, call, *State)) {
	dice := rand.New(rand.NewPCG(seed, 0x6d6f64656c))
	c := &checker{w: w, tracing: true}
	x := State{run: run{posting: true}, left: w.budget}
	c.canonical(&x)
	for range steps {
		type way struct {
			l label
			k call
			x State
		}
		var ways []way
		c.found = func(l label, t *State) {
			u := *t
			c.canonical(&u)
			ways = append(ways, way{l, c.wrote, u})
		}
		c.successors(&x)
		if len(ways) == 0 {
			return
		}
		next := ways[dice.IntN(len(ways))]
		x = next.x
		tell(next.l, next.k, &x)
	}
}
