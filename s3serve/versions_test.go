package s3serve

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// versionsOf lists all pages of versions by the SDK, as "key version flags", and
// common prefixes.
func versionsOf(t *testing.T, c *s3.Client, in s3.ListObjectVersionsInput) (got, prefixes []string) {
	t.Helper()
	in.Bucket, in.EncodingType = aws.String("b"), types.EncodingTypeUrl
	for {
		p, err := c.ListObjectVersions(context.Background(), &in)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range p.Versions {
			got = append(got, fmt.Sprintf("%s %s %v %d", unescape(t, *v.Key), *v.VersionId, *v.IsLatest, *v.Size))
		}
		for _, v := range p.DeleteMarkers {
			got = append(got, fmt.Sprintf("%s %s %v deleted", unescape(t, *v.Key), *v.VersionId, *v.IsLatest))
		}
		for _, cp := range p.CommonPrefixes {
			prefixes = append(prefixes, unescape(t, *cp.Prefix))
		}
		if !*p.IsTruncated {
			slices.Sort(got) // the SDK tells versions and delete markers apart
			return got, prefixes
		}
		in.KeyMarker, in.VersionIdMarker = aws.String(unescape(t, aws.ToString(p.NextKeyMarker))), p.NextVersionIdMarker
	}
}

func TestVersionsAreListedInPages(t *testing.T) {
	l, err := FromVersions([]Version{
		{Object: Object{Key: "d/x y", Size: 1}, ID: "1"},
		{Object: Object{Key: "a"}, ID: "9", DeleteMarker: true},
		{Object: Object{Key: "a", Size: 3}, ID: "8"},
		{Object: Object{Key: "a", Size: 2}},
		{Object: Object{Key: "d/z", Size: 5}, ID: "3"},
		{Object: Object{Key: "d/z", Size: 4}, ID: "2"},
		{Object: Object{Key: "e", Size: 6}, ID: "7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, start(t, New(Options{Buckets: map[string]*Listing{"b": l}})).URL())
	all := []string{"a 8 false 3", "a 9 true deleted", "a null false 2", "d/x y 1 true 1", "d/z 2 false 4", "d/z 3 true 5", "e 7 true 6"}
	for size := range int32(8) {
		size++
		if got, _ := versionsOf(t, c, s3.ListObjectVersionsInput{MaxKeys: &size}); !slices.Equal(got, all) {
			t.Errorf("pages of %d: %q", size, got)
		}
		got, prefixes := versionsOf(t, c, s3.ListObjectVersionsInput{MaxKeys: &size, Delimiter: aws.String("/")})
		if !slices.Equal(got, append(slices.Clone(all[:3]), all[6])) || !slices.Equal(prefixes, []string{"d/"}) {
			t.Errorf("pages of %d with a delimiter: %q, %q", size, got, prefixes)
		}
		if got, _ = versionsOf(t, c, s3.ListObjectVersionsInput{MaxKeys: &size, Prefix: aws.String("d/")}); !slices.Equal(got, all[3:6]) {
			t.Errorf("pages of %d below d/: %q", size, got)
		}
	}
	if got, _ := versionsOf(t, c, s3.ListObjectVersionsInput{KeyMarker: aws.String("a")}); !slices.Equal(got, all[3:]) {
		t.Errorf("after a: %q", got)
	}
	if got := walk(t, c, s3.ListObjectsV2Input{}); !slices.Equal(got.keys, []string{"d/x y", "d/z", "e"}) {
		t.Errorf("objects: %q", got.keys)
	}
	if err := l.Mutate(nil, []string{"e"}); err == nil {
		t.Error("a listing of versions was changed")
	}
}

// Without versioning every object is its only version, as on S3.
func TestVersionsWithoutVersioning(t *testing.T) {
	c := serving(t, "a", "b/c")
	got, _ := versionsOf(t, c, s3.ListObjectVersionsInput{MaxKeys: aws.Int32(1)})
	if len(got) != 2 || got[0][:11] != "a null true" || got[1][:13] != "b/c null true" {
		t.Errorf("got %q", got)
	}
	_, err := c.ListObjectVersions(context.Background(), &s3.ListObjectVersionsInput{Bucket: aws.String("b"), KeyMarker: aws.String("a"), VersionIdMarker: aws.String("none")})
	if err == nil {
		t.Error("a version that is not there was taken for a marker")
	}
	if _, err := FromVersions([]Version{{Object: Object{Key: "a"}}, {Object: Object{Key: "a"}, ID: "null"}}); err == nil {
		t.Error("the same version was taken twice")
	}
}
