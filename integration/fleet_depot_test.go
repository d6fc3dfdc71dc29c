package integration

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// results is the bucket in which fleets put theirs.
const results = "results"

// depot is gofakes3, a server of other people's, with the real keys in one bucket
// and the results of all tests in another.
type depot struct {
	keys    []string
	backend *s3mem.Backend
	handler http.Handler
}

// openDepot is the one depot of all tests.
var openDepot = sync.OnceValues(func() (*depot, error) {
	keys, err := sample.Keys()
	if err != nil {
		return nil, err
	}
	d := &depot{keys: keys, backend: s3mem.New()}
	if err := d.backend.CreateBucket(results); err != nil {
		return nil, err
	}
	p := pages{Backend: d.backend}
	if err := fill(d.backend, keys, 0); err != nil {
		return nil, err
	}
	const shelf = 250
	for i := 0; i < len(keys); i += shelf {
		part, b := keys[i:min(i+shelf, len(keys))], s3mem.New()
		if err := fill(b, part, i); err != nil {
			return nil, err
		}
		p.firsts, p.shelves = append(p.firsts, part[0]), append(p.shelves, b)
	}
	d.handler = gofakes3.New(p, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	return d, nil
})

// fill puts keys into the bucket that is crawled, of which the first is the n-th.
func fill(b *s3mem.Backend, keys []string, n int) error {
	if err := b.CreateBucket(bucket); err != nil {
		return err
	}
	for i, k := range keys {
		body := strings.Repeat("x", (n+i)%97)
		if _, err := b.PutObject(bucket, k, nil, strings.NewReader(body), int64(len(body)), nil); err != nil {
			return err
		}
	}
	return nil
}

// pages mends how gofakes3 goes from page to page: a page that ends in a common
// prefix is followed by what lies behind the prefix, not by the prefix again. And
// it looks at all keys for each LIST, so it has them on shelves, too: a prefix all
// of whose keys can be on one shelf only is looked for there.
type pages struct {
	*s3mem.Backend
	firsts  []string // the first key of each shelf
	shelves []*s3mem.Backend
}

// ListBucket implements gofakes3.Backend.
func (p pages) ListBucket(name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	from := p.Backend
	if name == bucket && prefix != nil {
		i, j := p.shelf(prefix.Prefix), p.shelf(prefix.Prefix+"\U0010FFFF")
		if i == j {
			from = p.shelves[i]
		}
	}
	list, err := from.ListBucket(name, prefix, page)
	if err != nil || len(list.CommonPrefixes) == 0 {
		return list, err
	}
	if last := list.CommonPrefixes[len(list.CommonPrefixes)-1].Prefix; strings.HasPrefix(list.NextMarker, last) {
		list.NextMarker = last + "\U0010FFFF"
	}
	return list, nil
}

// shelf is where a key would be.
func (p pages) shelf(key string) int {
	i, there := slices.BinarySearch(p.firsts, key)
	if there {
		return i
	}
	return max(i-1, 0)
}

// truth is what a crawl of the depot must find.
func (d *depot) truth() truth { return fakeTruth(d.keys, "") }

// results returns the objects that a run has made, by their keys behind its name.
func (d *depot) results(t *testing.T, run string) map[string][]byte {
	t.Helper()
	base := run + "/"
	prefix := gofakes3.NewPrefix(&base, nil)
	list, err := d.backend.ListBucket(results, &prefix, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, c := range list.Contents {
		o, err := d.backend.GetObject(results, c.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(o.Contents)
		_ = o.Contents.Close()
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(c.Key, base)] = data
	}
	return files
}

// door is where one task asks the depot, so that a test knows what it is doing.
type door struct {
	*news
	url     string
	depot   http.Handler
	latency time.Duration

	mu       sync.Mutex
	asking   int      // LISTs that wait out the latency: their nodes' messages are held
	prefixes []string // that were asked for
}

// open opens a door until the test ends.
func (d *depot) open(t *testing.T, latency time.Duration) *door {
	t.Helper()
	o := &door{news: newNews(), depot: d.handler, latency: latency}
	on, err := s3serve.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	o.url = on.URL()
	t.Cleanup(func() { _ = on.Close() })
	return o
}

// ServeHTTP implements http.Handler.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	list := q.Get("list-type") == "2" && strings.Trim(r.URL.Path, "/") == bucket
	if list {
		d.arrive(q.Get("prefix"))
	}
	wait(r.Context(), d.latency)
	if list {
		d.leave()
	}
	d.depot.ServeHTTP(w, r)
}

func wait(ctx context.Context, latency time.Duration) {
	t := time.NewTimer(latency)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (d *door) arrive(prefix string) {
	defer d.tell()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asking++
	d.prefixes = append(d.prefixes, prefix)
}

func (d *door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asking--
}

// asked is what was asked for so far, prefix by prefix.
func (d *door) asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.prefixes)
}

// strike sends a signal to the task behind the door if it holds a message: it has
// asked for the keys of its node, and has no answer until the signal is out.
func (d *door) strike(t *testing.T, p *process, s syscall.Signal) bool {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asking == 0 || !p.running() {
		return false
	}
	p.signal(t, s)
	return true
}
