package s3crawl

import (
	"math"
	"slices"
	"sort"
	"strings"
)

const (
	worthStep  = 40   // keys; less is added to the step before
	hope       = 4    // times what is known is expected at most where keys have not forked yet
	doubt      = 0.05 // added to the part of the keys that was listed: it may be a small one by chance
	blindPart  = 0.5  // of a page is expected where nothing speaks for it, and more
	firstBlind = 3    // times as much at first,
	firstPages = 15   // for about so many pages
	certain    = 0.1  // of the keys: with so many more expected at a level, none is tried blindly
	leastGap   = 0.005
)

// forecast makes the steps of a piece from what is known now. At each level of
// the last key, the bytes that may still follow are taken to have as many keys as
// they usually have beside those that were listed.
func (s *splitter) forecast(p *piece) {
	lo, hi, g := p.after, p.until, &p.guess
	floor := s.trie.base
	if hi != "" {
		floor = max(floor, common(lo, hi))
	}
	at := positions(lo)
	f := forecast{hi: hi, steps: g.steps[:0]}
	path := s.trie.path(lo)
	for i := min(len(lo), s.trie.base+len(path)) - 1; i >= floor; i-- {
		n := path[i-s.trie.base]
		top := 256
		if hi != "" && i == floor && i < len(hi) {
			top = int(hi[i])
		}
		s.level(&f, n, lo[:i], at[i], int(lo[i]), top)
	}
	f.temper()
	f.explore(lo, s.trie.base, s.faith(blind)*blindPart*pageKeys*(1+firstBlind*math.Exp(-s.pages/firstPages)))
	g.steps, g.left = f.steps, pageKeys
	for _, st := range g.steps {
		g.left += st.keys
	}
}

// level adds the steps at one level: to the node q, by the bytes between b and top.
func (s *splitter) level(f *forecast, n *node, q string, at position, b, top int) {
	h, by := s.trie.habits.find(q, at, &n.next)
	g := gap{before: len(f.steps), level: len(q), top: top, weight: 1}
	if h == nil {
		f.gaps = append(f.gaps, g)
		return
	}
	forked := n.next.len() >= 2
	e := s.expect(h, n, at, b, top)
	fork := 1.0
	if !forked {
		fork = h.fork()
	}
	// Whether keys fork is nothing that all strings have in common.
	if forked || by > 0 {
		per := n.keys / (e.listed + doubt) * fork * s.faith(by)
		for c := b + 1; c < top; c++ {
			if part := e.part(c); part > 0 {
				f.add(q, c, per*part, by, !forked)
			}
		}
		if !forked {
			f.known = max(f.known, n.keys)
		}
		if fork*e.rest > certain {
			return
		}
	}
	g.weight = leastGap + h.fork()*max(certain, fork*e.rest)
	f.gaps = append(f.gaps, g)
}

// expectation is how a habit shares out the keys of a node: the part that was
// listed, the rest, and the part of each byte.
type expectation struct {
	habit        *habit
	node         *node
	place        *place
	wide         float64 // how much more bytes follow the node than others at its place
	listed, rest float64
}

func (s *splitter) expect(h *habit, n *node, at position, b, top int) expectation {
	e := expectation{habit: h, node: n, place: s.trie.places[at], wide: 1}
	found, usual := 0.5, 0.5
	for c := range 256 {
		switch {
		case n.next.has(byte(c)):
			found++
			usual += e.place.likely(c)
		case e.place != nil && e.place.present[c] > 0 && n.none.has(byte(c)):
			usual += e.place.likely(c)
		}
	}
	e.wide = found / usual
	for c := range 256 {
		if c <= b || c >= top && n.next.has(byte(c)) {
			e.listed += h.of(c)
		} else if c < top {
			e.rest += e.part(c)
		}
	}
	return e
}

// part is the part of the node's keys that is expected to go on with a byte.
func (e *expectation) part(c int) float64 {
	if e.habit.share[c] == 0 || e.node.none.has(byte(c)) {
		return 0
	}
	return e.habit.of(c) * min(1, e.place.likely(c)*e.wide)
}

// forecast collects the steps of one piece, in the order of their strings.
type forecast struct {
	hi    string
	steps []step
	gaps  []gap   // levels of which little or nothing is known
	hopes []int   // steps at levels at which all keys go on with one byte, so far
	hoped float64 // their keys
	known float64 // most keys of such a level
}

// add expects keys that begin with q and the byte b.
func (f *forecast) add(q string, b int, keys float64, k kind, hope bool) {
	i := len(f.steps) - 1
	if keys < worthStep && i >= 0 {
		f.steps[i].keys += keys
	} else if st, ok := f.step(q+string([]byte{byte(b)}), keys, k); ok {
		f.steps = append(f.steps, st)
		i++
	}
	if hope && i >= 0 {
		f.hoped += keys
		if n := len(f.hopes); n == 0 || f.hopes[n-1] != i {
			f.hopes = append(f.hopes, i)
		}
	}
}

// step is a step at the first valid string from s on, if one lies before the bound.
func (f *forecast) step(s string, keys float64, k kind) (step, bool) {
	at, ok := validBound(s)
	if !ok || f.hi != "" && at >= f.hi {
		return step{}, false
	}
	return step{at, keys, k}, true
}

// temper bounds what is hoped for: a long key has many levels, and at each some
// hope is well founded, but not at all of them together.
func (f *forecast) temper() {
	if most := hope * f.known; f.hoped > most {
		for _, i := range f.hopes {
			f.steps[i].keys *= most / f.hoped
		}
	}
}

// starts are first bytes of keys to try at the top of a whole bucket: what
// people begin names with, and the first characters of a few scripts.
var starts = []string{"!", "0", "5", "A", "M", "a", "e", "i", "m", "q", "t", "w", "\x7f", "à", "Ѐ", "一", "\U00010000"}

// gap is a level of a key at which little is known of other bytes.
type gap struct {
	before int // steps that come before those to be made
	level  int
	top    int // the byte that the level ends at
	weight float64
}

// explore puts steps where little is known: at each gap behind the byte of lo, and
// at the top of the bucket at several strings.
func (f *forecast) explore(lo string, base int, keys float64) {
	if len(f.gaps) == 0 {
		return
	}
	sum := 0.0
	for _, g := range f.gaps {
		sum += g.weight
	}
	known, done := f.steps, 0
	f.steps = make([]step, 0, len(known)+len(f.gaps)+len(starts))
	for _, g := range f.gaps {
		f.steps = append(f.steps, known[done:g.before]...)
		done = g.before
		if g.level == base && g.top == 256 {
			f.gallop(lo, g.level, keys*g.weight/sum)
		} else if b := int(lo[g.level]) + 1; b < g.top {
			if st, ok := f.step(lo[:g.level]+string([]byte{byte(b)}), keys*g.weight/sum, blind); ok {
				f.steps = append(f.steps, st)
			}
		}
	}
	f.steps = append(f.steps, known[done:]...)
	slices.SortStableFunc(f.steps, func(a, b step) int { return strings.Compare(a.at, b.at) })
}

func (f *forecast) gallop(lo string, i int, keys float64) {
	from := sort.SearchStrings(starts, lo[i:])
	for _, s := range starts[from:] {
		if st, ok := f.step(lo[:i]+s, keys/float64(len(starts)-from), blind); ok && st.at > lo {
			f.steps = append(f.steps, st)
		}
	}
}

// refine makes several steps of one, by the bytes that usually follow.
func (s *splitter) refine(g *guess, i int, hi string) bool {
	st := g.steps[i]
	h, _ := s.trie.habits.find(st.at, positionOf(st.at), &set{})
	if st.kind == blind || h == nil {
		return false
	}
	f := forecast{hi: hi}
	for b := range 256 {
		if h.share[b] > 0 {
			f.add(st.at, b, st.keys*h.of(b), st.kind, false)
		}
	}
	if len(f.steps) < 2 {
		return false
	}
	f.steps[0].at = st.at
	g.steps = slices.Replace(g.steps, i, i+1, f.steps...)
	return true
}
