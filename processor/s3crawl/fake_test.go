package s3crawl

import (
	"context"
	"errors"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl/listxml"
	"github.com/ramify/ramify/sink"
)

// bucket is a lister over sorted keys. It records calls, waits, fails and
// changes as it is told.
type bucket struct {
	latency time.Duration
	perPage int // fewer than were asked for; 0: as many
	size    func(key string) int64

	mu     sync.Mutex
	keys   []string                        // sorted
	calls  []string                        // the start-after of each call
	before func(n int)                     // before the n-th call is answered; mu is held
	fault  func(n int, after string) error // instead of an answer
	spoil  func(n int, pg *listxml.Page)   // of an answer, before it is checked
}

func newBucket(keys ...string) *bucket {
	b := &bucket{size: func(k string) int64 { return int64(len(k)) }}
	b.put(keys...)
	return b
}

// put adds keys; mu is held, or nobody lists yet.
func (b *bucket) put(keys ...string) {
	all := append(append([]string(nil), b.keys...), keys...)
	sort.Strings(all)
	b.keys = all[:0]
	for i, k := range all {
		if i == 0 || k != all[i-1] {
			b.keys = append(b.keys, k)
		}
	}
}

func (b *bucket) remove(key string) {
	i := sort.SearchStrings(b.keys, key)
	if i < len(b.keys) && b.keys[i] == key {
		b.keys = append(append([]string(nil), b.keys[:i]...), b.keys[i+1:]...)
	}
}

func (b *bucket) lists() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.calls)
}

// List answers as S3 does, and checks its answers as Client does. What it gives
// out is overwritten when it is released.
func (b *bucket) List(ctx context.Context, q Query) (Page, error) {
	if q.Count != nil {
		defer q.Count("list", 1)
	}
	if b.latency > 0 {
		select {
		case <-time.After(b.latency):
		case <-ctx.Done():
			return Page{}, ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, q.After)
	n := len(b.calls)
	if b.before != nil {
		b.before(n)
	}
	if b.fault != nil {
		if err := b.fault(n, q.After); err != nil {
			return Page{}, err
		}
	}
	after, skip := q.After, "" // skip: a common prefix that the token says was listed
	if t := q.Token; t != "" {
		after = t[1:]
		if t[0] == 'p' {
			skip = after
		}
	}
	pg := pages.Get().(*listxml.Page)
	pg.SaysTruncated, pg.SaysKeyCount = true, true
	last := ""
	i := sort.Search(len(b.keys), func(i int) bool { return b.keys[i] > after && b.keys[i] >= q.Prefix })
	for i < len(b.keys) && strings.HasPrefix(b.keys[i], q.Prefix) {
		k := b.keys[i]
		if skip != "" && strings.HasPrefix(k, skip) {
			i++
			continue
		}
		if pg.KeyCount == pageKeys || pg.KeyCount == b.perPage && pg.KeyCount > 0 {
			pg.IsTruncated, pg.NextToken = true, last
			break
		}
		pg.KeyCount++
		if at := strings.Index(k[len(q.Prefix):], "/"); q.Delimiter != "" && at >= 0 {
			common := k[:len(q.Prefix)+at+1]
			pg.Prefixes = append(pg.Prefixes, common)
			for i < len(b.keys) && strings.HasPrefix(b.keys[i], common) {
				i++
			}
			last = "p" + common
			continue
		}
		pg.Objects = append(pg.Objects, inventory.Object{Key: k, Size: b.size(k), ETag: "e"})
		last = "k" + k
		i++
	}
	if b.spoil != nil {
		b.spoil(n, pg)
	}
	if err := check(&q, pg); err != nil {
		return Page{}, err
	}
	return pageOf(pg), nil
}

// attempt is a processor.Out in memory.
type attempt struct {
	slots chan struct{}                 // idle ones
	due   func(pages int) processor.Due // asked with how often it was asked before
	want  func() bool                   // of a borrowed slot

	mu       sync.Mutex
	children []processor.Child
	rows     []byte
	prefixes [][]byte
	writes   int
	objects  int64
	bytes    int64
	kept     float64
	requests int64
	asked    int
	borrowed int // slots that are not returned
	most     int
}

func (a *attempt) Child(c processor.Child) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.children = append(a.children, c)
	return nil
}

func (a *attempt) Write(stream string, block []byte, rows int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writes++
	switch {
	case stream == sink.Rows:
		a.rows = append(a.rows, block...)
	case stream == sink.Prefixes && rows > 0:
		a.prefixes = append(a.prefixes, append([]byte(nil), block...))
	default:
		return errors.New("no such stream: " + stream)
	}
	return nil
}

func (a *attempt) Count(objects, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects, a.bytes = a.objects+objects, a.bytes+bytes
}

func (a *attempt) Keep(part float64) { a.kept = part }

func (a *attempt) Request(name string, n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if name == "list" {
		a.requests += n
	}
}

func (a *attempt) Due() processor.Due {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	if a.due == nil {
		return processor.NotDue
	}
	return a.due(a.asked)
}

func (a *attempt) Borrow() (processor.Slot, bool) {
	select {
	case <-a.slots:
		a.mu.Lock()
		defer a.mu.Unlock()
		a.borrowed++
		a.most = max(a.most, a.borrowed)
		return &slot{a: a}, true
	default:
		return nil, false
	}
}

type slot struct {
	a    *attempt
	once sync.Once
}

func (s *slot) Wanted() bool { return s.a.want != nil && s.a.want() }

func (s *slot) Return() {
	s.once.Do(func() {
		s.a.mu.Lock()
		s.a.borrowed--
		s.a.mu.Unlock()
		s.a.slots <- struct{}{}
	})
}

// walk is what a walk of a whole tree committed.
type walk struct {
	slots     int                           // of the task, the unit's own included
	due       func(pages int) processor.Due // of each unit
	want      func() bool
	params    map[string]string
	retries   int
	topTotals int

	keys     []string
	totals   *Totals
	objects  int64
	bytes    int64
	nodes    int
	failures []error
	failed   []processor.Child
	leaked   int
	requests int64
}

// run processes a node and all that comes of it, one unit after another.
func (w *walk) run(ctx context.Context, c *Crawl, root processor.Child) error {
	type todo struct {
		child processor.Child
		depth int
	}
	idle := make(chan struct{}, w.slots)
	for range w.slots - 1 {
		idle <- struct{}{}
	}
	w.totals = NewTotals(w.topTotals)
	for queue := []todo{{root, 0}}; len(queue) > 0; {
		next := queue[0]
		queue = queue[1:]
		var a *attempt
		var err error
		for range w.retries + 1 {
			a = &attempt{slots: idle, due: w.due, want: w.want}
			params := map[string]string{listing.ParamFormat: "keys"}
			for k, v := range w.params {
				params[k] = v
			}
			err = c.Process(ctx, &processor.Node{Run: "r", Kind: Kind, ID: next.child.ID, Args: next.child.Args, Depth: next.depth, Params: params}, a)
			w.leaked += a.borrowed
			w.requests += a.requests
			if a.writes == 0 && err == nil {
				return errors.New("an attempt wrote nothing")
			}
			if err == nil || processor.IsPermanent(err) {
				break
			}
		}
		if err != nil {
			w.failures, w.failed = append(w.failures, err), append(w.failed, next.child)
			continue
		}
		w.nodes++
		w.objects, w.bytes = w.objects+a.objects, w.bytes+a.bytes
		for o, err := range inventory.Keys.Layout().Read(strings.NewReader(string(a.rows))) {
			if err != nil {
				return err
			}
			w.keys = append(w.keys, o.Key)
		}
		for _, block := range a.prefixes {
			if err := w.totals.Add(block); err != nil {
				return err
			}
		}
		for _, child := range a.children {
			queue = append(queue, todo{child, next.depth + 1})
		}
	}
	return nil
}

// mustWalkWith walks and fails the test if anything failed.
func mustWalkWith(t interface {
	Fatalf(string, ...any)
	Helper()
}, w *walk, c *Crawl, root processor.Child,
) {
	t.Helper()
	if err := w.run(context.Background(), c, root); err != nil {
		t.Fatalf("walk: %v", err)
	}
	if len(w.failures) > 0 {
		t.Fatalf("%d nodes failed, the first: %v", len(w.failures), w.failures[0])
	}
	if w.leaked > 0 {
		t.Fatalf("%d slots were not returned", w.leaked)
	}
}
