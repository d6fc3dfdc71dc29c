package s3crawl

import (
	"sort"
	"strings"

	"github.com/ramify/ramify/inventory"
)

// trie is what is known of the keys that begin with a string, for the strings
// that many keys begin with: how many were listed, by whomever, which bytes
// follow, and which do not.
type trie struct {
	base   int // bytes that all keys have in common
	nodes  map[string]*node
	least  int // keys that are worth a node
	habits habits
	places map[position]*place

	bytes  []byte // of strings that are being looked at, the outermost first
	counts []int
}

type node struct {
	keys    float64
	next    set  // bytes that follow
	none    set  // bytes that do not
	learned bool // all is known, and was learned from
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
	return trie{base: base, nodes: map[string]*node{}, least: worthNode, places: map[position]*place{}}
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
	t.grow(objects, t.base, positionOf(first[:t.base]), &from, until, learn)
	if len(t.nodes) > mostNodes {
		t.prune()
	}
}

func (t *trie) prune() {
	t.least *= 2
	for q, n := range t.nodes {
		if n.keys < float64(t.least) {
			delete(t.nodes, q)
		}
	}
}

// grow counts objects, whose keys share their first i bytes and are all there are
// between from and to; nil is no bound, or one outside of these bytes.
func (t *trie) grow(objects []inventory.Object, i int, at position, from, to *string, learn bool) {
	q, all := objects[0].Key[:i], objects
	n := t.nodes[q]
	if n == nil && (len(objects) >= t.least || i == t.base) {
		n = &node{}
		t.nodes[strings.Clone(q)] = n
	}
	learn = learn && len(objects) >= worthHabit
	if n == nil && !learn {
		return
	}
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
			t.grow(objects[:count], i+1, at.after(b), within(from, i, b), within(to, i, b), learn)
		}
		objects = objects[count:]
	}
	t.bytes, t.counts = t.bytes[:begin], t.counts[:begin]
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
	for i := t.base; i < len(from); i++ {
		n := t.nodes[from[:i]]
		switch {
		case n == nil:
			return // nor are there longer ones
		case i < same:
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
		if below := t.nodes[q+string([]byte{b})]; below != nil {
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
