package s3crawl

import (
	"slices"
	"sort"

	"github.com/ramify/ramify/inventory"
)

// trie is what is known of the keys that begin with a string, for the strings
// that many keys begin with: how many were listed, by whomever, which bytes
// follow, and which do not.
type trie struct {
	base   int   // bytes that all keys have in common
	root   *node // of them; nil before the first page with keys
	nodes  int
	least  int // keys that are worth a node
	habits habits
	places map[position]*place

	bytes  []byte // of strings that are being looked at, the outermost first
	counts []int
}

// node is a string, which begins those of its kids: it has at least their keys.
type node struct {
	keys    float64
	next    set     // bytes that follow
	none    set     // bytes that do not
	learned bool    // all is known, and was learned from
	below   set     // bytes that kids follow by
	kids    []*node // in the order of these bytes
}

// kid is the node that follows by a byte, or nil.
func (n *node) kid(b byte) *node {
	if !n.below.has(b) {
		return nil
	}
	return n.kids[n.below.rank(b)]
}

// path is the nodes that begin a string, from the root on: path[i] is that of
// the first base + i bytes.
func (t *trie) path(s string) (path []*node) {
	n := t.root
	for i := t.base; n != nil; i++ {
		path = append(path, n)
		if i >= len(s) {
			break
		}
		n = n.kid(s[i])
	}
	return path
}

// place is how often a byte did and did not follow the nodes that end at one
// position: fields of a fixed form have few values, and the same in all nodes.
type place struct{ present, absent [256]float32 }

const (
	worthNode  = 60     // keys
	mostNodes  = 20_000 // then the smaller half goes
	mostPlaces = 2048   // 2 KiB each
	worthHabit = 12     // keys of a string that teach a habit
	nodeWeight = 3      // what a node teaches, against strings of fewer keys
)

func newTrie(base int) trie {
	return trie{base: base, least: worthNode, places: map[position]*place{}}
}

// page takes the keys of a page: all there are after from and up to to, which is
// no bound if end is set. Learn says whether the page teaches habits: a sample
// does.
func (t *trie) page(objects []inventory.Object, from, to string, end, learn bool) {
	first := to
	if len(objects) > 0 {
		first = objects[0].Key
	}
	t.gap(from, first, len(objects) == 0 && end)
	if len(objects) == 0 {
		return
	}
	t.gap(objects[len(objects)-1].Key, to, end)
	until := &to
	if end {
		until = nil
	}
	if t.root == nil {
		t.root, t.nodes = &node{}, 1
	}
	t.grow(t.root, objects, t.base, positionOf(first[:t.base]), &from, until, learn)
	if t.nodes > mostNodes {
		t.least *= 2
		t.nodes = t.root.prune(float64(t.least))
	}
}

// prune drops what has fewer keys below a node, and counts what stays.
func (n *node) prune(least float64) (nodes int) {
	nodes = 1
	below, kids := n.below, n.kids
	n.below, n.kids = set{}, kids[:0]
	for b := range below.all() {
		if k := kids[below.rank(b)]; k.keys >= least {
			n.below.add(b)
			n.kids = append(n.kids, k)
			nodes += k.prune(least)
		}
	}
	clear(kids[len(n.kids):])
	return nodes
}

// grow counts objects, whose keys share their first i bytes and are all there are
// between from and to; nil is no bound, or one outside of these bytes. The node
// of these bytes is n, nil if they are not worth one.
func (t *trie) grow(n *node, objects []inventory.Object, i int, at position, from, to *string, learn bool) {
	q, all := objects[0].Key[:i], objects
	begin := len(t.bytes)
	for len(objects) > 0 {
		if len(objects[0].Key) == i {
			objects = objects[1:]
			continue
		}
		b, count := objects[0].Key[i], len(objects)
		if objects[count-1].Key[i] != b {
			count = sort.Search(count, func(j int) bool { return objects[j].Key[i] > b })
		}
		t.bytes, t.counts = append(t.bytes, b), append(t.counts, count)
		objects = objects[count:]
	}
	end := len(t.bytes)
	switch {
	case n != nil:
		n.keys += float64(len(all))
		t.know(n, at, t.bytes[begin:end], byteOf(from, i, -1), byteOf(to, i, 256))
		t.complete(n, q, at)
	case from == nil && to == nil && end > begin:
		t.habits.learn(q, at, t.bytes[begin:end], t.counts[begin:end], len(all), 1)
	}
	objects = all
	for j := begin; j < end; j++ {
		for len(objects[0].Key) == i {
			objects = objects[1:]
		}
		b, count := t.bytes[j], t.counts[j]
		if count >= worthHabit {
			if kid := t.descend(n, b, count); kid != nil || learn {
				t.grow(kid, objects[:count], i+1, at.after(b), within(from, i, b), within(to, i, b), learn)
			}
		}
		objects = objects[count:]
	}
	t.bytes, t.counts = t.bytes[:begin], t.counts[:begin]
}

// descend is the node that follows one by a byte, made if so many more keys are
// worth it; nil if there is none.
func (t *trie) descend(n *node, b byte, keys int) *node {
	if n == nil {
		return nil
	}
	kid := n.kid(b)
	if kid == nil && keys >= t.least {
		kid = &node{}
		n.kids = slices.Insert(n.kids, n.below.rank(b), kid)
		n.below.add(b)
		t.nodes++
	}
	return kid
}

// byteOf is a bound's byte at a level, -1 where it ends there.
func byteOf(bound *string, i, none int) int {
	switch {
	case bound == nil:
		return none
	case len(*bound) <= i:
		return -1
	default:
		return int((*bound)[i])
	}
}

// within is the bound where it lies among the strings that go on with a byte.
func within(bound *string, i int, b byte) *string {
	if bound == nil || len(*bound) <= i || (*bound)[i] != b {
		return nil
	}
	return bound
}

// know notes which bytes follow a node, and that between lo and hi no others do.
func (t *trie) know(n *node, at position, bytes []byte, lo, hi int) {
	for _, b := range bytes {
		if !n.next.has(b) {
			n.next.add(b)
			if p := t.place(at); p != nil {
				p.present[b]++
			}
		}
		t.lacks(n, at, lo, int(b))
		lo = int(b)
	}
	t.lacks(n, at, lo, hi)
}

// lacks notes that nothing follows a node by a byte between lo and hi.
func (t *trie) lacks(n *node, at position, lo, hi int) {
	news := between(lo, hi)
	for i := range news {
		news[i] &^= n.none[i] | n.next[i]
	}
	if news == (set{}) {
		return
	}
	n.none.join(&news)
	if p := t.place(at); p != nil {
		for b := range news.all() {
			p.absent[b]++
		}
	}
}

// gap notes that there is no key between two strings: in the nodes that begin
// the first of them.
func (t *trie) gap(from, to string, end bool) {
	same := t.base
	if !end {
		same = max(same, common(from, to))
	}
	if len(from) <= same {
		return
	}
	at := positions(from)
	for i, n := range t.path(from) {
		i += t.base
		switch {
		case i < same || i == len(from):
		case i == same && !end && len(to) > i:
			t.lacks(n, at[i], int(from[i]), int(to[i]))
		case i > same || end:
			t.lacks(n, at[i], int(from[i]), 256)
			t.complete(n, from[:i], at[i])
		}
	}
}

// complete learns from a node once all is known of it.
func (t *trie) complete(n *node, q string, at position) {
	if n.learned || n.next.len()+n.none.len() < 256 || n.next.len() == 0 {
		return
	}
	n.learned = true
	begin, sum := len(t.bytes), 0
	for b := range n.next.all() {
		count := worthNode / 4
		if below := n.kid(b); below != nil {
			count = int(below.keys)
		}
		t.bytes, t.counts, sum = append(t.bytes, b), append(t.counts, count), sum+count
	}
	t.habits.learn(q, at, t.bytes[begin:], t.counts[begin:], sum, nodeWeight)
	t.bytes, t.counts = t.bytes[:begin], t.counts[:begin]
}

// place is that of a position, nil if there are too many.
func (t *trie) place(at position) *place {
	p := t.places[at]
	if p == nil && len(t.places) < mostPlaces {
		p = &place{}
		t.places[at] = p
	}
	return p
}

// likely is how likely a byte follows a node here, as far as others tell.
func (p *place) likely(b int) float64 {
	if p == nil {
		return 1
	}
	return float64(p.present[b]+1) / float64(p.present[b]+p.absent[b]+1)
}
