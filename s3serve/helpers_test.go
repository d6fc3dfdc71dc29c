package s3serve

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ramify/ramify/s3serve/sample"
)

// awkward are keys that have broken S3 clients.
var awkward = []string{
	" leading space", "a b", "a+b", "a%2Fb", "100%", "a&b<c>\"d'",
	"//", "//double", "/leading", "dir//empty", "dir", "dir/", "dir/file", "dir.", "dir0",
	"ctl/\x01", "ctl/\t\n\r", "ctl/\x7f", "ctl/\u0085",
	"emoji/\U0001F600", "utf/\uff5e", "utf/\ufffd", "utf/\uffff", "utf/\U00010000", "utf/\U0010ffff",
	"..", "./.", "é", "e\u0301", "?x=1#y",
	strings.Repeat("k", 1024), strings.Repeat("d/", 511) + "kk",
}

func listing(t testing.TB, keys ...string) *Listing {
	t.Helper()
	objects := make([]Object, len(keys))
	for i, k := range keys {
		objects[i] = Object{Key: k}
	}
	l, err := FromObjects(objects)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func sampleKeys(t testing.TB) []string {
	t.Helper()
	keys, err := sample.Keys()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func start(t testing.TB, h http.Handler) *Server {
	t.Helper()
	s, err := Start(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client is the AWS SDK's own, retrying without pauses.
func client(t testing.TB, endpoint string, opts ...func(*s3.Options)) *s3.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint),
		Region:       DefaultRegion,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient:   &http.Client{Transport: transport},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = 20
			o.RateLimiter = ratelimit.None
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	}, opts...)
}

// walked is what a walk of all pages has found.
type walked struct {
	keys, prefixes []string
	sizes          []int64
	pages          int
}

// walk lists all pages, and checks what every page must keep to.
func walk(t testing.TB, c *s3.Client, in s3.ListObjectsV2Input) walked {
	t.Helper()
	if in.Bucket == nil {
		in.Bucket = aws.String("b")
	}
	in.EncodingType = types.EncodingTypeUrl
	var out walked
	for {
		p, err := c.ListObjectsV2(context.Background(), &in)
		if err != nil {
			t.Fatal(err)
		}
		out.pages++
		if n := len(p.Contents) + len(p.CommonPrefixes); int(aws.ToInt32(p.KeyCount)) != n {
			t.Fatalf("KeyCount %d on a page of %d", aws.ToInt32(p.KeyCount), n)
		} else if in.MaxKeys != nil && n > int(*in.MaxKeys) {
			t.Fatalf("%d on a page of at most %d", n, *in.MaxKeys)
		}
		for _, o := range p.Contents {
			out.keys = append(out.keys, unescape(t, *o.Key))
			out.sizes = append(out.sizes, *o.Size)
		}
		for _, cp := range p.CommonPrefixes {
			out.prefixes = append(out.prefixes, unescape(t, *cp.Prefix))
		}
		if !aws.ToBool(p.IsTruncated) {
			return out
		}
		in.ContinuationToken = p.NextContinuationToken
	}
}

func unescape(t testing.TB, s string) string {
	t.Helper()
	u, err := url.QueryUnescape(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// listResult is the answer to ListObjectsV2 as encoding/xml reads it.
type listResult struct {
	Name, Prefix, Delimiter, StartAfter, EncodingType string
	ContinuationToken, NextContinuationToken          string
	KeyCount, MaxKeys                                 int
	IsTruncated                                       bool
	Contents                                          []struct {
		Key, LastModified, ETag, StorageClass string
		Size                                  int64
	}
	CommonPrefixes []struct{ Prefix string }
}

// call sends a request straight to the handler.
func call(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

// list sends one ListObjectsV2 to the handler, without a network between.
func list(t testing.TB, h http.Handler, query url.Values) listResult {
	t.Helper()
	query.Set("list-type", "2")
	w := call(h, http.MethodGet, "/b?"+query.Encode())
	if w.Code != http.StatusOK {
		t.Fatalf("list %v: %d %s", query, w.Code, w.Body)
	}
	var r listResult
	if err := xml.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("list %v: %v", query, err)
	}
	return r
}

func sorted(keys []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(keys)))
}

func itoa(n int) string { return strconv.Itoa(n) }
