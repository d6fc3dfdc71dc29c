package s3crawl

import (
	"math"
	"sort"
	"strings"
	"sync"

	"github.com/ramify/ramify/inventory"
)

// policy decides where pieces are cut. What it says decides only speed: any cut
// with after < at < until, in UTF-8, keeps a listing exact. One policy serves all
// units of a task on one bucket and prefix, so it has a lock of its own; a unit
// makes one call at a time, and no lister moves its pieces meanwhile.
type policy interface {
	// open is called with a new piece of a node; left is the hint of whoever made
	// the node of how many keys it has, 0 if there is none.
	open(p *piece, left float64)
	// page is called when a page has come in, trimmed, and p.after was moved on.
	// It keeps no string of the objects.
	page(p *piece, objects []inventory.Object, more bool)
	// cut says which piece is best cut where; not ok if none is worth it.
	cut(pieces []*piece) (near *piece, at string, ok bool)
	// divide is called when the cut was made: far is what lies beyond.
	divide(near, far *piece)
	// hidden is how many keys may follow in a piece beside those of its guess.
	hidden(p *piece) float64
}

// splitter guesses where keys are from all pages seen under one prefix, and
// spends at most so many requests on wrong guesses as the goal allows: a fifth of
// the pages and one for each slot.
type splitter struct {
	slots float64 // that list at a time, at most

	mu     sync.Mutex
	trie   trie
	trust  [kinds]float64 // how full the first pages of cuts were, lately
	tried  [kinds]float64 // cuts
	full   [kinds]float64 // of them, by how full their first pages were
	pages  float64        // that came in
	useful float64        // of them, by their keys
}

var _ policy = (*splitter)(nil)

// guess is what the splitter keeps with a piece.
type guess struct {
	left   float64 // keys, the page under way included
	steps  []step  // what is beyond after, in order
	from   string  // up to where all is known
	virgin bool    // it was cut off, and no page has come yet
	kind   kind    // of the step it was cut at
}

// step is keys that are expected from a string on.
type step struct {
	at   string
	keys float64
	kind kind
}

// kind is how a step was guessed: the number of a view of habits, or blind.
type kind int

const (
	blind kind = views + iota // nothing speaks for it, but something must be tried
	kinds
)

const (
	extra       = 0.2  // requests beyond the pages that may be spent, a page,
	extraSlot   = 0.85 // and a slot
	partial     = 0.5  // of a request goes with the last page of a piece, on average
	worthCut    = pageKeys / 2
	dearCut     = 3 * pageKeys // more, when all is spent that may be
	farPart     = 0.6          // of what is left goes to the far piece
	leastFar    = pageKeys / 4
	firstBets   = 4    // cuts of a kind that may be open before one has paid, and twice as many as have
	tries       = 8    // pieces that are looked at for a cut
	enough      = 100  // pages that all teach habits; later
	sampled     = 8    // every 8th does
	leastTrust  = 0.05 // so that what once failed is tried again
	recentTrust = 0.05 // what a cut weighs in the trust
)

func newSplitter(base, slots int) *splitter {
	s := &splitter{slots: float64(slots), trie: newTrie(base)}
	for i := range s.trust {
		s.trust[i] = 1
	}
	return s
}

// open makes a first guess of a piece.
func (s *splitter) open(p *piece, left float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.guess.from = p.after
	s.forecast(p)
	if len(p.guess.steps) == 0 { // nothing speaks against the hint
		p.guess.left = max(left, pageKeys)
	}
}

// page learns from a page of p.
func (s *splitter) page(p *piece, objects []inventory.Object, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &p.guess
	s.pages++
	s.useful += float64(len(objects)) / pageKeys
	if g.virgin {
		g.virgin = false
		s.tried[g.kind]++
		full := min(1, float64(len(objects))/(pageKeys/2))
		s.full[g.kind] += full
		s.trust[g.kind] += max(recentTrust, 1/(s.tried[g.kind]+1)) * (full - s.trust[g.kind])
		s.trust[g.kind] = max(leastTrust, s.trust[g.kind])
	}
	to, end := p.until, !more && p.until == ""
	if more {
		if len(objects) == 0 {
			return
		}
		to = objects[len(objects)-1].Key
	}
	s.trie.page(objects, g.from, to, end, s.pages < enough || int(s.pages)%sampled == 0)
	if more {
		g.from = strings.Clone(to)
		s.forecast(p)
	}
}

// faith is how far a kind of guess is to be believed.
func (s *splitter) faith(k kind) float64 { return min(1, s.trust[k]/0.7) }

// cut finds the piece with the most left, and where to cut it. The more requests
// were spent, the more must be beyond the cut; less so while slots stand idle.
func (s *splitter) cut(pieces []*piece) (near *piece, at string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	spent := s.spent(pieces)
	if spent > 1 {
		return nil, "", false
	}
	held := 0.0
	var bets [kinds]float64
	for _, p := range pieces {
		if p.held {
			held++
		}
		if p.guess.virgin {
			bets[p.guess.kind]++
		}
	}
	worth := worthCut + dearCut*spent*spent*min(1, 0.2+0.8*held/s.slots)
	var able []*piece
	for _, p := range pieces {
		if p.failed == nil && len(p.guess.steps) > 0 && p.guess.left-pageKeys >= worth {
			able = append(able, p)
		}
	}
	sort.Slice(able, func(i, j int) bool { return able[i].guess.left > able[j].guess.left })
	for _, p := range able[:min(tries, len(able))] {
		if at, ok := s.divideAt(p, &bets); ok {
			return p, at, true
		}
	}
	return nil, "", false
}

// spent is the part of the requests that may be spent beyond the pages that is
// spent, or will be on the pieces there are.
func (s *splitter) spent(pieces []*piece) float64 {
	owed := s.pages - s.useful
	for _, p := range pieces {
		owed += partial
		if p.guess.virgin {
			owed += 1 - s.trust[p.guess.kind]
		}
	}
	return owed / (extraSlot*s.slots + extra*s.useful)
}

// divideAt is where to cut a piece: beyond the page that is under way, so that
// the far part has somewhat more than half of the rest.
func (s *splitter) divideAt(p *piece, bets *[kinds]float64) (string, bool) {
	g := &p.guess
	rest := g.left - pageKeys
	goal := pageKeys + (1-farPart)*rest
	for range 3 {
		if i, keys := g.heaviest(); keys <= rest/2 || !s.refine(g, i, p.until) {
			break
		}
	}
	best, bestOff, before := "", math.Inf(1), float64(pageKeys)
	for _, st := range g.steps {
		off := math.Abs(before - goal)
		if off < bestOff && g.left-before >= leastFar && st.at > p.after && (p.until == "" || st.at < p.until) && len(st.at) <= maxBound &&
			bets[st.kind] < firstBets+2*s.full[st.kind] {
			best, bestOff = st.at, off
		}
		before += st.keys
	}
	return best, best != ""
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

// divide hands the steps beyond the cut to the far piece.
func (s *splitter) divide(near, far *piece) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &near.guess
	i := sort.Search(len(g.steps), func(i int) bool { return g.steps[i].at >= far.after })
	far.guess = guess{virgin: true, from: far.after, kind: g.steps[i].kind, steps: append([]step(nil), g.steps[i:]...)}
	for _, st := range far.guess.steps {
		far.guess.left += st.keys
	}
	g.steps = g.steps[:i]
	g.left = max(pageKeys, g.left-far.guess.left)
}
