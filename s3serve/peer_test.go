package s3serve

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// TestAgreesWithAnotherServer holds listings against those of a server written
// by others, on real keys.
func TestAgreesWithAnotherServer(t *testing.T) {
	keys := sampleKeys(t)
	// A slice of each shape: flat, deep, wide and the border between two.
	keys = slices.Concat(keys[:50], keys[700:800], keys[6000:6100], keys[9500:9600], keys[15000:15300])
	objects := make([]Object, len(keys))
	peer := s3mem.New()
	if err := peer.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		objects[i] = Object{Key: k, Size: int64(i)}
		if _, err := peer.PutObject("bucket", k, nil, strings.NewReader(strings.Repeat("x", i)), int64(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	l, err := FromObjects(objects)
	if err != nil {
		t.Fatal(err)
	}
	ours := client(t, start(t, New(Options{Buckets: map[string]*Listing{"bucket": l}})).URL())
	fake := httptest.NewServer(gofakes3.New(peer).Server())
	t.Cleanup(fake.Close)
	theirs := client(t, fake.URL)

	for _, delimiter := range []string{"", "/"} {
		for _, prefix := range []string{"", "bin/", "usr/", "usr/share/doc/", "usr/share/doc/lib", "none/"} {
			in := s3.ListObjectsV2Input{Bucket: aws.String("bucket"), Prefix: &prefix}
			if delimiter != "" {
				in.Delimiter = &delimiter
			}
			want := wholeOf(t, theirs, in)
			for _, size := range []int32{1, 3, 100, 1000} {
				in.MaxKeys = &size
				got := walk(t, ours, in)
				if !slices.Equal(got.keys, want.keys) || !slices.Equal(got.sizes, want.sizes) || !slices.Equal(got.prefixes, want.prefixes) {
					t.Errorf("prefix %q, delimiter %q, pages of %d: %d keys and %q; the other server has %d keys and %q",
						prefix, delimiter, size, len(got.keys), got.prefixes, len(want.keys), want.prefixes)
				}
				if n := len(got.keys) + len(got.prefixes); got.pages != max(1, (n+int(size)-1)/int(size)) {
					t.Errorf("prefix %q, delimiter %q: %d pages of %d for %d", prefix, delimiter, got.pages, size, n)
				}
			}
		}
	}
}

// wholeOf lists in one page: the other server repeats common prefixes between
// pages, and does not encode keys when asked to.
func wholeOf(t *testing.T, c *s3.Client, in s3.ListObjectsV2Input) (out walked) {
	t.Helper()
	p, err := c.ListObjectsV2(context.Background(), &in)
	if err != nil || aws.ToBool(p.IsTruncated) {
		t.Fatalf("list whole: truncated or %v", err)
	}
	for _, o := range p.Contents {
		out.keys = append(out.keys, *o.Key)
		out.sizes = append(out.sizes, *o.Size)
	}
	for _, cp := range p.CommonPrefixes {
		out.prefixes = append(out.prefixes, *cp.Prefix)
	}
	return out
}
