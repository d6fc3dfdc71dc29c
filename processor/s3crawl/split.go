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
	page(p *piece, objects []inventory.Object, more bool)
	// cut says which piece is best cut where; not ok if none is worth it.
	cut(pieces []*piece) (near *piece, at string, ok bool)
	// divide is called when the cut was made: far is what lies beyond.
	divide(near, far *piece)
}

// splitter guesses where keys are, from all pages seen under one prefix.
//
// It keeps how many keys were listed below each string that many keys begin
// with, and which bytes follow it. At every page the piece's forecast is made
// anew: at each level of the last key, the bytes that may still follow are taken
// to hold as many keys as those that did, on average.
type splitter struct {
	base int // bytes that all keys have in common

	mu    sync.Mutex
	nodes map[string]*node
	least int // keys that are worth a node
	alpha map[position]alphabet
	trust [kinds]float64 // how full the first pages of cuts were, lately
	pages float64
	cuts  float64
	width float64 // most pieces held at a time
}

var _ policy = (*splitter)(nil)

type node struct {
	keys float64
	next set
}

// guess is what the splitter keeps with a piece.
type guess struct {
	left   float64 // keys, the page under way included
	steps  []step  // what is beyond after, in order
	run    float64 // keys listed
	virgin bool    // no page has come yet
	kind   kind    // of the step it was cut at
}

// step is keys that are expected from a string on.
type step struct {
	at   string
	keys float64
	kind kind
}

// kind is how a step was guessed.
type kind int

const (
	branch kind = iota // other bytes were seen to follow here
	series             // the keys further right are numbers; so may these be
	blind              // nothing speaks for it, but something must be tried
	kinds
)

const (
	worthNode   = 60     // keys
	mostNodes   = 20_000 // then the smallest half goes
	worthWord   = 16     // keys that tell whether bytes vary at a position
	worthStep   = 40     // keys; less is added to the step before
	worthCut    = 3 * pageKeys
	cutsPerPage = 0.25 // beyond those that give every lister work
	blindShare  = 0.6
	sampled     = 31 // every 31st key teaches the alphabets
)

func newSplitter(base int) *splitter {
	s := &splitter{base: base, nodes: map[string]*node{}, least: worthNode, alpha: map[position]alphabet{}}
	for i := range s.trust {
		s.trust[i] = 1
	}
	return s
}

// open makes a first guess of a piece; left is a hint, 0 if there is none.
func (s *splitter) open(p *piece, left float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.guess.virgin = true
	s.forecast(p)
	if p.guess.left == pageKeys { // no step: only the page to come
		p.guess.left = max(left, pageKeys)
	}
}

// page learns from a page of p, whose after has been moved on.
func (s *splitter) page(p *piece, objects []inventory.Object, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &p.guess
	s.pages++
	if g.virgin {
		full := min(1, float64(len(objects))/(pageKeys/2))
		s.trust[g.kind] = max(0.1, s.trust[g.kind]+0.07*(full-s.trust[g.kind]))
	}
	g.virgin = false
	g.run += float64(len(objects))
	if len(objects) > 0 {
		s.grow(objects, s.base, positionOf(objects[0].Key[:s.base]), !more)
		for i := 0; i < len(objects); i += sampled {
			s.spell(objects[i].Key)
		}
	}
	if len(s.nodes) > mostNodes {
		s.least *= 2
		for k, n := range s.nodes {
			if n.keys < float64(s.least) {
				delete(s.nodes, k)
			}
		}
	}
	if more {
		s.forecast(p)
	}
}

// grow counts objects, whose keys share their first i bytes; whole if these are
// all there are.
func (s *splitter) grow(objects []inventory.Object, i int, at position, whole bool) {
	q := objects[0].Key[:i]
	n := s.nodes[q]
	if n == nil {
		n = &node{}
		s.nodes[strings.Clone(q)] = n // longer than the page
	}
	n.keys += float64(len(objects))
	var here set
	for len(objects) > 0 {
		if len(objects[0].Key) == i {
			objects = objects[1:]
			continue
		}
		b := objects[0].Key[i]
		end := sort.Search(len(objects), func(j int) bool { return objects[j].Key[i] > b })
		here.add(b)
		ended := whole || end < len(objects)
		if ended && end >= worthWord {
			s.end(objects[:end], i+1, at.after(b))
		}
		if end >= s.least {
			s.grow(objects[:end], i+1, at.after(b), ended)
		}
		objects = objects[end:]
	}
	n.next = n.next.or(here)
	seen := s.alpha[at]
	seen.set = seen.or(here)
	s.alpha[at] = seen
}

// end learns from objects that are all there are with their first i bytes.
func (s *splitter) end(objects []inventory.Object, i int, at position) {
	first, last := objects[0].Key, objects[len(objects)-1].Key
	if len(first) <= i {
		return
	}
	seen := s.alpha[at]
	if first[i] == last[i] {
		seen.same++
	} else {
		seen.differ++
	}
	s.alpha[at] = seen
}

// spell learns which bytes stand where in a key.
func (s *splitter) spell(key string) {
	at := position{}
	for i := range len(key) {
		if i >= s.base {
			seen := s.alpha[at]
			seen.add(key[i])
			s.alpha[at] = seen
		}
		at = at.after(key[i])
	}
}

// faith is how far a kind of guess is to be believed.
func (s *splitter) faith(k kind) float64 { return min(1, s.trust[k]/0.7) }

// cut finds the piece with the most left, and where to cut it: beyond the page
// that is under way, and so that the far part has somewhat more than half.
func (s *splitter) cut(pieces []*piece) (near *piece, at string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := 0.0
	var able []*piece
	for _, p := range pieces {
		if p.held {
			held++
		}
		if p.failed == nil && len(p.guess.steps) > 0 && p.guess.left-pageKeys >= worthCut {
			able = append(able, p)
		}
	}
	s.width = max(s.width, held)
	if s.cuts > 2*s.width+8+cutsPerPage*s.pages {
		return nil, "", false
	}
	sort.Slice(able, func(i, j int) bool { return able[i].guess.left > able[j].guess.left })
	for _, p := range able[:min(8, len(able))] {
		if at, ok := s.divideAt(p); ok {
			return p, at, true
		}
	}
	return nil, "", false
}

// divideAt is the best boundary of a piece.
func (s *splitter) divideAt(p *piece) (string, bool) {
	g := &p.guess
	rest := g.left - pageKeys
	goal := pageKeys + 0.4*rest
	for range 3 {
		if i, keys := g.heaviest(); keys > 0.5*rest && s.refine(g, i) {
			continue
		}
		break
	}
	best, bestOff, before := "", math.Inf(1), float64(pageKeys)
	for _, st := range g.steps {
		off := math.Abs(before - goal)
		if off < bestOff && g.left-before >= pageKeys && st.at > p.after && (p.until == "" || st.at < p.until) &&
			(!g.virgin || st.kind != blind) && len(st.at) <= maxBound {
			best, bestOff = st.at, off
		}
		before += st.keys
	}
	return best, best != ""
}

// divide hands the steps beyond the cut to the far piece.
func (s *splitter) divide(near, far *piece) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cuts++
	g := &near.guess
	i := sort.Search(len(g.steps), func(i int) bool { return g.steps[i].at >= far.after })
	far.guess = guess{virgin: true, kind: g.steps[i].kind, steps: append([]step(nil), g.steps[i:]...)}
	for _, st := range far.guess.steps {
		far.guess.left += st.keys
	}
	g.steps = g.steps[:i]
	g.left = max(pageKeys, g.left-far.guess.left)
}
