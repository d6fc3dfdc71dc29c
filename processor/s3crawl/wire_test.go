package s3crawl

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ramify/ramify/s3client"
)

// canned answers every request with the next body; the last is repeated.
func canned(t *testing.T, bodies ...string) (*Client, *int) {
	t.Helper()
	asked := new(int)
	return clientOf(t, "http://bucket.invalid", func(cfg *aws.Config) {
		cfg.HTTPClient = doer(func(*http.Request) *http.Response {
			body := bodies[min(*asked, len(bodies)-1)]
			*asked++
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
		})
	}), asked
}

const goodListing = `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><KeyCount>2</KeyCount>` +
	`<Contents><Key>p/a+b</Key><Size>3</Size></Contents><Contents><Key>p/c</Key></Contents></ListBucketResult>`

// A page that cannot be trusted is asked for again, and is an error if it stays
// so.
func TestBadAnswersAreAskedForAgain(t *testing.T) {
	replaced := func(what, by string) string { return strings.Replace(goodListing, what, by, 1) }
	for name, bad := range map[string]string{
		"no IsTruncated":       replaced("<IsTruncated>false</IsTruncated>", ""),
		"odd IsTruncated":      replaced("false", "no"),
		"miscounted":           replaced(">2<", ">3<"),
		"a key is missing":     replaced("<Contents><Key>p/c</Key></Contents>", ""),
		"out of order":         replaced("p/c", "p/"),
		"not below the prefix": replaced("p/c", "q"),
		"not URL-encoded":      replaced("p/c", "p/%ZZ"),
		"not UTF-8":            replaced("p/c", "p/%ff"),
		"cut short":            goodListing[:len(goodListing)-30],
		"not a listing":        "<Other/>",
		"nothing":              "",
	} {
		t.Run(name, func(t *testing.T) {
			c, asked := canned(t, bad, bad, goodListing)
			pg, err := c.List(t.Context(), Query{Bucket: "b", Prefix: "p/"})
			if err != nil || len(pg.Objects) != 2 || *asked != 3 {
				t.Fatalf("%d objects after %d requests: %v", len(pg.Objects), *asked, err)
			}
			c, asked = canned(t, bad)
			_, err = c.List(t.Context(), Query{Bucket: "b", Prefix: "p/"})
			if err == nil || *asked != s3client.Attempts {
				t.Fatalf("after %d requests: %v", *asked, err)
			}
			if text := explain(Query{Bucket: "b"}, err).Error(); strings.Contains(text, "\n") || !strings.Contains(text, fmt.Sprintf("(%d attempts)", s3client.Attempts)) {
				t.Errorf("%s", text)
			}
		})
	}
}

// What listxml is in doubt of, the SDK's decoder decides, and to the same page.
func TestDoubtsAreLeftToTheSDK(t *testing.T) {
	object := `<Contents><Key>p%2Fa+b</Key><Size>3</Size><LastModified>2024-02-03T04:05:06.789Z</LastModified><ETag>&quot;e&quot;</ETag><StorageClass>GLACIER</StorageClass></Contents>`
	plain := `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><KeyCount>2</KeyCount>` + object + `<CommonPrefixes><Prefix>p%2Fq%2F</Prefix></CommonPrefixes></ListBucketResult>`
	list := func(body string) Page {
		c, asked := canned(t, body)
		pg, err := c.List(t.Context(), Query{Bucket: "b", Prefix: "p/", Delimiter: "/", ETags: true})
		if err != nil || *asked != 1 {
			t.Fatalf("%d requests: %v", *asked, err)
		}
		return pg
	}
	want := list(plain)
	if o := want.Objects[0]; o.Key != "p/a b" || o.Bucket != "b" || o.ETag != "e" || want.Prefixes[0] != "p/q/" || want.Token != "t" || !want.More {
		t.Fatalf("got %+v", want)
	}
	for _, odd := range []string{
		"text " + plain, strings.ReplaceAll(plain, "Key>", "key>"), "<!DOCTYPE x>" + plain, strings.Replace(plain, "true", "True", 1),
		strings.ReplaceAll(plain, "ListBucketResult", "Listing"), strings.Replace(plain, "<Size>3", "<Size>+3", 1),
	} {
		got := list(odd)
		if len(got.Objects) != 1 || got.Objects[0] != want.Objects[0] || got.Prefixes[0] != "p/q/" || got.Token != "t" || !got.More {
			t.Errorf("%.60s: got %+v", odd, got)
		}
	}
}

// A server that says how much it sends is held to it, and nothing endless is read.
func TestBodiesAreBounded(t *testing.T) {
	for name, length := range map[string]int64{"longer than sent": int64(len(goodListing)) + 1, "too long": s3client.MaxAnswer + 1} {
		c := clientOf(t, "http://bucket.invalid", func(cfg *aws.Config) {
			cfg.HTTPClient = doer(func(*http.Request) *http.Response {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: length, Body: io.NopCloser(strings.NewReader(goodListing))}
			})
		})
		if _, err := c.List(t.Context(), Query{Bucket: "b"}); !s3client.Unread(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	endless := clientOf(t, "http://bucket.invalid", func(cfg *aws.Config) {
		cfg.RetryMaxAttempts = 1
		cfg.HTTPClient = doer(func(*http.Request) *http.Response {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(io.MultiReader(strings.NewReader(goodListing), &spaces{left: 2 * s3client.MaxAnswer}))}
		})
	})
	if _, err := endless.list(t.Context(), &Query{Bucket: "b"}, 1, func(o *s3.Options) { o.RetryMaxAttempts = 1 }); !s3client.Unread(err) || !strings.Contains(err.Error(), "body of more than") {
		t.Errorf("endless: %v", err)
	}
}

type spaces struct{ left int }

func (s *spaces) Read(b []byte) (int, error) {
	n := min(s.left, len(b))
	if s.left -= n; n == 0 {
		return 0, io.EOF
	}
	for i := range b[:n] {
		b[i] = ' '
	}
	return n, nil
}

// A token longer than any key's does not hide that there is more.
func TestLongTokens(t *testing.T) {
	token := strings.Repeat("a+/=", 2000)
	c, _ := canned(t, `<ListBucketResult><Contents><Key>k</Key></Contents><NextContinuationToken>`+token+`</NextContinuationToken><KeyCount>1</KeyCount><IsTruncated>true</IsTruncated></ListBucketResult>`)
	if pg, err := c.List(t.Context(), Query{Bucket: "b"}); err != nil || !pg.More || pg.Token != token {
		t.Errorf("more %v, %d bytes of token, %v", pg.More, len(pg.Token), err)
	}
}

// An answer of 200 that holds an error is one, as with the SDK.
func TestErrorUnder200(t *testing.T) {
	c, asked := canned(t, `<Error><Code>SlowDown</Code><Message>Slow.</Message></Error>`, goodListing)
	if pg, err := c.List(t.Context(), Query{Bucket: "b"}); err != nil || len(pg.Objects) != 2 || *asked != 2 {
		t.Errorf("%d requests: %v", *asked, err)
	}
}

// Each attempt waits its turn, repeated ones too, and what a bucket refuses
// because it is asked too much is counted.
func TestAttemptsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begin := time.Now()
		c := clientOf(t, "http://bucket.invalid", func(cfg *aws.Config) {
			cfg.HTTPClient = doer(func(*http.Request) *http.Response {
				at = append(at, time.Since(begin))
				status, body := http.StatusOK, goodListing
				switch len(at) % 4 {
				case 1:
					status, body = http.StatusServiceUnavailable, `<Error><Code>SlowDown</Code></Error>`
				case 2:
					status, body = http.StatusTooManyRequests, ""
				case 3:
					status, body = http.StatusInternalServerError, ""
				}
				return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
			})
		})
		c.Limit(4)
		throttled := int64(0)
		for range 3 {
			pg, err := c.List(t.Context(), Query{Bucket: "b", Count: func(name string, n int64) {
				if name == "throttled" {
					throttled += n
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			pg.Release()
		}
		for i := range 12 {
			if want := time.Duration(i) * 250 * time.Millisecond; i >= len(at) || at[i].Round(time.Millisecond) != want {
				t.Fatalf("requests went out at %v", at)
			}
		}
		if throttled != 6 {
			t.Errorf("%d requests were counted as throttled", throttled)
		}
	})
}
