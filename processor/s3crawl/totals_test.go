package s3crawl

import (
	"bytes"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor/s3crawl/listxml"
	"github.com/ramify/ramify/totals"
)

const defaultDepth = listing.DefaultDepth

// PrefixTotal, Totals, Sums and Level are how the tests of this package look at
// what package totals makes of a walk's blocks.
type PrefixTotal struct {
	Prefix         string
	Objects, Bytes int64
}

type Totals struct {
	top    int
	blocks [][]byte
}

type Sums struct {
	Prefixes int64
	Levels   []Level // the first is that just below the root's prefix
}

type Level struct{ ByBytes, ByObjects []PrefixTotal }

func NewTotals(top int) *Totals { return &Totals{top: top} }

func (t *Totals) Add(block []byte) error {
	t.blocks = append(t.blocks, block)
	return nil
}

func (t *Totals) lines() (*totals.Merger, iter.Seq2[totals.Line, error]) {
	m := totals.Merge(func(yield func([]byte, error) bool) {
		for _, b := range slices.SortedFunc(slices.Values(t.blocks), bytes.Compare) {
			if !yield(b, nil) {
				return
			}
		}
	})
	lines := m.Lines()
	return m, lines
}

func (t *Totals) Sum() (sums Sums) {
	m, lines := t.lines()
	var byBytes, byObjects []*totals.Top
	for l, err := range lines {
		if err != nil {
			panic(err)
		}
		if l.Depth == 0 {
			continue
		}
		if len(byBytes) < l.Depth {
			byBytes = append(byBytes, totals.NewTop(t.top, totals.Bytes))
			byObjects = append(byObjects, totals.NewTop(t.top, totals.Objects))
		}
		byBytes[l.Depth-1].Add(l)
		byObjects[l.Depth-1].Add(l)
	}
	plain := func(top *totals.Top) (all []PrefixTotal) {
		for _, l := range top.Lines() {
			all = append(all, PrefixTotal{l.Prefix, l.Objects, l.Bytes})
		}
		return all
	}
	for i := range byBytes {
		sums.Levels = append(sums.Levels, Level{ByBytes: plain(byBytes[i]), ByObjects: plain(byObjects[i])})
	}
	sums.Prefixes = m.Prefixes()
	return sums
}

// Dates and classes reach the totals, in both modes.
func TestTotalsKnowDatesAndClasses(t *testing.T) {
	for _, mode := range []Mode{Range, Prefix} {
		b := newBucket("a/1", "a/b/2", "a/b/3", "c/4")
		b.spoil = func(_ int, pg *listxml.Page) {
			for i := range pg.Objects {
				o := &pg.Objects[i]
				if o.StorageClass = "STANDARD"; o.Key == "a/b/3" {
					o.StorageClass = "GLACIER"
				}
				o.LastModified = time.Unix(int64(o.Key[len(o.Key)-1]), 500e6)
			}
		}
		w := &walk{slots: 1, params: map[string]string{listing.ParamDepth: "all"}}
		mustWalkWith(t, w, New(Options{Lister: b}), Root("b", "", mode))
		_, lines := w.totals.lines()
		var got []totals.Line
		for l, err := range lines {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, l)
		}
		if len(got) != 4 {
			t.Fatalf("%s: %+v", mode, got)
		}
		ab := got[3]
		want := []totals.Class{{Name: "GLACIER", Objects: 1, Bytes: 5}, {Name: "STANDARD", Objects: 1, Bytes: 5}}
		if ab.Prefix != "a/b/" || !ab.Newest().Equal(time.Unix('3', 500e6)) || !slices.Equal(ab.Classes, want) || !got[0].Newest().Equal(time.Unix('4', 500e6)) {
			t.Errorf("%s: %+v of %v, all of %v", mode, ab, ab.Newest(), got[0].Newest())
		}
	}
}
