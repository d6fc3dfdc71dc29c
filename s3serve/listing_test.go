package s3serve

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"pgregory.net/rapid"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTreeServesTheFilesOfAFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a-b/x": "1", "a/y": "22", "a.txt": "hello, tree", "empty": "", "later gone": "?"} {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	if err := os.Symlink("/", filepath.Join(dir, "a", "out")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	l, err := Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	if l.Skipped() != 1 {
		t.Errorf("skipped %d entries, want the link only", l.Skipped())
	}
	c := client(t, start(t, New(Options{Buckets: map[string]*Listing{"b": l}})).URL())
	// Not the order in which folders are walked.
	if got, want := walk(t, c, s3.ListObjectsV2Input{}).keys, []string{"a-b/x", "a.txt", "a/y", "empty", "later gone"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	get := func(key, span string) string {
		g, err := c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: &key, Range: aws.String(span)})
		if err != nil {
			return err.Error()
		}
		body, _ := io.ReadAll(g.Body)
		return string(body)
	}
	if got := get("a.txt", "bytes=0-"); got != "hello, tree" {
		t.Errorf("a.txt: %q", got)
	}
	if got := get("a.txt", "bytes=7-10"); got != "tree" {
		t.Errorf("a.txt, the end: %q", got)
	}
	if err := os.Remove(filepath.Join(dir, "later gone")); err != nil {
		t.Fatal(err)
	}
	if got := get("later gone", ""); !strings.Contains(got, "NoSuchKey") {
		t.Errorf("a file that has gone: %q", got)
	}
	again, err := Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	was, _ := l.Get("a/y")
	if is, ok := again.Get("a/y"); !ok || is != was {
		t.Errorf("an unchanged file became %+v, was %+v", is, was)
	}
	if _, err := Tree(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that does not exist was listed")
	}
}

func TestKeysAreReadInAnyOrderAndDerivedTheSame(t *testing.T) {
	keys := sampleKeys(t)
	shuffled := slices.Clone(keys)
	slices.Reverse(shuffled)
	a, err := Keys(strings.NewReader(strings.Join(keys, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Keys(strings.NewReader(strings.Join(shuffled, "\n") + "\n\n" + keys[0] + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Collect(a.All())
	if !slices.Equal(all, slices.Collect(b.All())) || len(all) != len(keys) || b.Len() != len(keys) {
		t.Error("the order of lines shows")
	}
	var big int
	for i, o := range all {
		if o.Key != keys[i] || o.Size < 0 || o.Size >= 1<<20 || o.LastModified.Year() < 2016 || o.LastModified.Year() > 2023 {
			t.Fatalf("object %d: %+v", i, o)
		}
		if o.Size > 1<<16 {
			big++
		}
	}
	if big == 0 {
		t.Error("all objects are small")
	}
	// Written down, since results recorded elsewhere are compared with them.
	want := Object{
		Key: "bin/abpoa", Size: 14818, LastModified: time.Date(2020, 2, 22, 19, 10, 25, 0, time.UTC),
		ETag: "105a9fa929d22282fe68f2b81a30f148-1", StorageClass: DefaultStorageClass,
	}
	if o := all[0]; o != want {
		t.Errorf("got %+v, want %+v", o, want)
	}
	for _, bad := range []string{"ok\n" + strings.Repeat("k", 1025), "\xff"} {
		if _, err := Keys(strings.NewReader(bad)); err == nil || !strings.HasPrefix(err.Error(), "read keys: line ") {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
}

func TestKeysMayHoldLineFeeds(t *testing.T) {
	l, err := FromKeys(slices.Values([]string{"b", "a\nb", "b"}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for o := range l.All() {
		got = append(got, o.Key)
	}
	if !slices.Equal(got, []string{"a\nb", "b"}) {
		t.Errorf("got %q", got)
	}
	if _, err := FromKeys(slices.Values([]string{"\xff"})); err == nil {
		t.Error("an invalid key was listed")
	}
}

// TestPagesStayConsistentWhileTheBucketChanges moves a pair of objects around
// as one: a page that showed none or two would have seen a change half made.
func TestPagesStayConsistentWhileTheBucketChanges(t *testing.T) {
	l := listing(t, append(slices.Clone(sampleKeys(t)[:100]), "zz/0")...)
	h := New(Options{Buckets: map[string]*Listing{"b": l}})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 300 {
			if err := l.Mutate([]Object{{Key: "zz/" + itoa(i+1)}}, []string{"zz/" + itoa(i)}); err != nil {
				t.Error(err)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for range 200 {
				w := call(h, http.MethodGet, "/b?list-type=2")
				if n := strings.Count(w.Body.String(), "<Key>zz/"); n != 1 {
					t.Errorf("%d of the keys that replace each other", n)
					return
				}
			}
		})
	}
	wg.Wait()
	if o, ok := l.Get("zz/300"); !ok || l.Len() != 101 {
		t.Errorf("%+v, %d objects", o, l.Len())
	}
	if err := l.Mutate([]Object{{Key: "fine"}, {Key: ""}}, []string{"zz/300"}); err == nil || l.Len() != 101 {
		t.Errorf("an invalid change: %v, and %d objects", err, l.Len())
	}
}

func TestTimesAreWrittenAsS3Writes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.Int64Range(-62135596800, 253402300799).Draw(rt, "seconds") // years 1 to 9999
		if got, want := string(appendTime(nil, s)), time.Unix(s, 0).UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			rt.Fatalf("got %s, want %s", got, want)
		}
	})
}
