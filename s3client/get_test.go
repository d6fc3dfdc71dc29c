package s3client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

func clientOf(t testing.TB, h http.Handler) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return WithBackoff(aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "k", SecretAccessKey: "s"}, nil
		}),
	}, 4, retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil }))
}

// store is a server of one object, whose answers can be spoiled.
type store struct {
	body   []byte
	etag   string
	ranges bool
	cuts   []int // how many bytes of its body each answer has; then all of them
	refuse func(n int) int

	mu    sync.Mutex
	asked []string // ranges
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.asked)
	s.asked = append(s.asked, r.Header.Get("Range"))
	if s.refuse != nil {
		if status := s.refuse(n); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	if match := r.Header.Get("If-Match"); match != "" && match != s.etag {
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	body, status := s.body, http.StatusOK
	if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && s.ranges {
		at, _ := strconv.Atoi(strings.TrimSuffix(from, "-"))
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, len(body)-1, len(body)))
		body, status = body[at:], http.StatusPartialContent
	}
	if s.etag != "" {
		w.Header().Set("Etag", s.etag)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if n < len(s.cuts) {
		_, _ = w.Write(body[:min(s.cuts[n], len(body))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 2654435761 >> 7)
	}
	return b
}

// However often it is cut off, the content comes whole and in order: from where
// it was cut, also of a server that knows no ranges.
func TestGetGoesOnWhereItWasCut(t *testing.T) {
	for _, ranges := range []bool{true, false} {
		s := &store{body: content(1 << 20), etag: `"e"`, ranges: ranges, cuts: []int{0, 1, 70_000, 0, 0, 0, 0, 400_000, 900_000, 1 << 19}}
		var got bytes.Buffer
		var sent int64
		permanent, err := clientOf(t, s).Get(t.Context(), "b", "a b/c", &got, func(n int64) { sent += n })
		if err != nil || permanent || !bytes.Equal(got.Bytes(), s.body) {
			t.Fatalf("ranges %v: %d bytes, %v", ranges, got.Len(), err)
		}
		if sent != int64(len(s.asked)) {
			t.Errorf("ranges %v: counted %d requests of %d", ranges, sent, len(s.asked))
		}
		if ranges && s.asked[3] != "bytes=70001-" {
			t.Errorf("asked for %q", s.asked)
		}
	}
}

// A body that is always cut off at the same place is given up, in one line.
func TestGetGivesUp(t *testing.T) {
	s := &store{body: content(1000), etag: `"e"`, ranges: true, cuts: make([]int, 100)}
	permanent, err := clientOf(t, s).Get(t.Context(), "b", "k", io.Discard, nil)
	if text := fmt.Sprint(err); permanent || !strings.Contains(text, "get s3://b/k: its content was cut off") || strings.Contains(text, "\n") {
		t.Errorf("got %v", err)
	}
	if len(s.asked) != Attempts {
		t.Errorf("asked %d times", len(s.asked))
	}
}

// An object that is replaced while it is read is not put together of two.
func TestGetOfAnObjectThatChanges(t *testing.T) {
	s := &store{body: content(1000), etag: `"one"`, ranges: true, cuts: []int{10}}
	s.refuse = func(n int) int {
		if n == 1 {
			s.etag = `"two"`
		}
		return 0
	}
	if _, err := clientOf(t, s).Get(t.Context(), "b", "k", io.Discard, nil); err == nil || !strings.Contains(err.Error(), "PreconditionFailed") {
		t.Errorf("got %v", err)
	}
}

func TestGetRefused(t *testing.T) {
	for status, want := range map[int]string{404: "get s3://b/k", 403: "s3:GetObject on arn:aws:s3:::b/k, and kms:Decrypt"} {
		s := &store{refuse: func(int) int { return status }}
		_, err := clientOf(t, s).Get(t.Context(), "b", "k", io.Discard, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !IsMissing(err) {
			t.Errorf("%d: %v", status, err)
		}
	}
	// What may pass is asked for again.
	s := &store{body: content(10), etag: `"e"`, refuse: func(n int) int {
		if n < 3 {
			return []int{503, 500, 429}[n]
		}
		return 0
	}}
	if _, err := clientOf(t, s).Get(t.Context(), "b", "k", io.Discard, nil); err != nil || len(s.asked) != 4 {
		t.Errorf("asked %d times: %v", len(s.asked), err)
	}
}

// Content is longer than what an answer may be; an error is not.
func TestGetOfMuch(t *testing.T) {
	s := &store{body: make([]byte, MaxAnswer+10), etag: `"e"`}
	var n counter
	if _, err := clientOf(t, s).Get(t.Context(), "b", "k", &n, nil); err != nil || n != MaxAnswer+10 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type counter int

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// An error of the writer ends it: no other attempt could do better.
func TestGetIntoWhatIsFull(t *testing.T) {
	s := &store{body: content(10), etag: `"e"`}
	if _, err := clientOf(t, s).Get(t.Context(), "b", "k", full{}, nil); !errors.Is(err, errFull) || len(s.asked) != 1 {
		t.Errorf("asked %d times: %v", len(s.asked), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := clientOf(t, s).Get(ctx, "b", "k", io.Discard, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A server that others wrote.
func TestGetFromGofakes3(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("b"); err != nil {
		t.Fatal(err)
	}
	for key, body := range map[string][]byte{"a b/c+d é": content(300_000), "empty": nil} {
		if _, err := backend.PutObject("b", key, nil, bytes.NewReader(body), int64(len(body)), nil); err != nil {
			t.Fatal(err)
		}
		// Each connection breaks after 100,000 bytes: it has to be resumed by range.
		inner := gofakes3.New(backend).Server()
		c := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(&breaking{ResponseWriter: w, left: 100_000}, r)
		}))
		var got bytes.Buffer
		if _, err := c.Get(t.Context(), "b", key, &got, nil); err != nil || !bytes.Equal(got.Bytes(), body) {
			t.Errorf("%s: %d bytes, %v", key, got.Len(), err)
		}
		if permanent, err := c.Get(t.Context(), "b", "none", io.Discard, nil); !permanent || !IsMissing(err) || !strings.Contains(err.Error(), "NoSuchKey") {
			t.Errorf("got %v", err)
		}
	}
}

type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; n < len(p) && err == nil {
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}
