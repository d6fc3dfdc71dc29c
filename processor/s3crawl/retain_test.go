package s3crawl

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"
	"weak"

	"github.com/ramify/ramify/processor"
)

// arenas hands out pages whose strings share one memory, as Client's do, and
// knows which of these are still in use.
type arenas struct {
	*bucket
	mu    sync.Mutex
	pages []weak.Pointer[byte]
}

func (a *arenas) List(ctx context.Context, q Query) (Page, error) {
	pg, err := a.bucket.List(ctx, q)
	var arena strings.Builder
	for i := range pg.Objects {
		arena.WriteString(pg.Objects[i].Key)
	}
	all := arena.String()
	if all == "" {
		return pg, err
	}
	a.mu.Lock()
	a.pages = append(a.pages, weak.Make(unsafe.StringData(all)))
	a.mu.Unlock()
	for i := range pg.Objects {
		n := len(pg.Objects[i].Key)
		pg.Objects[i].Key, all = all[:n], all[n:]
	}
	return pg, err
}

func (a *arenas) inUse() (n int) {
	runtime.GC()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.pages {
		if p.Value() != nil {
			n++
		}
	}
	return n
}

// What a unit keeps of a page — where it goes on, what it learned, totals —
// does not keep the page.
func TestPagesAreNotKept(t *testing.T) {
	var keys []string
	for _, list := range shapes() {
		keys = append(keys, list...)
	}
	a := &arenas{bucket: newBucket(keys...)}
	a.perPage = 500
	slots := make(chan struct{}, 7)
	for range 7 {
		slots <- struct{}{}
	}
	c := New(Options{Lister: a})
	root := Root("b", "", Range)
	out := &attempt{slots: slots, due: func(n int) processor.Due {
		if n > 300 {
			return processor.Share
		}
		return processor.NotDue
	}}
	most := 0
	a.before = func(n int) {
		if n%50 == 0 {
			most = max(most, a.inUse())
		}
	}
	if err := c.Process(t.Context(), &processor.Node{Args: root.Args}, out); err != nil {
		t.Fatal(err)
	}
	// One page a lister is under way, and as many may just have come.
	if n := len(a.pages); n < 200 || most > 20 {
		t.Errorf("%d of %d pages were kept", most, n)
	}
	if n := a.inUse(); n > 0 {
		t.Errorf("%d pages are kept by what units share, and by children", n)
	}
	runtime.KeepAlive(c)
	runtime.KeepAlive(out)
}
