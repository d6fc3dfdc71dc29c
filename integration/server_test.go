package integration

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// bucket is the name of the one bucket of every server.
const bucket = "bucket"

// server is an S3 server of this process that counts the LISTs it is asked for
// and can hold them up.
type server struct {
	*news  // of LISTs
	url    string
	inner  http.Handler
	before func(n int, r *http.Request) // where set, called before the n-th LIST is answered

	mu      sync.Mutex
	lists   int
	most    int           // LISTs answered until the gate opens
	gate    chan struct{} // closed: it is open
	waiting int
}

// serve serves a listing until the test ends.
func serve(t *testing.T, listing *s3serve.Listing, o s3serve.Options, before ...func(int, *http.Request)) *server {
	t.Helper()
	o.Buckets = map[string]*s3serve.Listing{bucket: listing}
	return serveHandler(t, s3serve.New(o), before...)
}

func serveHandler(t *testing.T, h http.Handler, before ...func(int, *http.Request)) *server {
	t.Helper()
	s := &server{news: newNews(), inner: h}
	if len(before) > 0 {
		s.before = before[0]
	}
	on, err := s3serve.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	s.url = on.URL()
	t.Cleanup(func() {
		s.open()
		_ = on.Close()
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if q := r.URL.Query(); q.Get("list-type") == "2" || q.Has("versions") {
		n, gate := s.arrive()
		if s.before != nil {
			s.before(n, r)
		}
		if gate != nil {
			select {
			case <-gate:
			case <-r.Context().Done():
				return
			}
		}
	}
	s.inner.ServeHTTP(w, r)
}

// arrive counts a LIST, and returns the gate it must wait at, if any.
func (s *server) arrive() (n int, gate <-chan struct{}) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	if s.gate != nil && s.lists > s.most {
		s.waiting++
		return s.lists, s.gate
	}
	return s.lists, nil
}

// count is how many LISTs were asked for so far.
func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists
}

// hold holds up all LISTs after the next n, until open.
func (s *server) hold(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most, s.gate, s.waiting = s.lists+n, make(chan struct{}), 0
}

// open lets all that are held up go on.
func (s *server) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate != nil {
		close(s.gate)
		s.gate = nil
	}
}

// awaitHeld waits until a LIST is held up.
func (s *server) awaitHeld(t *testing.T) {
	t.Helper()
	s.until(t, "a LIST that is held up", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.waiting > 0
	})
}

// awaitCount waits until n LISTs were asked for in all.
func (s *server) awaitCount(t *testing.T, n int) {
	t.Helper()
	s.until(t, fmt.Sprintf("%d LISTs", n), func() bool { return s.count() >= n })
}

// awaitQuiet waits until nobody has asked for anything in a while.
func (s *server) awaitQuiet(t *testing.T, while time.Duration) {
	t.Helper()
	over := time.After(deadline)
	for {
		select {
		case <-s.coming():
		case <-time.After(while):
			return
		case <-over:
			t.Fatalf("no quiet in %v", deadline)
		}
	}
}

// sampleListing is the first n of the 20,000 keys of a real archive.
func sampleListing(t *testing.T, n int) *s3serve.Listing {
	t.Helper()
	keys, err := sample.Keys()
	if err != nil {
		t.Fatal(err)
	}
	// Every so many keys, so that a part has the shape of the whole.
	step := max(len(keys)/n, 1)
	var some []string
	for i := 0; i < len(keys) && len(some) < n; i += step {
		some = append(some, keys[i])
	}
	l, err := s3serve.Keys(strings.NewReader(strings.Join(some, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// listingOf is a listing of some keys, whose sizes, dates and ETags differ.
func listingOf(t *testing.T, keys []string) *s3serve.Listing {
	t.Helper()
	l, err := s3serve.FromObjects(objectsOf(keys))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func objectsOf(keys []string) []s3serve.Object {
	objects := make([]s3serve.Object, len(keys))
	for i, k := range keys {
		objects[i] = s3serve.Object{Key: k, Size: int64(i % 97)}
	}
	return objects
}

// serveFake serves keys by gofakes3, a server of other people's, which keeps to
// the bucket's objects what it was given.
func serveFake(t *testing.T, keys []string) *server {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		body := strings.Repeat("x", i%97)
		if _, err := backend.PutObject(bucket, k, nil, strings.NewReader(body), int64(len(body)), nil); err != nil {
			t.Fatal(err)
		}
	}
	return serveHandler(t, gofakes3.New(backend).Server())
}
