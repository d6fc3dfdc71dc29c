package diff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/totals"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf keeps pages in memory and counts how many are read.
type shelf struct {
	pages []totals.Page
	gets  int
}

func (s *shelf) Put(_ context.Context, pages []totals.Page) error {
	s.pages = append(s.pages, pages...)
	return nil
}

func (s *shelf) Get(_ context.Context, key []byte) (page, next []byte, err error) {
	s.gets++
	i, found := slices.BinarySearchFunc(s.pages, key, func(p totals.Page, key []byte) int { return bytes.Compare(p.Key, key) })
	if found {
		i++
	}
	if i > 0 {
		page = s.pages[i-1].Body
	}
	if i < len(s.pages) {
		next = s.pages[i].Key
	}
	return page, next, nil
}

// lister lists objects in memory and counts them.
type lister struct {
	objects []inventory.Object
	lists   atomic.Int64
	listed  atomic.Int64
	err     error
}

func (l *lister) List(_ context.Context, prefix string, direct bool) iter.Seq2[inventory.Object, error] {
	return func(yield func(inventory.Object, error) bool) {
		l.lists.Add(1)
		first, _ := slices.BinarySearchFunc(l.objects, prefix, func(o inventory.Object, prefix string) int { return strings.Compare(o.Key, prefix) })
		for _, o := range l.objects[first:] {
			if !strings.HasPrefix(o.Key, prefix) {
				break
			}
			if direct && strings.Contains(o.Key[len(prefix):], "/") {
				continue
			}
			l.listed.Add(1)
			if !yield(o, nil) {
				return
			}
		}
		if l.err != nil {
			yield(inventory.Object{}, l.err)
		}
	}
}

type fataler interface {
	Helper()
	Fatal(...any)
}

// tree makes a tree of objects, which are sorted by key.
func tree(t fataler, base string, depth int, objects []inventory.Object) (*Tree, *shelf, *lister) {
	t.Helper()
	var blocks [][]byte
	tally := totals.NewTally(len(base), depth).WithDigests(true)
	for i := range objects {
		tally.Add(&objects[i])
	}
	_ = tally.Take(func(block []byte) error {
		blocks = append(blocks, bytes.Clone(block))
		return nil
	})
	slices.SortFunc(blocks, bytes.Compare)
	s, l := &shelf{}, &lister{objects: objects}
	err := totals.Keep(context.Background(), s, totals.Merge(func(yield func([]byte, error) bool) {
		for _, b := range blocks {
			if !yield(b, nil) {
				return
			}
		}
	}).Lines())
	if err != nil {
		t.Fatal(err)
	}
	book, err := totals.Open(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	s.gets = 0
	return &Tree{Book: book, Depth: depth, Base: base, Keys: l}, s, l
}

func below(base string, objects map[string]inventory.Object) []inventory.Object {
	all := make([]inventory.Object, 0, len(objects))
	for name, o := range objects {
		o.Key = base + name
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b inventory.Object) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// keysIn says of each name that differs where it is, by brute force.
func keysIn(a, b map[string]inventory.Object, by By) map[string]Where {
	want := map[string]Where{}
	for name, o := range a {
		other, both := b[name]
		switch {
		case !both:
			want[name] = InA
		case o.Size != other.Size || by == ETag && o.ETag != other.ETag:
			want[name] = InBoth
		}
	}
	for name := range b {
		if _, both := a[name]; !both {
			want[name] = InB
		}
	}
	return want
}

var parts = []string{"/", "/", "a", "b", "aa", "a-", "\x00", "日本", "\U0010ffff"}

// Exactly the keys that differ are found, whatever the trees and however deep
// their totals go, and of prefixes those above them.
func TestCompareFindsWhatDiffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := map[string]inventory.Object{}, map[string]inventory.Object{}
		names := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 6), func(p []string) string { return strings.Join(p, "") }), 0, 30).Draw(t, "names")
		for _, name := range names {
			o := inventory.Object{Size: 1, ETag: "e"}
			a[name], b[name] = o, o
			switch rapid.IntRange(0, 7).Draw(t, "change") {
			case 0:
				delete(a, name)
			case 1:
				delete(b, name)
			case 2:
				o.Size = 2
				a[name] = o
			case 3:
				o.ETag = "f"
				b[name] = o
			}
		}
		bases := rapid.SampledFrom([][2]string{{"", ""}, {"x/", "somewhere/else/"}, {"log", "x"}}).Draw(t, "bases")
		depths := rapid.SampledFrom([][2]int{{totals.All, totals.All}, {0, 0}, {1, 2}, {totals.All, 1}}).Draw(t, "depths")
		by := rapid.SampledFrom([]By{Size, ETag}).Draw(t, "by")
		one, _, _ := tree(t, bases[0], depths[0], below(bases[0], a))
		other, _, _ := tree(t, bases[1], depths[1], below(bases[1], b))

		want := keysIn(a, b, by)
		if same, err := Equal(one, other, by); err != nil || same != (len(want) == 0) {
			t.Fatalf("equal: %t, %v; %d keys differ", same, err, len(want))
		}
		got, prefixes := map[string]Where{}, map[string]bool{}
		for d, err := range Compare(context.Background(), one, other, Options{By: by}) {
			if err != nil {
				t.Fatal(err)
			}
			if !d.IsKey {
				prefixes[d.Name] = true
				continue
			}
			if _, twice := got[d.Name]; twice {
				t.Fatalf("key %q comes twice", d.Name)
			}
			got[d.Name] = d.In
			if (d.A != nil) != (d.In != InB) || (d.B != nil) != (d.In != InA) || (d.Why == "") != (d.In != InBoth) {
				t.Fatalf("of key %q: %+v", d.Name, d)
			}
		}
		for name, in := range want {
			if got[name] != in {
				t.Fatalf("key %q is in %q, want %q", name, got[name], in)
			}
			for i := range name {
				if name[i] == '/' && min(depths[0], depths[1]) == totals.All && in == InBoth && !prefixes[name[:i+1]] {
					t.Fatalf("prefix %q of key %q is not said to differ", name[:i+1], name)
				}
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d keys, want %d", len(got), len(want))
		}
		if len(prefixes) > 0 && len(want) == 0 {
			t.Fatalf("prefixes %v differ, and no key does", prefixes)
		}
	})
}

// manyFolders is 40,000 objects in 10,000 folders.
func manyFolders() map[string]inventory.Object {
	objects := map[string]inventory.Object{}
	for i := range 40_000 {
		objects[fmt.Sprintf("%02d/%03d/%d", i/4000, i/4%1000, i%4)] = inventory.Object{Size: int64(i), ETag: "e"}
	}
	return objects
}

// Of equal trees no page is read and no key listed; where one object differs, a
// page or two a level, and the objects of its folder.
func TestCompareGoesDownOnlyWhereTreesDiffer(t *testing.T) {
	same := manyFolders()
	a, pagesA, keysA := tree(t, "", totals.All, below("", same))
	b, pagesB, keysB := tree(t, "copy/", totals.All, below("copy/", same))
	for d, err := range Compare(t.Context(), a, b, Options{By: ETag}) {
		t.Errorf("%+v, %v", d, err)
	}
	if n := pagesA.gets + pagesB.gets; n != 0 || keysA.lists.Load()+keysB.lists.Load() != 0 {
		t.Errorf("equal trees: %d pages were read, %d listings made", n, keysA.lists.Load()+keysB.lists.Load())
	}
	if len(pagesA.pages) < 30 {
		t.Fatalf("%d pages are too few for this test", len(pagesA.pages))
	}

	one := inventory.Object{Size: 1, ETag: "other"}
	same["07/123/3"] = one
	b, pagesB, keysB = tree(t, "copy/", totals.All, below("copy/", same))
	var names []string
	for d, err := range Compare(t.Context(), a, b, Options{By: ETag}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, d.Name)
	}
	if want := []string{"", "07/", "07/123/", "07/123/3"}; !slices.Equal(names, want) {
		t.Errorf("differences %q, want %q", names, want)
	}
	if keysA.lists.Load() != 1 || keysB.lists.Load() != 1 || keysA.listed.Load() != 4 || keysB.listed.Load() != 4 {
		t.Errorf("%d and %d listings of %d and %d keys; want one each, of the 4 keys of one folder",
			keysA.lists.Load(), keysB.lists.Load(), keysA.listed.Load(), keysB.listed.Load())
	}
	most := len(pagesA.pages) / 5 // the 1000 folders of one of ten
	if pagesA.gets > most || pagesB.gets > most {
		t.Errorf("%d and %d pages of %d were read, want at most %d", pagesA.gets, pagesB.gets, len(pagesA.pages), most)
	}
	t.Logf("%d and %d pages of %d", pagesA.gets, pagesB.gets, len(pagesA.pages))
}

// A whole folder that one tree has not is listed at once, however deep it is.
func TestCompareListsAMissingFolderOnce(t *testing.T) {
	same := manyFolders()
	a, _, keysA := tree(t, "", totals.All, below("", same))
	for name := range same {
		if strings.HasPrefix(name, "03/") {
			delete(same, name)
		}
	}
	b, _, keysB := tree(t, "", totals.All, below("", same))
	keys := 0
	for d, err := range Compare(t.Context(), a, b, Options{By: Size}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.IsKey {
			keys++
		} else if d.Name == "03/" && (d.In != InA || d.LineA.Objects != 4000 || d.LineB != nil) {
			t.Errorf("%+v", d)
		}
	}
	if keys != 4000 || keysA.lists.Load() != 1 || keysB.lists.Load() != 0 {
		t.Errorf("%d keys by %d and %d listings", keys, keysA.lists.Load(), keysB.lists.Load())
	}
}

// Objects whose ETags differ may be the same.
func TestSameDecidesAboutETags(t *testing.T) {
	a, _, _ := tree(t, "", totals.All, below("", map[string]inventory.Object{"a": {Size: 1, ETag: "1"}, "b": {Size: 1, ETag: "1"}, "c": {Size: 1}}))
	b, _, _ := tree(t, "", totals.All, below("", map[string]inventory.Object{"a": {Size: 1, ETag: "2"}, "b": {Size: 1, ETag: "2"}, "c": {Size: 2}}))
	var whys []string
	for d, err := range Compare(t.Context(), a, b, Options{By: ETag, Same: func(_ context.Context, a, _ *inventory.Object) (bool, string, error) {
		return a.Key == "a", "checksum", nil
	}}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.IsKey {
			whys = append(whys, d.Name+" "+d.Why)
		}
	}
	if want := []string{"b checksum", "c size"}; !slices.Equal(whys, want) {
		t.Errorf("got %q, want %q", whys, want)
	}
	broken := errors.New("broken")
	var err error
	for _, err = range Compare(t.Context(), a, b, Options{By: ETag, Same: func(context.Context, *inventory.Object, *inventory.Object) (bool, string, error) {
		return false, "", broken
	}}) {
	}
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// Who reads may stop, a listing may fail, and the caller's context may end: that is
// never taken for the end of what differs.
func TestCompareEnds(t *testing.T) {
	same := manyFolders()
	a, _, _ := tree(t, "", totals.All, below("", same))
	for name, o := range same {
		o.Size++
		same[name] = o
	}
	b, _, keys := tree(t, "", totals.All, below("", same))
	for _, err := range Compare(t.Context(), a, b, Options{By: Size}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var err error
	n := 0
	for _, err = range Compare(ctx, a, b, Options{By: Size}) {
		if n++; n == 100 {
			cancel()
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	keys.err = errors.New("broken")
	for _, err = range Compare(t.Context(), a, b, Options{By: Size}) {
	}
	if !errors.Is(err, keys.err) {
		t.Errorf("got %v", err)
	}
}

func TestCompareWithoutDigests(t *testing.T) {
	a, _, _ := tree(t, "", totals.All, below("", map[string]inventory.Object{"a": {}}))
	s := &shelf{}
	l := totals.Line{}
	l.Add(&inventory.Object{Key: "a"})
	if err := totals.Keep(t.Context(), s, func(yield func(totals.Line, error) bool) { yield(l, nil) }); err != nil {
		t.Fatal(err)
	}
	book, err := totals.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Equal(a, &Tree{Book: book}, ETag); !errors.Is(err, ErrNoDigests) {
		t.Errorf("got %v", err)
	}
	for _, err = range Compare(t.Context(), a, &Tree{Book: book}, Options{By: ETag}) {
	}
	if !errors.Is(err, ErrNoDigests) {
		t.Errorf("got %v", err)
	}
}
