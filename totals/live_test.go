package totals

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ramify/ramify/inventory"
)

// At any moment, of blocks in any order, what is read is what Merge would make of the
// blocks there are: lines, time, and the shape of the whole.
func TestLiveIsWhatMergeMakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom(someBases).Draw(t, "base")
		objects := drawObjects(t, base, 60)
		depth := rapid.SampledFrom([]int{0, 1, 2, All}).Draw(t, "depth")
		var units []kept // blocks that come together
		tally := NewTally(len(base), depth)
		var spent, found, each int64
		for i := range objects {
			if each == 0 {
				each = rapid.Int64Range(1, 7).Draw(t, "on a page")
				took := rapid.Int64Range(0, 100).Draw(t, "took")
				tally.Spend(time.Duration(took)*time.Microsecond, int(min(each, int64(len(objects)-i))))
				spent += took
			}
			each--
			tally.Add(&objects[i])
			if rapid.IntRange(0, 3).Draw(t, "cut") == 0 || i == len(objects)-1 {
				var blocks kept
				if err := tally.Take(blocks.keep); err != nil {
					t.Fatalf("take: %v", err)
				}
				units = append(units, blocks)
			}
		}
		slices.Reverse(units)
		live := NewLive(depth)
		defer live.Close()
		live.full = rapid.SampledFrom([]int{1, 100, fullLive}).Draw(t, "full")
		var all kept
		check := func() {
			want := collect(t, Merge(all.sorted()).Lines())
			for _, l := range want {
				got := collect(t, live.Level(t.Context(), l.Prefix, 0))
				requireLines(t, got, []Line{l})
				if got[0].took != l.took {
					t.Fatalf("%q took %d, want %d", l.Prefix, got[0].took, l.took)
				}
				requireLines(t, collect(t, live.Level(t.Context(), l.Prefix, 1)), childrenOf(want, l))
			}
		}
		for _, blocks := range units {
			for _, b := range blocks {
				if err := live.Add(b); err != nil {
					t.Fatalf("add: %v", err)
				}
				all = append(all, b)
			}
			if rapid.IntRange(0, 4).Draw(t, "read") == 0 {
				check()
			}
		}
		check()
		if len(objects) == 0 {
			return
		}
		root := collect(t, live.Level(t.Context(), "", 0))[0]
		found = root.took
		if found != spent {
			t.Fatalf("%d µs are there, %d were spent", found, spent)
		}
		if want := shapeOf(objects, base); *root.Shape() != want {
			t.Fatalf("shape %+v, want %+v", *root.Shape(), want)
		}
	})
}

func childrenOf(all []Line, of Line) (some []Line) {
	for _, l := range all {
		if l.Depth == of.Depth+1 && strings.HasPrefix(l.Prefix, of.Prefix) {
			some = append(some, l)
		}
	}
	return some
}

func shapeOf(objects []inventory.Object, base string) (s Shape) {
	for _, o := range objects {
		c := &s.Sizes[bits.Len64(uint64(o.Size))]
		c.Objects++
		c.Bytes += o.Size
		s.Depths[strings.Count(o.Key[len(base):], "/")]++
	}
	return s
}

// What a prefix has is what its children, those that were not asked for, and what is
// directly in it have.
func TestPartAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := drawObjects(t, "", 60)
		tally := NewTally(0, All)
		for i := range objects {
			tally.Spend(time.Duration(i)*time.Microsecond, 1)
			tally.Add(&objects[i])
		}
		live := NewLive(All)
		defer live.Close()
		if err := tally.Take(func(b []byte) error { return live.Add(bytes.Clone(b)) }); err != nil {
			t.Fatalf("take: %v", err)
		}
		most := rapid.IntRange(1, 4).Draw(t, "most")
		for _, l := range truth(objects, "") {
			p, err := ReadPart(t.Context(), live, l.Prefix, most, Took)
			if err != nil || !p.Known {
				t.Fatalf("read %q: %v", l.Prefix, err)
			}
			sum := p.Direct
			sum.Objects += p.Rest.Objects
			sum.Bytes += p.Rest.Bytes
			sum.Micros += p.Rest.Micros
			for _, c := range p.Children {
				sum.add(&c.Sums, 1)
			}
			if want := (Extent{l.Objects, l.Bytes, p.took}); sum != want {
				t.Fatalf("%q has %+v, its parts %+v", l.Prefix, want, sum)
			}
			if n := min(int(p.Prefixes), most); len(p.Children) != n {
				t.Fatalf("%q shows %d prefixes, want %d", l.Prefix, len(p.Children), n)
			}
			if !slices.IsSortedFunc(p.Children, func(a, b Child) int { return int(b.took - a.took) }) {
				t.Fatalf("children of %q are not in order", l.Prefix)
			}
		}
		if p, err := ReadPart(t.Context(), live, "nothing/here/", most, Bytes); err != nil || p.Known {
			t.Fatalf("a prefix that is not there: %v, %v", p, err)
		}
	})
}

// A million prefixes are summed up as they come in little memory, and a look at one of
// them does not read the others.
func TestLiveIsQuickAndBounded(t *testing.T) {
	const prefixes, perBlock = 200_000, 500
	live := NewLive(All)
	defer live.Close()
	fill := func(from int) {
		tally := NewTally(0, All)
		keys := make([]string, 0, perBlock)
		for i := from; i < from+perBlock; i++ {
			keys = append(keys, fmt.Sprintf("%03d/%07d/x", i%200, i))
		}
		slices.Sort(keys)
		for _, k := range keys {
			tally.Add(&inventory.Object{Key: k, Size: 1})
		}
		if err := tally.Take(func(b []byte) error { return live.Add(bytes.Clone(b)) }); err != nil {
			t.Fatal(err)
		}
	}
	for from := 0; from < prefixes; from += perBlock {
		fill(from)
	}
	p, err := ReadPart(t.Context(), live, "", 10, Objects)
	if err != nil || p.Objects != prefixes || p.Prefixes != 200 {
		t.Fatalf("%d objects in %d prefixes: %v", p.Objects, p.Prefixes, err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if p, err = ReadPart(t.Context(), live, "007/", 10, Objects); err != nil || p.Objects != prefixes/200 || p.Prefixes != prefixes/200 {
		t.Fatalf("%d objects in %d prefixes: %v", p.Objects, p.Prefixes, err)
	}
	runtime.ReadMemStats(&after)
	// A thousand lines of 200,000, and pages around them.
	if read := after.TotalAlloc - before.TotalAlloc; read > 4<<20 {
		t.Errorf("a look at one prefix took %d bytes", read)
	}
	if n := len(live.books); n > 8 {
		t.Errorf("%d books are read", n)
	}
}

// BenchmarkLive is a walk that finds a million prefixes, seen as it goes on.
func BenchmarkLive(b *testing.B) {
	for b.Loop() {
		live := NewLive(All)
		i, looks := 0, 0
		var looked time.Duration
		blocks := made(1_000_000, 2000)
		for block, err := range blocks {
			if err != nil {
				b.Fatal(err)
			}
			root := NewTally(0, 0)
			root.Add(&inventory.Object{Key: "x", Size: 1})
			if err := root.Take(func(b []byte) error { return live.Add(bytes.Clone(b)) }); err != nil {
				b.Fatal(err)
			}
			if err := live.Add(bytes.Clone(block)); err != nil {
				b.Fatal(err)
			}
			if i++; i%50 == 0 {
				began := time.Now()
				if _, err := ReadPart(context.Background(), live, "", 200, Bytes); err != nil {
					b.Fatal(err)
				}
				looks++
				looked += time.Since(began)
			}
		}
		b.ReportMetric(looked.Seconds()*1000/float64(looks), "ms/look")
		live.Close()
	}
}
