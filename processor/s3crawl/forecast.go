package s3crawl

import "math"

// forecast makes the steps of a piece from what is known now.
func (s *splitter) forecast(p *piece) {
	lo, hi, g := p.after, p.until, &p.guess
	floor := s.base
	if hi != "" {
		floor = max(floor, common(lo, hi))
	}
	at := positions(lo)
	f := forecast{hi: hi, steps: g.steps[:0]}
	var (
		digits set     // alphabet of the numbers to the right, if they reach here
		below  float64 // keys expected under lo[:i+1], as far as numbers reach
		capped = 16.0
		gaps   []gap // levels of which nothing is known
	)
	for i := len(lo) - 1; i >= floor; i-- {
		n := s.nodes[lo[:i]]
		if n == nil {
			continue
		}
		b, top := lo[i], 256
		if hi != "" && i == floor && i < len(hi) {
			top = int(hi[i])
		}
		place := s.alpha[at[i]]
		seen := place.or(n.next)
		if seen.numeric() {
			digits = digits.or(seen)
		} else {
			digits = set{}
		}
		known := float64(n.next.len())
		switch {
		case known >= 2:
			all := seen.or(digits)
			lowest := n.next.lowest()
			fill := float64(n.next.within(lowest, int(b)+1)) / max(1, float64(all.within(lowest, int(b)+1)))
			keys := n.keys / known
			for c := int(b) + 1; c < top; c++ {
				if all.has(byte(c)) {
					f.add(lo[:i], c, keys*fill*s.faith(branch), branch)
				}
			}
			below, capped = keys*float64(all.len()), 16
		case below > 0 && digits.len() >= 2 && digits.has(b):
			count := float64(digits.within(int(b)+1, top))
			keys := min(below, capped*below/max(count, 1))
			for c := int(b) + 1; c < top; c++ {
				if digits.has(byte(c)) {
					f.add(lo[:i], c, keys*place.varies()*s.faith(series), series)
				}
			}
			below += keys * count * place.varies()
			capped = 1
		default:
			below = 0
			gaps = append(gaps, gap{len(f.steps), i, top, place.varies()})
		}
	}
	// The unknown is taken to be as much as was found, spread over where it may be.
	if len(gaps) > 0 {
		most := max(g.run, pageKeys*(1+3*math.Exp(-s.pages/15)))
		f.explore(lo, gaps, blindShare*most*s.faith(blind), s.base)
	}
	g.steps, g.left = f.steps, pageKeys
	for _, st := range g.steps {
		g.left += st.keys
	}
}

// forecast collects the steps of one piece, in the order of their strings.
type forecast struct {
	hi    string
	steps []step
}

// add expects keys that begin with q and the byte b.
func (f *forecast) add(q string, b int, keys float64, k kind) {
	if n := len(f.steps); keys < worthStep && n > 0 {
		f.steps[n-1].keys += keys
		return
	}
	if st, ok := f.step(q+string([]byte{byte(b)}), keys, k); ok {
		f.steps = append(f.steps, st)
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

// starts are first bytes of keys to try at the top of a whole bucket: what
// people begin names with, and the first characters of a few scripts.
var starts = []string{"!", "0", "5", "A", "M", "a", "e", "i", "m", "q", "t", "w", "\x7f", "à", "Ѐ", "一", "\U00010000"}

// gap is a level of a key at which no other byte is known.
type gap struct {
	before int // steps that come before those to be made
	level  int
	top    int // the byte that the level ends at
	weight float64
}

// explore puts steps where nothing is known: at each gap behind the byte of lo,
// and at the top of the bucket at several strings.
func (f *forecast) explore(lo string, gaps []gap, keys float64, base int) {
	sum := 0.0
	for _, g := range gaps {
		sum += g.weight
	}
	known, done := f.steps, 0
	f.steps = make([]step, 0, len(known)+len(gaps)+len(starts))
	for _, g := range gaps {
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
}

func (f *forecast) gallop(lo string, i int, keys float64) {
	var at []step
	for _, s := range starts {
		if s > lo[i:] {
			if st, ok := f.step(lo[:i]+s, 0, blind); ok {
				at = append(at, st)
			}
		}
	}
	for j := range at {
		at[j].keys = keys / float64(len(at))
	}
	f.steps = append(f.steps, at...)
}

// heaviest is the step that promises the most.
func (g *guess) heaviest() (at int, keys float64) {
	for i, st := range g.steps {
		if st.keys > keys {
			at, keys = i, st.keys
		}
	}
	return at, keys
}

// refine makes several steps of one, by the byte that follows, where that is
// known to be a number's: words cannot be guessed.
func (s *splitter) refine(g *guess, i int) bool {
	st := g.steps[i]
	next := s.alpha[positionOf(st.at)]
	if st.kind == blind || next.len() < 2 || !next.numeric() {
		return false
	}
	var parts []step
	for b := next.lowest(); b < 256; b++ {
		if next.has(byte(b)) {
			parts = append(parts, step{st.at + string([]byte{byte(b)}), st.keys / float64(next.len()), st.kind})
		}
	}
	g.steps = append(g.steps[:i], append(parts, g.steps[i+1:]...)...)
	return true
}
