package totals

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ramify/ramify/inventory"
)

// parts are what keys are made of: slashes that follow one another or lead,
// names that are prefixes of others, bytes at the ends of the alphabet.
var parts = []string{"/", "/", "/", "a", "b", "aa", "a-", "a0", "\x00", "\x01", "\x00/", "ÿ", "日本", "🙂", "\U0010ffff", ".", " ", "\n", strings.Repeat("x", 40)}

func drawObjects(t *rapid.T, base string, most int) []inventory.Object {
	keys := rapid.SliceOfNDistinct(rapid.Map(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 9), func(p []string) string {
		return base + strings.Join(p, "")
	}), 0, most, rapid.ID).Draw(t, "keys")
	slices.Sort(keys)
	objects := make([]inventory.Object, len(keys))
	for i, k := range keys {
		o := inventory.Object{Key: k, Size: rapid.Int64Range(0, 1<<40).Draw(t, "size"), StorageClass: rapid.SampledFrom([]string{"", "STANDARD", "GLACIER", "OF_A_LATER_YEAR"}).Draw(t, "class")}
		o.ETag = rapid.SampledFrom([]string{"", "a", "b-2"}).Draw(t, "etag")
		if rapid.Bool().Draw(t, "dated") {
			o.LastModified = time.UnixMilli(rapid.Int64Range(-1<<40, 1<<41).Draw(t, "modified"))
		}
		objects[i] = o
	}
	return objects
}

// truth is the lines of all depths in the order of depth and prefix, by brute
// force; prefixes of depth 1 and more are as many as there are but one.
func truth(objects []inventory.Object, base string) []Line {
	byPrefix := map[string]*Line{}
	for _, o := range objects {
		depth := 0
		for i := len(base); i <= len(o.Key); i++ {
			if i > len(base) && o.Key[i-1] != '/' {
				continue
			}
			if i > len(base) {
				depth++
			}
			l := byPrefix[o.Key[:i]]
			if l == nil {
				l = &Line{Prefix: o.Key[:i], Depth: depth}
				byPrefix[l.Prefix] = l
			}
			l.Objects++
			l.Bytes += o.Size
			l.AddDigest(&o, len(base))
			if o.LastModified.After(l.Newest()) {
				l.newest = o.LastModified.UnixMilli() - zeroTime
			}
			at := slices.IndexFunc(l.Classes, func(c Class) bool { return c.Name == o.StorageClass })
			if at < 0 {
				at, l.Classes = len(l.Classes), append(l.Classes, Class{Name: o.StorageClass})
			}
			l.Classes[at].Objects++
			l.Classes[at].Bytes += o.Size
		}
	}
	lines := make([]Line, 0, len(byPrefix))
	for _, l := range byPrefix {
		slices.SortFunc(l.Classes, func(a, b Class) int { return cmp.Compare(a.Name, b.Name) })
		lines = append(lines, *l)
	}
	slices.SortFunc(lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.Prefix, b.Prefix))
	})
	return lines
}

func cutAt(lines []Line, depth int) (kept []Line) {
	for _, l := range lines {
		if l.Depth <= depth {
			kept = append(kept, l)
		}
	}
	return kept
}

func same(a, b Line) bool {
	da, _ := a.Digests()
	db, _ := b.Digests()
	return da == db && a.digested == b.digested && a.Prefix == b.Prefix && a.Depth == b.Depth && a.Objects == b.Objects && a.Bytes == b.Bytes &&
		a.Newest().Equal(b.Newest()) && slices.Equal(a.Classes, b.Classes)
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func requireLines(t fataler, got, want []Line) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !same(got[i], want[i]) {
			t.Fatalf("%d lines, want %d; line %d differs: got %+v, want %+v", len(got), len(want), i,
				got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
		}
	}
}

// kept is blocks as a sink gives them back.
type kept [][]byte

func (k *kept) keep(block []byte) error {
	*k = append(*k, bytes.Clone(block))
	return nil
}

func (k kept) sorted() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, b := range slices.SortedFunc(slices.Values(k), bytes.Compare) {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func collect(t fataler, lines iter.Seq2[Line, error]) (all []Line) {
	t.Helper()
	for l, err := range lines {
		if err != nil {
			t.Fatalf("lines: %v", err)
		}
		all = append(all, l)
	}
	return all
}

var someBases = []string{"", "", "a", "a/", "/", "/日", "x//y"}

// However keys are cut into stretches, to whatever depth, the lines are those of
// the whole, and so is the number of prefixes.
func TestStretchesSumUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom(someBases).Draw(t, "base")
		objects := drawObjects(t, base, 60)
		depth := rapid.SampledFrom([]int{0, 1, 2, 3, All}).Draw(t, "depth")
		var blocks kept
		tallies := []*Tally{NewTally(len(base), depth).WithDigests(true), NewTally(len(base), depth).WithDigests(true)}
		for i := range objects {
			turn := tallies[0]
			turn.Add(&objects[i])
			if rapid.IntRange(0, 3).Draw(t, "cut") == 0 || i == len(objects)-1 {
				if err := turn.Take(blocks.keep); err != nil {
					t.Fatalf("take: %v", err)
				}
				slices.Reverse(tallies)
			}
		}
		m := Merge(blocks.sorted())
		m.most = rapid.SampledFrom([]int{2, maxOpen}).Draw(t, "open at most")
		want := truth(objects, base)
		requireLines(t, collect(t, m.Lines()), cutAt(want, depth))
		if got := m.Prefixes(); got != int64(max(len(want)-1, 0)) {
			t.Fatalf("%d prefixes, want %d", got, len(want)-1)
		}
	})
}

// A node for each prefix, which holds what is directly below it, in any order.
func TestNodesSumUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom(someBases).Draw(t, "base")
		objects := drawObjects(t, base, 40)
		depth := rapid.SampledFrom([]int{0, 1, 2, All}).Draw(t, "depth")
		nodes := map[string]*Sums{}
		for _, l := range truth(objects, base) {
			nodes[l.Prefix] = &Sums{} // also those that hold nothing but prefixes
		}
		for i := range objects {
			o := &objects[i]
			sums := nodes[o.Key[:max(len(base), strings.LastIndexByte(o.Key, '/')+1)]]
			sums.Add(o)
			sums.AddDigest(o, len(base))
		}
		var blocks kept
		tally := NewTally(len(base), depth)
		for prefix, sums := range nodes {
			tally.AddNode(prefix, sums)
			if err := tally.Take(blocks.keep); err != nil {
				t.Fatalf("take: %v", err)
			}
		}
		m := Merge(blocks.sorted())
		want := truth(objects, base)
		requireLines(t, collect(t, m.Lines()), cutAt(want, depth))
		if got := m.Prefixes(); got != int64(max(len(want)-1, 0)) {
			t.Fatalf("%d prefixes, want %d", got, len(want)-1)
		}
	})
}

// Keys in any order, counted by several who know nothing of each other: blocks
// overlap, as many as there are.
func TestLooseBlocksSumUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom(someBases).Draw(t, "base")
		objects := drawObjects(t, base, 60)
		want := truth(objects, base)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		r.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		var blocks kept
		loose := []*Loose{NewLoose(len(base)).WithDigests(true), NewLoose(len(base)).WithDigests(true), NewLoose(len(base)).WithDigests(true)}
		for i := range objects {
			l := loose[r.IntN(len(loose))]
			l.Add(&objects[i])
			if r.IntN(5) == 0 {
				if err := l.Take(blocks.keep); err != nil {
					t.Fatalf("take: %v", err)
				}
			}
		}
		for _, l := range loose {
			if err := l.Take(blocks.keep); err != nil {
				t.Fatalf("take: %v", err)
			}
		}
		m := Merge(blocks.sorted())
		m.most = rapid.SampledFrom([]int{2, 3, 5, maxOpen}).Draw(t, "open at most")
		requireLines(t, collect(t, m.Lines()), want)
		if got := m.Prefixes(); got != int64(max(len(want)-1, 0)) {
			t.Fatalf("%d prefixes, want %d", got, len(want)-1)
		}
	})
}

// What was spent is all there, whoever counts, and that of a prefix is its objects'.
func TestWhatWasSpent(t *testing.T) {
	for name, tally := range map[string]interface {
		Spend(d time.Duration, n int)
		Add(o *inventory.Object)
		Take(write func(block []byte) error) error
	}{"in order": NewTally(0, All), "in any": NewLoose(0)} {
		t.Run(name, func(t *testing.T) {
			var blocks kept
			tally.Spend(5*time.Microsecond, 0) // found nothing
			tally.Spend(7*time.Microsecond, 2)
			tally.Add(&inventory.Object{Key: "a/1"})
			if err := tally.Take(blocks.keep); err != nil { // in between, as where memory is full
				t.Fatal(err)
			}
			tally.Add(&inventory.Object{Key: "a/b/2"})
			tally.Spend(100*time.Microsecond, 1)
			tally.Add(&inventory.Object{Key: "c/3"})
			if err := tally.Take(blocks.keep); err != nil {
				t.Fatal(err)
			}
			got := map[string]time.Duration{}
			for _, l := range collect(t, Merge(blocks.sorted()).Lines()) {
				got[l.Prefix] = l.Took()
			}
			want := map[string]int64{"": 112, "a/": 12, "a/b/": 6, "c/": 100}
			for prefix, micros := range want {
				if got[prefix].Microseconds() != micros {
					t.Errorf("%q took %v, want %dµs", prefix, got[prefix], micros)
				}
			}
		})
	}
}

// The blocks of a Loose with many prefixes are small, whatever it holds.
func TestLooseBlocksAreSmall(t *testing.T) {
	l := NewLoose(0)
	for i := range 20000 {
		l.Add(&inventory.Object{Key: fmt.Sprintf("%d/some/where/%d/key", i%100, i), Size: 1})
	}
	if l.Full() != (l.size >= fullLoose) || l.size < 20000*folderCost {
		t.Errorf("size %d", l.size)
	}
	var blocks kept
	if err := l.Take(blocks.keep); err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if len(b) > looseBlock+1100 {
			t.Errorf("a block has %d bytes", len(b))
		}
	}
	m := Merge(blocks.sorted())
	lines := collect(t, m.Lines())
	if want := int64(100 + 100 + 100 + 20000); m.Prefixes() != want || lines[0].Objects != 20000 {
		t.Errorf("%d prefixes, want %d; %+v", m.Prefixes(), want, lines[0])
	}
	if err := l.Take(func([]byte) error { return errors.New("full") }); err != nil {
		t.Errorf("taken again: %v", err)
	}
	l.Add(&inventory.Object{Key: "a"})
	if err := l.Take(func([]byte) error { return errors.New("full") }); err == nil {
		t.Error("the error of write is lost")
	}
}

func TestMergeRefuses(t *testing.T) {
	object := func(key string) *inventory.Object { return &inventory.Object{Key: key} }
	stretch := func(base int, keys ...string) (blocks kept) {
		tally := NewTally(base, All)
		for _, k := range keys {
			tally.Add(object(k))
		}
		_ = tally.Take(blocks.keep)
		return blocks
	}
	ab := stretch(0, "a/b")
	for name, blocks := range map[string]kept{
		"nonsense":           {[]byte("x")},
		"nothing":            {nil},
		"half a block":       {ab[0][:len(ab[0])-1]},
		"a head alone":       {appendHead(nil, 1, "a/")},
		"two bases":          append(stretch(1, "a/b"), stretch(0, "c/d")...),
		"a stretch twice":    append(stretch(0, "a", "c"), stretch(0, "a", "c")...),
		"keys counted twice": append(stretch(0, "a", "c"), stretch(0, "b", "d")...),
	} {
		var err error
		for _, err = range Merge(blocks.sorted()).Lines() {
		}
		if !errors.Is(err, ErrBlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var err error
	for _, err = range Merge(func(yield func([]byte, error) bool) {
		blocks := stretch(0, "a/b")
		_ = yield(blocks[1], nil) && yield(blocks[0], nil)
	}).Lines() {
	}
	if !errors.Is(err, ErrBlock) {
		t.Errorf("out of order: %v", err)
	}
	broken := errors.New("broken")
	for _, err = range Merge(func(yield func([]byte, error) bool) { yield(nil, broken) }).Lines() {
	}
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	for _, err := range Merge(stretch(0, "a/b", "c/d").sorted()).Lines() {
		if err != nil {
			t.Error(err)
		}
		break // who reads may stop
	}
}

// A key costs no allocation, and a tally is full in time.
func TestTallyIsCheapAndBounded(t *testing.T) {
	tally := NewTally(0, All)
	tally.Add(&inventory.Object{Key: "a/b/c"})
	allocated := testing.AllocsPerRun(100, func() { tally.Add(&inventory.Object{Key: "a/b/c", StorageClass: "STANDARD"}) })
	if allocated != 0 {
		t.Errorf("%v allocations a key", allocated)
	}
	if tally.Full() {
		t.Error("full of nothing")
	}
	for i := 0; !tally.Full(); i++ {
		tally.Add(&inventory.Object{Key: fmt.Sprintf("b/%08d/x", i)})
		if i > fullTally {
			t.Fatal("never full")
		}
	}
}

func TestParseDepth(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "17": 17, "all": All} {
		if got, err := ParseDepth(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "x", "1.5"} {
		if _, err := ParseDepth(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestTop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5).Draw(t, "most")
		top := NewTop(n, Bytes)
		var all []Line
		for i, size := range rapid.SliceOfN(rapid.Int64Range(0, 9), 0, 20).Draw(t, "sizes") {
			l := Line{Prefix: fmt.Sprintf("%02d/", i), Sums: Sums{Bytes: size, Objects: -size}}
			all = append(all, l)
			top.Add(l)
		}
		slices.SortStableFunc(all, func(a, b Line) int { return cmp.Compare(b.Bytes, a.Bytes) })
		requireLines(t, top.Lines(), all[:min(n, len(all))])
	})
	if l := (Line{Sums: Sums{Bytes: 1, Objects: 2}}); Bytes(&l) != 1 || Objects(&l) != 2 {
		t.Error("sizes are mixed up")
	}
}

// shelf is one in memory.
type shelf struct {
	pages []Page
	gets  int
	err   error
}

func (s *shelf) Put(_ context.Context, pages []Page) error {
	for _, p := range pages {
		if n := len(s.pages); n > 0 && bytes.Compare(s.pages[n-1].Key, p.Key) >= 0 {
			return errors.New("out of order")
		}
		s.pages = append(s.pages, p)
	}
	return s.err
}

func (s *shelf) Get(_ context.Context, key []byte) (page, next []byte, err error) {
	s.gets++
	i, found := slices.BinarySearchFunc(s.pages, key, func(p Page, key []byte) int { return bytes.Compare(p.Key, key) })
	if found {
		i++
	}
	if i > 0 {
		page = s.pages[i-1].Body
	}
	if i < len(s.pages) {
		next = s.pages[i].Key
	}
	return page, next, s.err
}

func lines(all []Line) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for _, l := range all {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// A book gives any part of the tree in the order of keys.
func TestBook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom(someBases).Draw(t, "base")
		all := truth(drawObjects(t, base, 40), base)
		s := &shelf{}
		if err := Keep(context.Background(), s, lines(all)); err != nil {
			t.Fatalf("keep: %v", err)
		}
		b, err := Open(context.Background(), s)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		if len(all) == 0 {
			if b != nil {
				t.Fatalf("a book of nothing: %+v", b)
			}
			return
		}
		if !same(b.Base(), all[0]) || b.Deepest() != all[len(all)-1].Depth {
			t.Fatalf("base %+v, deepest %d", b.Base(), b.Deepest())
		}
		under := rapid.OneOf(rapid.SampledFrom(someBases), rapid.Map(rapid.SampledFrom(all), func(l Line) string { return l.Prefix }),
			rapid.Map(rapid.SampledFrom(all), func(l Line) string { return strings.TrimSuffix(l.Prefix, "/") })).Draw(t, "under")
		levels := rapid.SampledFrom([]int{0, 1, 2, All}).Draw(t, "levels")
		top := under
		if strings.HasPrefix(base, under) {
			top = base
		}
		var want []Line
		for _, l := range all {
			if strings.HasPrefix(l.Prefix, top) && l.Depth-strings.Count(top[min(len(base), len(top)):], "/") <= levels {
				want = append(want, l)
			}
		}
		slices.SortFunc(want, func(a, b Line) int { return cmp.Compare(a.Prefix, b.Prefix) })
		requireLines(t, collect(t, b.Under(context.Background(), under, levels)), want)
		want = slices.DeleteFunc(want, func(l Line) bool {
			return l.Depth-strings.Count(top[min(len(base), len(top)):], "/") != levels
		})
		requireLines(t, collect(t, b.Level(context.Background(), under, levels)), want)
	})
}

// The children of a prefix are read without the rest of the tree.
func TestBookReadsWhatIsLookedAt(t *testing.T) {
	var objects []inventory.Object
	for i := range 60_000 {
		objects = append(objects, inventory.Object{Key: fmt.Sprintf("%03d/%03d/%d/key", i/600, i/6%100, i%6), Size: int64(i)})
	}
	s := &shelf{}
	all := truth(objects, "")
	if err := Keep(context.Background(), s, lines(all)); err != nil {
		t.Fatal(err)
	}
	if len(s.pages) < 20 {
		t.Fatalf("%d pages are too few for this test", len(s.pages))
	}
	b, err := Open(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "000/", "042/", "099/"} {
		s.gets = 0
		got := collect(t, b.Level(context.Background(), prefix, 1))
		if len(got) != 100 || s.gets > 4 {
			t.Errorf("%d lines under %q, %d gets", len(got), prefix, s.gets)
		}
	}
	for _, err := range b.Under(context.Background(), "", All) {
		if err != nil {
			t.Error(err)
		}
		break // who reads may stop
	}
	s.err = errors.New("broken")
	for _, err := range b.Under(context.Background(), "", 1) {
		if !errors.Is(err, s.err) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := Open(context.Background(), s); !errors.Is(err, s.err) {
		t.Errorf("got %v", err)
	}
	if err := Keep(context.Background(), s, lines(all)); err == nil {
		t.Error("the shelf's error is lost")
	}
}

// Sizes are what others say: sums end at the largest there is, and never turn.
func TestSumsDoNotWrap(t *testing.T) {
	var s, other Sums
	for range 3 {
		s.Add(&inventory.Object{Key: "k", Size: math.MaxInt64 / 2, StorageClass: "STANDARD"})
	}
	other.Merge(&s)
	other.Merge(&s)
	for _, got := range []int64{s.Bytes, s.Classes[0].Bytes, other.Bytes, other.Classes[0].Bytes} {
		if got != math.MaxInt64 {
			t.Errorf("%d bytes", got)
		}
	}
	var again Sums
	r := reader{b: other.append(nil)}
	if again.read(&r); r.bad || again.Bytes != math.MaxInt64 {
		t.Errorf("read again: %+v", again)
	}
	r = reader{b: binary.AppendUvarint(nil, math.MaxUint64)}
	if r.int(); !r.bad {
		t.Error("a count below zero is read")
	}
}
