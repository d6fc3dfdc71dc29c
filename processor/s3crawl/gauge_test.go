package s3crawl

import (
	"fmt"
	"testing"

	"github.com/ramify/ramify/inventory"
)

// listed is a piece of which keys were listed, in their order, page by page.
func listed(s *splitter, until string, keys ...string) *piece {
	p := &piece{until: until}
	s.open(p, 0)
	for len(keys) > 0 {
		n := min(len(keys), pageKeys)
		objects := make([]inventory.Object, n)
		for i := range objects {
			objects[i].Key = keys[i]
		}
		p.after, keys = keys[n-1], keys[n:]
		s.page(p, objects, true)
	}
	return p
}

// While the first of who knows how many tables is listed, as much is expected behind it as
// was found, and nothing where it is known that nothing can follow.
func TestKeysOfWhichNothingIsKnown(t *testing.T) {
	var keys []string
	for day := range 28 {
		for part := range 100 {
			keys = append(keys, fmt.Sprintf("table=clicks/day=%02d/part-%04d", day+1, part))
		}
	}
	n := float64(len(keys))
	if hidden := newHidden("", keys); hidden < n || hidden > 1.5*n {
		t.Errorf("%v keys are expected behind %v of one table", hidden, n)
	}
	if hidden := newHidden("table=clicks/day=29", keys); hidden > n/2 {
		t.Errorf("%v keys are expected in a piece that ends behind the %v listed", hidden, n)
	}
}

func newHidden(until string, keys []string) float64 {
	s := newSplitter(0, 1)
	return s.hidden(listed(s, until, keys...))
}

// Names are taken to go on as they began, up to the end of their alphabet.
func TestNamesAreSpreadOverTheirAlphabet(t *testing.T) {
	for _, c := range []struct {
		known string
		keys  []float64
		want  float64
	}{
		{"ac", []float64{100, 100}, 100 * 23 * 2.0 / 4},       // two of three letters, and 23 to come
		{"az", []float64{100, 100}, 0},                        // none to come
		{"02", []float64{50, 50}, 50 * 7 * 2.0 / 4},           // digits
		{"ab", []float64{1, 10_000}, 100 * 24 * 2.0 / 3},      // one of many tells little of the next
		{"=~", []float64{100, 100}, 0},                        // no alphabet
		{"AB", []float64{100, 100}, 100 * 24 * 2.0 / 3},       // letters of the other case are others
		{"yz", []float64{100, 100}, 0},                        //
		{"ax", []float64{100, 100}, 100 * 2 * 2.0 / (24 + 1)}, // few names, far apart
	} {
		n := &node{}
		for i := range c.known {
			b := c.known[i]
			n.next.add(b)
			n.below.add(b)
			n.kids = append(n.kids, &node{keys: c.keys[i]})
			n.keys += c.keys[i]
		}
		last := c.known[len(c.known)-1]
		open := n.open(int(last), 256)
		if got := n.spread(last, &open); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%v keys are expected behind %q, want %v", got, c.known, c.want)
		}
	}
}
