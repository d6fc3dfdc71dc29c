package totals

import (
	"errors"
	"testing"

	"github.com/ramify/ramify/inventory"
)

// FuzzMerge: no blocks crash those who read them; what they make of them is lines in
// order, or an error that says that they are damaged. Two blocks, given in their order.
func FuzzMerge(f *testing.F) {
	tally := NewTally(0, All)
	for _, k := range []string{"a", "a/b", "a/c/d", "b/\x00/e"} {
		tally.Add(&inventory.Object{Key: k, Size: 7, StorageClass: "OF_A_LATER_YEAR"})
	}
	var blocks kept
	_ = tally.Take(blocks.keep)
	for i := range blocks {
		f.Add(blocks[i], blocks[(i+1)%len(blocks)])
	}
	f.Add([]byte{0, 0, 0, 1, 0, 0, 1, 0, 0}, []byte{})
	f.Fuzz(func(t *testing.T, one, other []byte) {
		given := kept{one, other}
		var last Line
		n := 0
		for l, err := range Merge(given.sorted()).Lines() {
			if err != nil {
				if !errors.Is(err, ErrBlock) {
					t.Fatalf("got %v", err)
				}
				break
			}
			if n > 0 && (l.Depth < last.Depth || l.Depth == last.Depth && l.Prefix <= last.Prefix) {
				t.Fatalf("%q of depth %d behind %q of depth %d", l.Prefix, l.Depth, last.Prefix, last.Depth)
			}
			if l.Objects < 0 || l.Bytes < 0 {
				t.Fatalf("sums below zero: %+v", l)
			}
			last, n = l, n+1
		}
		// As a page of a book, which reads them by other ways.
		var r reader
		r.b = one
		r.head(nil)
		s := &shelf{pages: []Page{{Key: one[:len(one)-len(r.b)], Body: one}}}
		if b, err := Open(t.Context(), s); err == nil && b != nil {
			for _, err := range b.Under(t.Context(), "a", All) {
				if err != nil && !errors.Is(err, ErrBlock) {
					t.Fatalf("got %v", err)
				}
			}
		}
	})
}
