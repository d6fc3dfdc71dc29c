package s3crawl

import "math"

// sudden is how many keys are taken to follow where nothing tells, for each that was
// found: as many. Of what began at an unknown time and is looked at by chance, as much is
// still to come as has been, as often as not (J. R. Gott, "Implications of the Copernican
// principle for our future prospects", Nature 363, 1993).
const sudden = 1

// hidden is how many keys may follow in a piece of which a forecast knows nothing: it
// speaks of names that are like others, and where to cut is all that it is for. Of how
// much is done it would say too much: of tables or folders side by side, all that is
// known while the first is listed is that one. So this is for the fraction alone.
//
//   - Where several bytes follow a string, and no habit tells which others, names are
//     taken to be spread over letters, or digits, as those up to the last one are.
//   - Where only one byte follows so far, what follows by others may be anything. Of the
//     shortest such string as many keys are expected as were found, and of longer ones none
//     beside: that all of them fork is as unlikely as it would be much.
func (s *splitter) hidden(p *piece) (keys float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lo, hi := p.after, p.until
	floor := s.trie.base
	if hi != "" {
		floor = max(floor, common(lo, hi))
	}
	at, path, alone := positions(lo), s.trie.path(lo), false
	for i := floor; i < min(len(lo), s.trie.base+len(path)); i++ {
		n, top := path[i-s.trie.base], 256
		if hi != "" && i == floor && i < len(hi) {
			top = int(hi[i])
		}
		open := n.open(int(lo[i]), top)
		switch {
		case open == set{}:
		case n.next.len() >= 2:
			if h, _ := s.trie.habits.find(lo[:i], at[i], &n.next); h == nil {
				keys += n.spread(lo[i], &open)
			}
		case !alone:
			alone = true
			keys += sudden * n.keys
		}
	}
	return keys
}

// open is the bytes above b and below top of which it is not known whether they follow.
func (n *node) open(b, top int) set {
	open := between(b, top)
	for i := range open {
		open[i] &^= n.none[i] | n.next[i]
	}
	return open
}

// spread is how many keys follow by open bytes, if as many of them as of those up to b
// follow, and each by as many keys as usual: of the geometric mean, since one of many
// tells nothing of the next.
func (n *node) spread(b byte, open *set) float64 {
	usual := n.keys / float64(n.next.len())
	if len(n.kids) > 0 {
		logs := 0.0
		for _, k := range n.kids {
			logs += math.Log(k.keys)
		}
		usual = min(usual, math.Exp(logs/float64(len(n.kids))))
	}
	alphabet := alphabetOf(b)
	alphabet.join(&n.next)
	found, before, left := 0.0, 0.0, 0.0
	for c := range alphabet.all() {
		switch {
		case c > b && open.has(c):
			left++
		case c <= b && n.next.has(c):
			found++
			before++
		case c <= b:
			before++
		}
	}
	return usual * left * found / (before + 1)
}

// alphabetOf is the digits, or the letters of one case, that a byte is of.
func alphabetOf(b byte) set {
	for _, ends := range []string{"09", "az", "AZ"} {
		if b >= ends[0] && b <= ends[1] {
			return between(int(ends[0])-1, int(ends[1])+1)
		}
	}
	return set{}
}
