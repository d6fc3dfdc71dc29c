package s3crawl

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// However the keys are cut into stretches, and in whatever order these come, the
// totals are those of the whole.
func TestTotalsOfStretchesAreThoseOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 60)
		depth := rapid.IntRange(0, 4).Draw(t, "depth")
		cuts := rapid.SliceOfN(rapid.Bool(), len(keys), len(keys)).Draw(t, "cuts")
		b := newBucket(keys...)
		tl := tally{depth: depth}
		var blocks [][]byte
		w := &walk{topTotals: 1000, totals: NewTotals(1000)}
		for i, k := range keys {
			tl.add(k, 1, b.size(k))
			w.keys, w.objects = append(w.keys, k), w.objects+1
			if cuts[i] || i == len(keys)-1 {
				blocks = append(blocks, tl.take())
			}
		}
		if tl.take() != nil {
			t.Fatalf("a tally without keys made a record")
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		r.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
		for _, block := range blocks {
			if err := w.totals.Add(block); err != nil {
				t.Fatalf("add: %v", err)
			}
		}
		truthOf(b, "", depth).check(t, w, "")
		w.totals.Sum() // asking changes nothing
		truthOf(b, "", depth).check(t, w, "")
	})
}

// A stretch with many prefixes is written in parts, and only the biggest stay.
func TestTotalsKeepTheBiggest(t *testing.T) {
	var keys []string
	for i := range 3000 {
		dir := strings.Repeat("x", 60) + string(rune('a'+i%26)) + string(rune('0'+i/26%10)) + string(rune('A'+i/260)) + "/"
		for j := range 1 + i%7 {
			keys = append(keys, dir+string(rune('a'+j)))
		}
	}
	b := newBucket(keys...)
	b.size = func(string) int64 { return 1 }
	w := &walk{slots: 1, topTotals: 3}
	mustWalkWith(t, w, New(Options{Lister: b}), Root("b", "", Range))
	if len(w.totals.edges) < 2 {
		t.Errorf("%d records, want several", len(w.totals.edges))
	}
	truthOf(b, "", defaultDepth).check(t, w, "")
	got := w.totals.Sum().Levels[0]
	if len(got.ByBytes) != 3 || len(got.ByObjects) != 3 || !slices.Equal(got.ByBytes, got.ByObjects) || got.ByBytes[2].Objects != 7 {
		t.Errorf("got %+v", got)
	}
}

func TestTotalsRefuseWhatTheyDidNotWrite(t *testing.T) {
	for _, block := range []string{"x", `{"base":3,"first":"a","last":"a"}`, `{"base":-1}`} {
		if err := NewTotals(1).Add([]byte(block)); err == nil {
			t.Errorf("%s was taken", block)
		}
	}
	if sums := NewTotals(1).Sum(); sums.Prefixes != 0 || len(sums.Levels) != 0 {
		t.Errorf("nothing sums to %+v", sums)
	}
}
