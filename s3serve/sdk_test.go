package s3serve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// serving starts a server for bucket b with the keys and a client of it.
func serving(t testing.TB, keys ...string) *s3.Client {
	t.Helper()
	return client(t, start(t, New(Options{Buckets: map[string]*Listing{"b": listing(t, keys...)}})).URL())
}

func TestAwkwardKeysAreListedAndRead(t *testing.T) {
	c := serving(t, awkward...)
	for _, size := range []int32{1, 2, 7, 1000} {
		got := walk(t, c, s3.ListObjectsV2Input{MaxKeys: &size})
		if !slices.Equal(got.keys, sorted(awkward)) {
			t.Errorf("pages of %d: got %q, want %q", size, got.keys, sorted(awkward))
		}
		keys, prefixes := reference(awkward, "dir/", "/", "")
		got = walk(t, c, s3.ListObjectsV2Input{MaxKeys: &size, Prefix: aws.String("dir/"), Delimiter: aws.String("/")})
		if !slices.Equal(got.keys, keys) || !slices.Equal(got.prefixes, prefixes) {
			t.Errorf("below dir/: got %q and %q, want %q and %q", got.keys, got.prefixes, keys, prefixes)
		}
	}
	for _, k := range awkward {
		_, err := c.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String("b"), Key: &k})
		if err != nil {
			t.Errorf("head %q: %v", k, err)
		}
		after := walk(t, c, s3.ListObjectsV2Input{StartAfter: &k})
		if want, _ := reference(awkward, "", "", k); !slices.Equal(after.keys, want) {
			t.Errorf("after %q: got %q, want %q", k, after.keys, want)
		}
	}
}

// A key in UTF-16 order would stand the other way round.
func TestKeysAreInTheOrderOfTheirBytes(t *testing.T) {
	got := walk(t, serving(t, "\U00010000", "\uff5e"), s3.ListObjectsV2Input{})
	if want := []string{"\uff5e", "\U00010000"}; !slices.Equal(got.keys, want) {
		t.Errorf("got %q, want %q", got.keys, want)
	}
}

// As on S3: what XML 1.0 cannot carry breaks a client that does not ask for
// encoding-type=url.
func TestControlCharacterBreaksAClientWithoutURLEncoding(t *testing.T) {
	c := serving(t, "plain & <simple>", "bad\x01")
	in := s3.ListObjectsV2Input{Bucket: aws.String("b"), MaxKeys: aws.Int32(1), StartAfter: aws.String("c")}
	p, err := c.ListObjectsV2(context.Background(), &in)
	if err != nil || *p.Contents[0].Key != "plain & <simple>" || *p.StartAfter != "c" {
		t.Fatalf("got %+v, %v", p, err)
	}
	in.StartAfter = nil
	if _, err = c.ListObjectsV2(context.Background(), &in); err == nil {
		t.Error("a key with \\x01 was read")
	}
}

func TestObjectsAreReadAsListed(t *testing.T) {
	when := time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC)
	l, err := FromObjects([]Object{
		{Key: "cold", Size: 10, LastModified: when, ETag: `"abc"`, StorageClass: "GLACIER"},
		{Key: "plain", Size: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, start(t, New(Options{Buckets: map[string]*Listing{"b": l}})).URL())
	p, err := c.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: aws.String("b")})
	if err != nil {
		t.Fatal(err)
	}
	o := p.Contents[0]
	if *o.Key != "cold" || *o.Size != 10 || !o.LastModified.Equal(when) || *o.ETag != `"abc"` || o.StorageClass != types.ObjectStorageClassGlacier {
		t.Errorf("listed %+v", o)
	}
	for _, o := range p.Contents {
		g, err := c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(g.Body)
		if err != nil || int64(len(body)) != *o.Size || *g.ContentLength != *o.Size {
			t.Errorf("%s: %d bytes of %d, %v", *o.Key, len(body), *o.Size, err)
		}
		if *g.ETag != *o.ETag || !g.LastModified.Equal(*o.LastModified) {
			t.Errorf("%s: got %s of %v, listed %s of %v", *o.Key, *g.ETag, g.LastModified, *o.ETag, o.LastModified)
		}
	}
	r, err := c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("cold"), Range: aws.String("bytes=2-5")})
	if err != nil || *r.ContentLength != 4 || *r.ContentRange != "bytes 2-5/10" {
		t.Errorf("range: %+v, %v", r, err)
	}
	_, err = c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("cold"), Range: aws.String("bytes=10-")})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "InvalidRange" {
		t.Errorf("range past the end: %v", err)
	}
}

func TestErrorsAreThoseOfS3(t *testing.T) {
	c, ctx, b, none := serving(t, "k"), context.Background(), aws.String("b"), aws.String("none")
	list := func(in s3.ListObjectsV2Input) error {
		_, err := c.ListObjectsV2(ctx, &in)
		return err
	}
	get := func(in s3.GetObjectInput) error {
		_, err := c.GetObject(ctx, &in)
		return err
	}
	put := func() error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("k"), Body: strings.NewReader("")})
		return err
	}
	head := func() error {
		_, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: none})
		return err
	}
	for want, err := range map[string]error{
		"NoSuchBucket":    list(s3.ListObjectsV2Input{Bucket: none}),
		"InvalidArgument": list(s3.ListObjectsV2Input{Bucket: b, ContinuationToken: aws.String("made up")}),
		// S3 has no satisfiable range of nothing, where net/http would answer 200.
		"InvalidRange": get(s3.GetObjectInput{Bucket: b, Key: aws.String("k"), Range: aws.String("bytes=0-")}),
		"NoSuchKey":    get(s3.GetObjectInput{Bucket: b, Key: none}),
		"AccessDenied": put(),
		"NotFound":     head(),
	} {
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, query := range []string{"max-keys=-1", "max-keys=many", "encoding-type=base64", "continuation-token="} {
		h := New(Options{Buckets: map[string]*Listing{"b": listing(t, "k")}})
		if w := call(h, http.MethodGet, "/b?list-type=2&"+query); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "<Code>InvalidArgument</Code>") {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

func TestBucketsAreFound(t *testing.T) {
	h := New(Options{Buckets: map[string]*Listing{"b": listing(t, "k"), "a.b": listing(t)}, Region: "eu-central-1"})
	s := start(t, h)
	c, ctx := client(t, s.URL()), context.Background()
	all, err := c.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil || len(all.Buckets) != 2 || *all.Buckets[0].Name != "a.b" || *all.Buckets[1].Name != "b" {
		t.Errorf("buckets: %+v, %v", all, err)
	}
	at, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("b")})
	if err != nil || at.LocationConstraint != types.BucketLocationConstraintEuCentral1 {
		t.Errorf("location: %+v, %v", at, err)
	}
	hb, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("b")})
	if err != nil || *hb.BucketRegion != "eu-central-1" {
		t.Errorf("head: %+v, %v", hb, err)
	}

	byHost := client(t, "http://localhost", func(o *s3.Options) {
		o.UsePathStyle = false
		dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(s.URL(), "http://"))
		}
		tr := &http.Transport{DialContext: dial}
		t.Cleanup(tr.CloseIdleConnections)
		o.HTTPClient = &http.Client{Transport: tr}
	})
	if got := walk(t, byHost, s3.ListObjectsV2Input{}); !slices.Equal(got.keys, []string{"k"}) {
		t.Errorf("addressed by host: %q", got.keys)
	}
}
