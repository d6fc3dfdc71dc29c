package s3crawl

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// awkward are strings that keys are made of: what sorts, encodes or delimits in
// a way of its own.
var awkward = []string{
	"/", "//", "a", "b", "0", "9", " ", "+", "%", "%2F", "&", "<", "\"", "\\", "\n", "\r", "\x00", "\x01", "\x7f",
	"é", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\uffff", "\U00010000", "\U0010ffff", "🌲", "\u2028", "e\u0301",
	strings.Repeat("k", 300), strings.Repeat("\U0010ffff", 100),
}

func drawKeys(t *rapid.T, most int) []string {
	part := rapid.SampledFrom(awkward)
	keys := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
		key := strings.Join(rapid.SliceOfN(part, 1, 6).Draw(t, "parts"), "")
		for len(key) > 1024 {
			_, n := utf8.DecodeLastRuneInString(key)
			key = key[:len(key)-n]
		}
		return key
	}), 0, most, func(k string) string { return k }).Draw(t, "keys")
	sort.Strings(keys)
	return keys
}

// chaos cuts anywhere, as often as it can: exactness must not depend on it.
type chaos struct {
	*splitter
	rnd *rand.Rand
}

func (c *chaos) cut(pieces []*piece) (*piece, string, bool) {
	if len(pieces) == 0 || c.rnd.IntN(3) == 0 {
		return nil, "", false
	}
	p := pieces[c.rnd.IntN(len(pieces))]
	for range 4 {
		at := p.after[:c.rnd.IntN(len(p.after)+1)] + awkward[c.rnd.IntN(len(awkward))]
		at, ok := validBound(at)
		if ok && p.failed == nil && at > p.after && (p.until == "" || at < p.until) {
			return p, at, true
		}
	}
	return nil, "", false
}

func (c *chaos) divide(near, far *piece) {
	far.guess = guess{virgin: true, left: float64(c.rnd.IntN(5000))}
}

func withChaos(l Lister, seed uint64) *Crawl {
	c := New(Options{Lister: l})
	c.policy = func(base int) policy {
		return &chaos{newSplitter(base, 16), rand.New(rand.NewPCG(seed, 0))}
	}
	return c
}

// truth is what a walk must find, by brute force.
type truth struct {
	keys     []string
	prefixes int64
	totals   map[string]PrefixTotal
}

func truthOf(b *bucket, prefix string, depth int) truth {
	want := truth{totals: map[string]PrefixTotal{}}
	all := map[string]bool{}
	for _, k := range b.keys {
		if !strings.HasPrefix(k, prefix) {
			continue
		}
		want.keys = append(want.keys, k)
		level := 0
		for i := len(prefix); i < len(k); i++ {
			if k[i] == '/' {
				p := k[:i+1]
				all[p] = true
				if level++; level <= depth {
					was := want.totals[p]
					want.totals[p] = PrefixTotal{p, was.Objects + 1, was.Bytes + b.size(k)}
				}
			}
		}
	}
	want.prefixes = int64(len(all))
	return want
}

func (want truth) check(t interface {
	Fatalf(string, ...any)
	Helper()
}, w *walk, base string,
) {
	t.Helper()
	slices.Sort(w.keys)
	for i := range max(len(w.keys), len(want.keys)) {
		if i >= len(w.keys) || i >= len(want.keys) || w.keys[i] != want.keys[i] {
			t.Fatalf("listed %d keys, want %d; key %d differs: got %.200q, want %.200q", len(w.keys), len(want.keys), i,
				w.keys[min(i, len(w.keys)):min(i+1, len(w.keys))], want.keys[min(i, len(want.keys)):min(i+1, len(want.keys))])
		}
	}
	if w.objects != int64(len(want.keys)) {
		t.Fatalf("counted %d objects, want %d", w.objects, len(want.keys))
	}
	sums := w.totals.Sum()
	if sums.Prefixes != want.prefixes {
		t.Fatalf("counted %d prefixes, want %d", sums.Prefixes, want.prefixes)
	}
	found := 0
	for i, level := range sums.Levels {
		for _, p := range level.ByObjects {
			found++
			if want.totals[p.Prefix] != p || strings.Count(p.Prefix[len(base):], "/") != i+1 {
				t.Fatalf("total %+v at level %d, want %+v", p, i+1, want.totals[p.Prefix])
			}
		}
		if !slices.IsSortedFunc(level.ByBytes, func(a, b PrefixTotal) int { return int(b.Bytes - a.Bytes) }) {
			t.Fatalf("not by bytes: %+v", level.ByBytes)
		}
	}
	if w.topTotals > len(want.totals) && found != len(want.totals) {
		t.Fatalf("found totals of %d prefixes, want %d", found, len(want.totals))
	}
}

// Any keys, any slots, any cuts, any moments to end: every key once.
func TestEveryKeyIsListedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBucket(drawKeys(t, 120)...)
		b.perPage = rapid.IntRange(1, 7).Draw(t, "per page")
		prefix := rapid.SampledFrom([]string{"", "", "a", "/", "a/", "kk", "\U0010ffff"}).Draw(t, "prefix")
		depth := rapid.IntRange(0, 3).Draw(t, "depth")
		dues := rapid.SliceOfN(rapid.SampledFrom([]processor.Due{
			processor.NotDue, processor.NotDue, processor.NotDue, processor.Checkpoint, processor.Share, processor.Stop,
		}), 1, 20).Draw(t, "dues")
		wants := rapid.SliceOfN(rapid.Bool(), 1, 5).Draw(t, "wanted")
		var asked, wanted atomic.Int64
		w := &walk{
			slots:     rapid.IntRange(1, 9).Draw(t, "slots"),
			due:       func(int) processor.Due { return dues[int(asked.Add(1))%len(dues)] },
			want:      func() bool { return wants[int(wanted.Add(1))%len(wants)] },
			params:    map[string]string{listing.ParamDepth: fmt.Sprint(depth)},
			topTotals: 1000,
		}
		mustWalkWith(t, w, withChaos(b, rapid.Uint64().Draw(t, "seed")), Root("b", prefix, Range))
		truthOf(b, prefix, depth).check(t, w, prefix)
	})
}

// One node per prefix finds the same.
func TestModePrefixListsEveryKeyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBucket(drawKeys(t, 60)...)
		b.perPage = rapid.IntRange(1, 7).Draw(t, "per page")
		prefix := rapid.SampledFrom([]string{"", "a", "/", "a/"}).Draw(t, "prefix")
		w := &walk{slots: 1, topTotals: 1000}
		mustWalkWith(t, w, New(Options{Lister: b}), Root("b", prefix, Prefix))
		want := truthOf(b, prefix, defaultDepth)
		want.check(t, w, prefix)
		if int64(w.nodes) != want.prefixes+1 {
			t.Fatalf("%d nodes for %d prefixes and the root", w.nodes, want.prefixes)
		}
	})
}

// A bucket that changes while it is listed: what is there throughout is listed
// once, what comes and goes at most once.
func TestChangingBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawKeys(t, 120)
		lasting, passing := []string{}, []string{}
		for i, k := range all {
			if i%3 == 0 {
				passing = append(passing, k)
			} else {
				lasting = append(lasting, k)
			}
		}
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		b := newBucket(lasting...)
		b.perPage = rapid.IntRange(1, 7).Draw(t, "per page")
		b.before = func(int) {
			for _, k := range passing {
				switch rnd.IntN(6) {
				case 0:
					b.put(k)
				case 1:
					b.remove(k)
				}
			}
		}
		var asked atomic.Int64
		w := &walk{slots: 5, due: func(int) processor.Due {
			if asked.Add(1)%9 == 0 {
				return processor.Share
			}
			return processor.NotDue
		}}
		mustWalkWith(t, w, withChaos(b, rnd.Uint64()), Root("b", "", Range))
		times := map[string]int{}
		for _, k := range w.keys {
			times[k]++
		}
		for _, k := range lasting {
			if times[k] != 1 {
				t.Fatalf("%q was listed %d times", k, times[k])
			}
		}
		for _, k := range passing {
			if times[k] > 1 {
				t.Fatalf("%q was listed %d times", k, times[k])
			}
		}
	})
}

// shapes are big buckets of different forms, for the splitter that people use.
func shapes() map[string][]string {
	r := rand.New(rand.NewPCG(1, 2))
	make1 := func(n int, f func(i int) string) []string {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = f(i)
		}
		return keys
	}
	return map[string][]string{
		"hex": make1(100_000, func(int) string { return fmt.Sprintf("%016x", r.Uint64()) }),
		"tree": make1(100_000, func(i int) string {
			return fmt.Sprintf("team%d/project-%d/%d/%02d/file%d.txt", r.IntN(12), r.IntN(40), 2015+r.IntN(10), 1+r.IntN(12), i)
		}),
		"numbers": make1(100_000, func(i int) string { return fmt.Sprintf("data/part-%08d.parquet", i) }),
		"awkward": make1(30_000, func(i int) string {
			return strings.Join([]string{awkward[r.IntN(19)], awkward[19+r.IntN(12)], awkward[r.IntN(31)], fmt.Sprint(i)}, "")
		}),
		"deep": make1(30_000, func(i int) string { return strings.Repeat("d/", 1+i%300) + fmt.Sprint(i) }),
		"one":  {"one"},
		"none": nil,
	}
}

// With 16 slots and a latency, listing is exact, in not many more requests than a
// flat listing makes, and keeps all slots busy but for a few round trips.
func TestShapes(t *testing.T) {
	const slots, latency = 16, 30 * time.Millisecond
	for name, keys := range shapes() {
		t.Run(name, func(t *testing.T) {
			b := newBucket(keys...)
			b.latency = latency
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				w := &walk{slots: slots, topTotals: 5}
				mustWalkWith(t, w, New(Options{Lister: b}), Root("b", "", Range))
				took := time.Since(begin)
				truthOf(b, "", defaultDepth).check(t, w, "")
				pages := float64(max(1, (len(b.keys)+pageKeys-1)/pageKeys))
				ideal := time.Duration(pages / slots * float64(latency))
				t.Logf("%d keys: %d LISTs, %.2f × the pages; %v, %.1f × the ideal", len(b.keys), b.lists(), float64(b.lists())/pages, took, float64(took)/float64(ideal))
				// The goal is one a slot above 1.2 × the pages; which goroutine comes first
				// is worth a request or two, which must not fail a run of the tests.
				if most := 1.2*pages + 1.25*slots; float64(b.lists()) > most {
					t.Errorf("%d LISTs, want at most %v", b.lists(), most)
				}
				// A chain with few keys a level shows nothing ahead to cut at.
				if most := 2*ideal + 10*latency; took > most && name != "deep" {
					t.Errorf("took %v, want at most %v", took, most)
				}
			})
		})
	}
}

// Where a unit ends, the children are what is left: one for a checkpoint,
// several for idle tasks, and nothing is left out.
func TestHandingOn(t *testing.T) {
	b := newBucket(shapes()["hex"]...)
	for _, test := range []struct {
		due       processor.Due
		least, at int
	}{{processor.Checkpoint, 1, 1}, {processor.Stop, 1, 1}, {processor.Share, 2, shares}} {
		idle := make(chan struct{}, 7)
		for range 7 {
			idle <- struct{}{}
		}
		a := &attempt{slots: idle, due: func(n int) processor.Due {
			if n >= 20 {
				return test.due
			}
			return processor.NotDue
		}}
		root := Root("b", "", Range)
		if err := New(Options{Lister: b}).Process(t.Context(), &processor.Node{Args: root.Args}, a); err != nil {
			t.Fatal(err)
		}
		if n := len(a.children); n < test.least || n > test.at {
			t.Errorf("due %d: %d children, want %d to %d", test.due, n, test.least, test.at)
		}
		if a.kept <= 0 || a.kept >= 1 {
			t.Errorf("due %d: kept %v of the share", test.due, a.kept)
		}
		if a.borrowed != 0 || a.most == 0 {
			t.Errorf("due %d: %d slots not returned, %d borrowed at a time", test.due, a.borrowed, a.most)
		}
		left := int64(0)
		for _, c := range a.children {
			var got args
			if err := json.Unmarshal(c.Args, &got); err != nil {
				t.Fatal(err)
			}
			for _, r := range got.Ranges {
				for _, k := range b.keys {
					if k > r.After && (r.Until == "" || k <= r.Until) {
						left++
					}
				}
			}
		}
		if a.objects+left != int64(len(b.keys)) {
			t.Errorf("due %d: %d listed and %d left of %d", test.due, a.objects, left, len(b.keys))
		}
	}
}

// What is left of a walk is no level deeper than the walk: it may be handed on
// every second for days.
func TestHandingOnIsNoLevelDeeper(t *testing.T) {
	b := newBucket("a", "b", "c")
	b.perPage = 1
	a := &attempt{slots: make(chan struct{}), due: func(int) processor.Due { return processor.Checkpoint }}
	root := Root("b", "", Range)
	n := &processor.Node{Args: root.Args}
	if err := New(Options{Lister: b}).Process(t.Context(), n, a); err != nil || len(a.children) != 1 || !a.children[0].Rest {
		t.Errorf("%v, children %+v", err, a.children)
	}
}

func TestCutsAreValidAndMonotone(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(awkward[:31]), 0, 3).Draw(t, "start"), "")
		return s + string(rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "tail"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		if a > b {
			a, b = b, a
		}
		va, okA := validBound(a)
		vb, okB := validBound(b)
		if okA && (!utf8.ValidString(va) || va < a) {
			t.Fatalf("bound of %q is %q", a, va)
		}
		if okB && (!okA && !utf8.ValidString(a) && strings.HasPrefix(b, a) || okA && va > vb) {
			t.Fatalf("bounds of %q and %q are %q (%v) and %q", a, b, va, okA, vb)
		}
	})
}

// maxName is the most bytes of a range's name, which stands in messages and in plans.
const maxName = 300

// The splitter's own cuts, whatever it has seen: inside the piece, valid, and
// none of the piece's keys is lost or doubled by dividing its forecast.
func TestSplitterCutsInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		size := rapid.IntRange(2, len(awkward)).Draw(t, "alphabet")
		keys := make([]string, 6000)
		for i := range keys {
			for range 1 + r.IntN(8) {
				keys[i] += awkward[r.IntN(size)]
			}
			keys[i] = strings.ToValidUTF8(keys[i][:min(1024, len(keys[i]))], "")
		}
		b := newBucket(keys...)
		s := newSplitter(0, 16)
		first := &piece{}
		s.open(first, 0)
		pieces := []*piece{first}
		for range 30 {
			p := pieces[r.IntN(len(pieces))]
			from := sort.Search(len(b.keys), func(i int) bool { return b.keys[i] > p.after })
			to := sort.Search(len(b.keys), func(i int) bool { return p.until != "" && b.keys[i] > p.until })
			var page []inventory.Object
			for _, k := range b.keys[from:min(from+500, to)] {
				page = append(page, inventory.Object{Key: k})
			}
			if len(page) > 0 {
				p.after = page[len(page)-1].Key
			}
			s.page(p, page, len(page) > 0)
			for near, at, ok := s.cut(pieces); ok && len(pieces) < 40; near, at, ok = s.cut(pieces) {
				if !utf8.ValidString(at) || at <= near.after || near.until != "" && at >= near.until || len(at) > 1024 {
					t.Fatalf("cut of (%q, %q] at %q", near.after, near.until, at)
				}
				far := &piece{after: at, until: near.until}
				near.until = at
				s.divide(near, far)
				pieces = append(pieces, far)
			}
		}
	})
}

func TestArgsRoundTripAndNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 60)
		var spans []span
		for i := 0; i+1 < len(keys); i += 2 {
			spans = append(spans, span{After: keys[i], Until: keys[i+1]})
		}
		n := 0
		for _, set := range pack(spans) {
			c := args{Bucket: "b", Prefix: "", Mode: Range, Ranges: set}.child(3)
			if len(set) > maxSpans || len(c.Args) > maxBytes+1024 {
				t.Fatalf("%d ranges in %d bytes", len(set), len(c.Args))
			}
			if len(c.ID) > maxName || !utf8.ValidString(c.ID) {
				t.Fatalf("name of %d bytes: %q", len(c.ID), c.ID)
			}
			got, err := parseArgs(c.Args)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Ranges, spans[n:n+len(set)]) {
				t.Fatalf("ranges %+v became %+v", spans[n:n+len(set)], got.Ranges)
			}
			n += len(set)
		}
		if n != len(spans) {
			t.Fatalf("%d of %d ranges packed", n, len(spans))
		}
	})
}

func TestBadArgsAreRefusedForGood(t *testing.T) {
	for _, raw := range []string{
		"", "[]", "{}", `{"bucket":"b","mode":"tree"}`, `{"bucket":"b","mode":"prefix","ranges":[{"after":"a"}]}`,
		`{"bucket":"b","ranges":[{"after":"b","until":"a"}]}`,
		`{"bucket":"b","ranges":[{"after":"a","until":"c"},{"after":"b","until":"d"}]}`,
		`{"bucket":"b","ranges":[{"after":"a"},{"after":"b"}]}`,
		`{"bucket":"b--use1-az4--x-s3"}`, `{"bucket":"b","base":1}`,
	} {
		err := New(Options{Lister: newBucket("k")}).Process(t.Context(), &processor.Node{Args: schema.Args(raw)}, &attempt{})
		if !processor.IsPermanent(err) || strings.Contains(fmt.Sprint(err), "\n") {
			t.Errorf("args %s: %v", raw, err)
		}
	}
}

func TestParseURL(t *testing.T) {
	for url, want := range map[string][2]string{
		"s3://b": {"b", ""}, "s3://b/": {"b", ""}, "s3://b/p/%20 q": {"b", "p/%20 q"}, "s3://b//p": {"b", "/p"},
	} {
		if bucket, prefix, err := ParseURL(url); err != nil || bucket != want[0] || prefix != want[1] {
			t.Errorf("%s is %q %q %v", url, bucket, prefix, err)
		}
	}
	for _, url := range []string{"", "s3://", "s3:///p", "http://b/p", "s3://b/\xff"} {
		if _, _, err := ParseURL(url); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
}
