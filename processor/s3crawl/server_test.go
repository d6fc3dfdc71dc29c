package s3crawl

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/s3serve"
)

// clientOf speaks to a server through the SDK; the waits between its retries
// are cut short.
func clientOf(t testing.TB, url string, change ...func(*aws.Config)) *Client {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	cfg := aws.Config{
		Region:     "us-east-1",
		HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "k", SecretAccessKey: "s"}, nil
		}),
	}
	if url != "" {
		cfg.BaseEndpoint = &url
	}
	for _, f := range change {
		f(&cfg)
	}
	return On(s3client.WithBackoff(cfg, 16, retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })))
}

func server(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestGofakes3(t *testing.T) {
	backend := s3mem.New()
	client := clientOf(t, server(t, gofakes3.New(backend).Server()))
	r := rand.New(rand.NewPCG(1, 2))
	// It answers in XML without encoding: control characters cannot be carried.
	// With a delimiter it takes leading '/' away and gives a key that ends in '/'
	// twice, which S3 does not: there it gets neither.
	for mode, dirs := range map[Mode][]string{
		Range:  {"", "a/", "a b/", "a+b/", "a%20b/", "é/", "\U0010ffff/", "x//", "/"},
		Prefix: {"", "a/", "a b/", "a+b/", "a%20b/", "é/", "\U0010ffff/", "x/y/"},
	} {
		name := "bucket-" + string(mode)
		if err := backend.CreateBucket(name); err != nil {
			t.Fatal(err)
		}
		keys := []string{strings.Repeat("k", 1000)}
		if mode == Range {
			keys = append(keys, "a/")
		}
		for i := range 2600 {
			keys = append(keys, dirs[r.IntN(len(dirs))]+[]string{"", "🌲", "&<>\"'", "\ue000"}[r.IntN(4)]+fmt.Sprint(i))
		}
		b := newBucket(keys...)
		for _, k := range b.keys {
			if _, err := backend.PutObject(name, k, nil, strings.NewReader(k), int64(len(k)), nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, prefix := range []string{"", "a", "é/", "none"} {
			w := &walk{slots: 4}
			mustWalkWith(t, w, New(Options{Lister: client}), Root(name, prefix, mode))
			truthOf(b, prefix, defaultDepth).check(t, w, prefix)
		}
	}
}

// Through the SDK and its retries: 503, 500, resets, half an answer, and half an
// answer that looks whole. All requests are counted, the repeated ones too.
func TestServerWithFaults(t *testing.T) {
	var keys []string
	for i := range 12_000 {
		keys = append(keys, fmt.Sprintf("%s/%s%d", awkward[i%19], awkward[i%31], i))
	}
	b := newBucket(keys...)
	b.size = func(string) int64 { return 7 }
	objects := make([]s3serve.Object, len(b.keys))
	for i, k := range b.keys {
		objects[i] = s3serve.Object{Key: k, Size: 7}
	}
	listing, err := s3serve.FromObjects(objects)
	if err != nil {
		t.Fatal(err)
	}
	h := s3serve.New(s3serve.Options{
		Buckets: map[string]*s3serve.Listing{"b": listing},
		Faults:  s3serve.RandomFaults(7, s3serve.Rates{SlowDown: .04, InternalError: .04, Reset: .04, HalfSent: .04, TruncatedXML: .04}),
	})
	url := server(t, h)
	for _, mode := range []Mode{Range, Prefix} {
		before := h.Counts()
		w := &walk{slots: 8, retries: 2}
		mustWalkWith(t, w, New(Options{Lister: clientOf(t, url)}), Root("b", "", mode))
		truthOf(b, "", defaultDepth).check(t, w, "")
		if got := h.Counts().List - before.List; w.requests != got {
			t.Errorf("mode %s: counted %d requests, the server %d", mode, w.requests, got)
		}
		if h.Counts().Faults == before.Faults {
			t.Errorf("mode %s: no fault was met", mode)
		}
	}
}

// What people see when something is wrong: one line that names the bucket, what
// was said and the way out.
func TestCheck(t *testing.T) {
	answer := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	refusal := func(status int, code string, header ...string) http.HandlerFunc {
		return answer(status, `<?xml version="1.0"?><Error><Code>`+code+`</Code><Message>No.</Message></Error>`, header...)
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	unknown := httptest.NewUnstartedServer(answer(200, ""))
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0)
	unknown.StartTLS()
	t.Cleanup(unknown.Close)
	empty := `<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>`
	for name, test := range map[string]struct {
		handler   http.Handler
		url       string
		change    func(*aws.Config)
		want      []string
		permanent bool
	}{
		"fine":          {handler: answer(200, empty)},
		"access denied": {handler: refusal(403, "AccessDenied"), want: []string{"AccessDenied", "s3:ListBucket on arn:aws:s3:::the-bucket"}, permanent: true},
		"no bucket":     {handler: refusal(404, "NoSuchBucket"), want: []string{"NoSuchBucket", "check the bucket's name"}, permanent: true},
		"expired":       {handler: refusal(400, "ExpiredToken"), want: []string{"ExpiredToken", "renew the credentials"}, permanent: true},
		"elsewhere": {
			handler: refusal(301, "PermanentRedirect", "x-amz-bucket-region", "eu-west-3"),
			want:    []string{"PermanentRedirect", "AWS_REGION=eu-west-3"}, permanent: true,
		},
		"forbidden, no body": {handler: answer(403, ""), want: []string{"s3:ListBucket"}, permanent: true},
		"throttled":          {handler: refusal(503, "SlowDown"), want: []string{"SlowDown", "3 attempts"}},
		"not S3":             {handler: answer(200, "<html><body>Welcome"), want: []string{"AWS_ENDPOINT_URL"}},
		"not S3 at all":      {handler: answer(200, "hello"), want: []string{"AWS_ENDPOINT_URL"}},
		"not XML":            {handler: answer(200, "\x00\xff"), want: []string{"AWS_ENDPOINT_URL"}},
		"not text":           {handler: answer(403, "<Error><Code>AccessDenied</Code><Message>\x1b[31m</Message></Error>"), want: []string{"HTTP 403", "AWS_ENDPOINT_URL"}},
		"HTTP, not HTTPS":    {url: "https" + strings.TrimPrefix(server(t, answer(200, empty)), "http"), want: []string{"speaks HTTP, not HTTPS", "AWS_ENDPOINT_URL"}},
		"unknown authority":  {url: unknown.URL, want: []string{"certificate", "AWS_CA_BUNDLE"}},
		"not found page":     {handler: answer(404, "<html>no such page</html>"), want: []string{"NotFound", "AWS_ENDPOINT_URL"}, permanent: true},
		"nobody there":       {url: closed.URL, want: []string{"nobody answers", "AWS_ENDPOINT_URL"}},
		"no such host":       {url: "http://s3.invalid", want: []string{"s3.invalid", "AWS_ENDPOINT_URL"}},
		"no credentials": {handler: answer(200, empty), change: func(c *aws.Config) {
			c.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, fmt.Errorf("no EC2 IMDS role found")
			})
		}, want: []string{"no usable AWS credentials", "AWS_ACCESS_KEY_ID"}, permanent: true},
	} {
		t.Run(name, func(t *testing.T) {
			url := test.url
			if url == "" {
				url = server(t, test.handler)
			}
			c := clientOf(t, url, func(cfg *aws.Config) {
				if test.change != nil {
					test.change(cfg)
				}
			})
			err := c.Check(t.Context(), Query{Bucket: "the-bucket", Prefix: "p/"})
			if len(test.want) == 0 {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			text := fmt.Sprint(err)
			for _, part := range append(test.want, "s3://the-bucket/p/") {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not say %q", text, part)
				}
			}
			if strings.Contains(text, "\n") || len(text) > 500 || processor.IsPermanent(err) != test.permanent {
				t.Errorf("permanent %v: %q", processor.IsPermanent(err), text)
			}
			t.Log(text)
		})
	}
}

// What answers without end, or sends on in a circle, costs neither the memory
// nor minutes.
func TestAnswersWithoutEnd(t *testing.T) {
	var sent, asked atomic.Int64
	url := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1); r.URL.Path == "/circle" {
			http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
			return
		}
		_, _ = io.WriteString(w, "<ListBucketResult><Name>")
		for chunk := make([]byte, 1<<20); sent.Load() < 1<<30; sent.Add(int64(len(chunk))) {
			for i := range chunk {
				chunk[i] = 'a'
			}
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	c := clientOf(t, url, func(cfg *aws.Config) { cfg.HTTPClient = nil })
	if err := c.Check(t.Context(), Query{Bucket: "endless"}); err == nil || !strings.Contains(err.Error(), "longer than any page of S3") {
		t.Errorf("got %v", err)
	}
	if n := sent.Load(); n > 2*s3client.BriefAttempts*s3client.MaxAnswer {
		t.Errorf("%d bytes were read", n)
	}
	asked.Store(0)
	if err := c.Check(t.Context(), Query{Bucket: "circle"}); err == nil || !strings.Contains(err.Error(), "TemporaryRedirect: Temporary Redirect; the endpoint sends on to another, again and again: check AWS_ENDPOINT_URL") {
		t.Errorf("got %v", err)
	}
	if n := asked.Load(); n > s3client.BriefAttempts*(s3client.MaxRedirects+1) {
		t.Errorf("asked %d times", n)
	}
}

// An endpoint that never answers is waited for once, not once an attempt.
func TestEndpointThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clientOf(t, "http://127.0.0.1:1", func(cfg *aws.Config) {
			cfg.HTTPClient = &http.Client{Timeout: s3client.AttemptTime, Transport: hanging{}}
		})
		begin := time.Now()
		err := c.Check(t.Context(), Query{Bucket: "the-bucket", Prefix: "p/"})
		if !strings.Contains(fmt.Sprint(err), "no whole answer within 1m0s: check AWS_ENDPOINT_URL") || time.Since(begin) > s3client.AttemptTime {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A bucket in another region is asked for there, once S3 has named it.
func TestRegionIsFollowed(t *testing.T) {
	var asked []string
	c := clientOf(t, "", func(cfg *aws.Config) {
		cfg.HTTPClient = doer(func(r *http.Request) *http.Response {
			asked = append(asked, r.URL.Host)
			if r.URL.Host != "the-bucket.s3.eu-west-3.amazonaws.com" {
				return &http.Response{
					StatusCode: http.StatusMovedPermanently, Header: http.Header{"X-Amz-Bucket-Region": {"eu-west-3"}},
					Body: io.NopCloser(strings.NewReader(`<Error><Code>PermanentRedirect</Code></Error>`)),
				}
			}
			if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-3/s3/") {
				t.Errorf("signed %q", r.Header.Get("Authorization"))
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewBufferString(
				`<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>`))}
		})
	})
	for range 2 {
		if err := c.Check(t.Context(), Query{Bucket: "the-bucket"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 3 { // the wrong region is asked once
		t.Errorf("asked %v", asked)
	}
}

type doer func(*http.Request) *http.Response

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r), nil }

// The SDK's variables say where and who; path-style follows from the endpoint.
func TestConnectReadsTheUsualVariables(t *testing.T) {
	var path atomic.Value
	url := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path.Store(r.URL.Path + " " + r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, `<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>`)
	}))
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ENDPOINT_URL_S3", url)
	t.Setenv("AWS_REGION", "ap-south-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	inner, err := s3client.Connect(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := On(inner).Check(t.Context(), Query{Bucket: "the-bucket", Prefix: "p/"}); err != nil {
		t.Fatal(err)
	}
	got, _ := path.Load().(string)
	if !strings.HasPrefix(got, "/the-bucket AWS4") || !strings.Contains(got, "Credential=AKEXAMPLE/") || !strings.Contains(got, "/ap-south-1/s3/") {
		t.Errorf("asked %s", got)
	}

	// With no credentials anywhere, the answer comes fast.
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	if inner, err = s3client.Connect(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if err = On(inner).Check(t.Context(), Query{Bucket: "the-bucket", Prefix: "p/"}); !processor.IsPermanent(err) || !strings.Contains(fmt.Sprint(err), "no usable AWS credentials") {
		t.Errorf("got %v", err)
	}
}

// An instance's metadata that never answers does not hold up the answer.
func TestCredentialsThatNeverCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clientOf(t, "http://127.0.0.1:1", func(cfg *aws.Config) {
			cfg.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				<-ctx.Done()
				return aws.Credentials{}, ctx.Err()
			})
		})
		begin := time.Now()
		err := c.Check(t.Context(), Query{Bucket: "the-bucket", Prefix: "p/"})
		if !processor.IsPermanent(err) || !strings.Contains(fmt.Sprint(err), "no usable AWS credentials") || time.Since(begin) > s3client.CredentialTime {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}
