package s3serve

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// reference is what S3's documentation says a whole listing holds, key by key.
func reference(keys []string, prefix, delimiter, after string) (objects, prefixes []string) {
	for _, k := range sorted(keys) {
		rest, ok := strings.CutPrefix(k, prefix)
		if !ok {
			continue
		}
		item, rolled := k, false
		if at := strings.Index(rest, delimiter); delimiter != "" && at >= 0 {
			item, rolled = prefix+rest[:at+len(delimiter)], true
		}
		switch {
		case item <= after:
		case !rolled:
			objects = append(objects, item)
		case len(prefixes) == 0 || prefixes[len(prefixes)-1] != item:
			prefixes = append(prefixes, item)
		}
	}
	return objects, prefixes
}

// TestPagingIsTheWholeListingCutUp checks any listing, in pages of any size,
// against the reference: nothing twice, nothing left out, pages full but the
// last, truncated exactly where more follows.
func TestPagingIsTheWholeListingCutUp(t *testing.T) {
	part := rapid.StringOfN(rapid.RuneFrom([]rune("ab/-\u00ff\uffff\U00010000 ")), 0, 6, -1)
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.SliceOfN(part.Filter(func(s string) bool { return s != "" }), 0, 60).Draw(rt, "keys")
		prefix := rapid.OneOf(rapid.Just(""), part).Draw(rt, "prefix")
		delimiter := rapid.SampledFrom([]string{"", "/", "-", "a/", "//", "\uffff"}).Draw(rt, "delimiter")
		after := rapid.OneOf(rapid.Just(""), part).Draw(rt, "start-after")
		size := rapid.IntRange(1, 20).Draw(rt, "max-keys")
		wantKeys, wantPrefixes := reference(keys, prefix, delimiter, after)

		h := New(Options{Buckets: map[string]*Listing{"b": listing(t, keys...)}})
		q := url.Values{"prefix": {prefix}, "delimiter": {delimiter}, "start-after": {after}, "max-keys": {itoa(size)}, "encoding-type": {"url"}}
		var gotKeys, gotPrefixes []string
		for left := len(wantKeys) + len(wantPrefixes); ; {
			p := list(t, h, q)
			if p.KeyCount != len(p.Contents)+len(p.CommonPrefixes) || p.KeyCount != min(size, left) {
				rt.Fatalf("KeyCount %d, %d keys, %d prefixes, with %d of %d left", p.KeyCount, len(p.Contents), len(p.CommonPrefixes), left, size)
			}
			for _, o := range p.Contents {
				gotKeys = append(gotKeys, unescape(t, o.Key))
			}
			for _, cp := range p.CommonPrefixes {
				gotPrefixes = append(gotPrefixes, unescape(t, cp.Prefix))
			}
			left -= p.KeyCount
			if p.IsTruncated != (left > 0) || p.IsTruncated != (p.NextContinuationToken != "") {
				rt.Fatalf("truncated %v, token %q, with %d left", p.IsTruncated, p.NextContinuationToken, left)
			}
			if !p.IsTruncated {
				break
			}
			q.Set("continuation-token", p.NextContinuationToken)
		}
		if !slices.Equal(gotKeys, wantKeys) || !slices.Equal(gotPrefixes, wantPrefixes) {
			rt.Fatalf("got %q and %q, want %q and %q", gotKeys, gotPrefixes, wantKeys, wantPrefixes)
		}
	})
}

// TestMutateIsASortedMap checks any series of changes against a map.
func TestMutateIsASortedMap(t *testing.T) {
	key := rapid.StringMatching(`[a-c/]{1,3}`)
	rapid.Check(t, func(rt *rapid.T) {
		l := listing(t)
		want := map[string]int64{}
		for range rapid.IntRange(1, 5).Draw(rt, "changes") {
			remove := rapid.SliceOfN(key, 0, 8).Draw(rt, "remove")
			var put []Object
			for i, k := range rapid.SliceOfN(key, 0, 8).Draw(rt, "put") {
				put = append(put, Object{Key: k, Size: int64(i)})
			}
			for _, k := range remove {
				delete(want, k)
			}
			for _, o := range put {
				want[o.Key] = o.Size
			}
			if err := l.Mutate(put, remove); err != nil {
				rt.Fatal(err)
			}
			last, n := "", 0
			for o := range l.All() {
				if size, ok := want[o.Key]; !ok || size != o.Size || o.Key <= last {
					rt.Fatalf("after %q: %q of %d, want %v", last, o.Key, o.Size, want)
				}
				last, n = o.Key, n+1
			}
			if n != len(want) {
				rt.Fatalf("%d objects, want %d", n, len(want))
			}
		}
	})
}
