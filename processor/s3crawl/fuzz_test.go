package s3crawl

import (
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// FuzzRanges: however ranges are cut, ended and handed on, the pieces cover the range
// once: each key is listed exactly once. Keys are lines; cuts and ends are bytes of how.
func FuzzRanges(f *testing.F) {
	f.Add("a\nb\nb/\nb//c\nb/d\n", "", uint64(1), []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add("a/\na/\x00\na/\U0010ffff\na0\n\xff\n", "a/", uint64(2), []byte{255, 0, 9})
	f.Add(strings.Repeat("k", 300)+"\n"+strings.Repeat("\U0010ffff", 100), "", uint64(7), []byte{1, 1, 3, 2})
	dues := []processor.Due{processor.NotDue, processor.NotDue, processor.NotDue, processor.Checkpoint, processor.Share, processor.Stop}
	f.Fuzz(func(t *testing.T, text, prefix string, seed uint64, how []byte) {
		if len(how) == 0 || len(text) > 4<<10 || len(how) > 64 || !utf8.ValidString(prefix) {
			return
		}
		var keys []string
		for k := range strings.SplitSeq(strings.ToValidUTF8(text, "�"), "\n") {
			if k != "" && len(k) <= 1024 && len(keys) < 100 {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		b := newBucket(slices.Compact(keys)...)
		b.perPage = 1 + int(how[0])%7
		var asked, wanted atomic.Int64
		at := func(n int64) int { return int(how[int(n)%len(how)]) }
		w := &walk{
			slots:     1 + int(how[len(how)-1])%9,
			due:       func(int) processor.Due { return dues[at(asked.Add(1))%len(dues)] },
			want:      func() bool { return at(wanted.Add(1))%2 == 1 },
			topTotals: 1000,
		}
		if !slices.ContainsFunc(how, func(b byte) bool { return dues[int(b)%len(dues)] == processor.NotDue }) {
			w.due = nil // a unit that must always end at once gets nowhere, and no engine asks for it
		}
		mustWalkWith(t, w, withChaos(b, seed), Root("b", prefix, Range))
		truthOf(b, prefix, defaultDepth).check(t, w, prefix)
	})
}

// FuzzCuts: whatever pages the splitter has seen, it cuts within the piece, in UTF-8,
// and its pieces lie side by side from the beginning of the range to its end. Keys are
// made of the lines of a text.
func FuzzCuts(f *testing.F) {
	f.Add("a\n/\n\U0010ffff\nb", uint64(1), []byte{0, 3, 1, 200, 2, 9, 0, 0, 0, 0}, "", "")
	f.Add("0\n1\n2\n3\n4\n5\n6\n7\n8\n9", uint64(2), []byte{255, 255, 0, 0, 1, 1, 1}, "1", "8")
	f.Add(strings.Join(awkward, "\n"), uint64(3), []byte{0, 0, 0, 1, 1, 1, 1}, "a", "\U0010ffff")
	f.Fuzz(func(t *testing.T, text string, seed uint64, how []byte, after, until string) {
		if len(how) > 100 || len(text) > 4<<10 || !utf8.ValidString(after) || !utf8.ValidString(until) || until != "" && until <= after {
			return
		}
		parts := strings.FieldsFunc(strings.ToValidUTF8(text, "�"), func(r rune) bool { return r == '\n' })
		if len(parts) == 0 {
			return
		}
		r := rand.New(rand.NewPCG(seed, 0))
		keys := make([]string, 6000)
		for i := range keys {
			for range 1 + r.IntN(8) {
				keys[i] += parts[r.IntN(len(parts))]
			}
			keys[i] = strings.ToValidUTF8(keys[i][:min(1024, len(keys[i]))], "")
		}
		b := newBucket(keys...) // sorted, each once
		s := newSplitter(0, 16)
		first := &piece{after: after, until: until}
		s.open(first, 0)
		from := map[*piece]string{first: after} // where each begins: after moves on
		pieces := []*piece{first}
		for _, h := range how {
			p := pieces[int(h)%len(pieces)]
			begin := sort.Search(len(b.keys), func(i int) bool { return b.keys[i] > p.after })
			end := sort.Search(len(b.keys), func(i int) bool { return p.until != "" && b.keys[i] > p.until })
			var page []inventory.Object
			for _, k := range b.keys[begin:max(begin, min(begin+500, end))] {
				page = append(page, inventory.Object{Key: k})
			}
			if len(page) > 0 {
				p.after = page[len(page)-1].Key
			}
			s.page(p, page, len(page) > 0)
			for near, at, ok := s.cut(pieces); ok && len(pieces) < 40; near, at, ok = s.cut(pieces) {
				if !utf8.ValidString(at) || at <= near.after || near.until != "" && at >= near.until || len(at) > maxBound {
					t.Fatalf("cut of (%q, %q] at %q", near.after, near.until, at)
				}
				far := &piece{after: at, until: near.until}
				near.until = at
				s.divide(near, far)
				pieces, from[far] = append(pieces, far), at
			}
		}
		slices.SortFunc(pieces, func(a, b *piece) int { return strings.Compare(from[a], from[b]) })
		end := after
		for i, p := range pieces {
			if from[p] != end || p.until == "" && i < len(pieces)-1 {
				t.Fatalf("piece %d begins at %q, and the one before ends at %q", i, from[p], end)
			}
			end = p.until
		}
		if end != until {
			t.Fatalf("the last piece ends at %q, the range at %q", end, until)
		}
	})
}

// FuzzArgs: no args crash the crawl; ranges that it takes do not overlap, and come back
// from what it hands on.
func FuzzArgs(f *testing.F) {
	f.Add([]byte(`{"bucket":"b","prefix":"a/","ranges":[{"after":"a/b","until":"a/c"},{"after":"a/c","until":"","left":7}]}`))
	f.Add([]byte(`{"bucket":"b","prefix":"","base":0,"ranges":[{"after":"k","until":"k","mark":"v"},{"after":"k","until":"l"}],"with":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if !schema.IsObject(text) { // as all args of messages are
			return
		}
		a, err := parseArgs(text)
		if err != nil {
			return
		}
		for i, r := range a.Ranges[1:] {
			if was := a.Ranges[i]; was.Until == "" || was.Until > r.After {
				t.Fatalf("ranges overlap: %+v, %+v", was, r)
			}
		}
		c := a.child(1)
		if len(a.Ranges) > 0 && len(c.ID) > maxName+len(a.Bucket)+len(a.Prefix) || !utf8.ValidString(c.ID) {
			t.Fatalf("name of %d bytes: %q", len(c.ID), c.ID)
		}
		again, err := parseArgs(c.Args)
		if err != nil || !slices.Equal(again.Ranges, a.Ranges) || again.Bucket != a.Bucket || again.Prefix != a.Prefix || again.Mode != a.Mode {
			t.Fatalf("%+v came back as %+v, %v", a, again, err)
		}
	})
}
