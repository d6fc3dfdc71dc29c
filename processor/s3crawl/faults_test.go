package s3crawl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl/listxml"
	"github.com/ramify/ramify/s3client"
)

func numbered(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("p%03d/k%04d", i/100, i)
	}
	return keys
}

// A page that cannot be trusted fails the attempt; it is never the end.
func TestBadPagesAreErrors(t *testing.T) {
	for name, spoil := range map[string]func(*listxml.Page){
		"no IsTruncated":       func(p *listxml.Page) { p.SaysTruncated, p.IsTruncated = false, false },
		"a key is missing":     func(p *listxml.Page) { p.Objects = p.Objects[:len(p.Objects)-1] },
		"no KeyCount":          func(p *listxml.Page) { p.SaysKeyCount, p.KeyCount = false, 0 },
		"out of order":         func(p *listxml.Page) { slices.Reverse(p.Objects) },
		"the same key twice":   func(p *listxml.Page) { p.Objects[1] = p.Objects[0] },
		"not below the prefix": func(p *listxml.Page) { p.Objects[0].Key = "A" },
		"not UTF-8":            func(p *listxml.Page) { p.Objects[0].Key = "p\xff" },
		"a size below nothing": func(p *listxml.Page) { p.Objects[0].Size = -1 },
		"a size of no object":  func(p *listxml.Page) { p.Objects[0].Size = maxSize + 1 },
		"more, but nothing to go on from": func(p *listxml.Page) {
			p.Objects, p.KeyCount, p.IsTruncated, p.NextToken = nil, 0, true, ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket(numbered(2500)...)
			b.spoil = func(n int, pg *listxml.Page) {
				if n == 3 {
					spoil(pg)
				}
			}
			root := Root("b", "p", Range)
			node := &processor.Node{Args: root.Args}
			c := New(Options{Lister: b})
			a := &attempt{slots: make(chan struct{})}
			// Two pages were good: they are handed on, and the range that failed
			// is a child that starts where they ended.
			if err := c.Process(t.Context(), node, a); err != nil || len(a.children) != 1 || a.objects != 2000 {
				t.Fatalf("got %v, %d children and %d objects", err, len(a.children), a.objects)
			}
			if !strings.Contains(string(a.children[0].Args), `"after":"p019/k1999"`) {
				t.Errorf("child %s", a.children[0].Args)
			}

			b.calls = nil
			b.spoil = func(_ int, pg *listxml.Page) { spoil(pg) }
			err := c.Process(t.Context(), node, &attempt{slots: make(chan struct{})})
			if err == nil || processor.IsPermanent(err) || !strings.Contains(err.Error(), "answer is not a whole page") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// An endpoint that always sends on to the page just asked for is not walked for ever.
func TestPageThatLeadsToItself(t *testing.T) {
	b := newBucket(numbered(10)...)
	b.spoil = func(n int, p *listxml.Page) {
		if n > 10 {
			return // or a failure would never end
		}
		p.Objects, p.KeyCount = nil, 0
		p.IsTruncated, p.NextToken = true, "kp"
	}
	root := Root("b", "p", Range)
	err := New(Options{Lister: b}).Process(t.Context(), &processor.Node{Args: root.Args}, &attempt{slots: make(chan struct{})})
	if len(b.calls) > 2 || err != nil && !strings.Contains(err.Error(), "its token for the next page is its own") {
		t.Errorf("%d calls, %v", len(b.calls), err)
	}
}

// S3 may answer with a page that has no key and more to come.
func TestEmptyPageWithTokenGoesOn(t *testing.T) {
	b := newBucket(numbered(3000)...)
	b.spoil = func(n int, pg *listxml.Page) {
		if n == 2 {
			pg.Objects, pg.KeyCount, pg.NextToken = nil, 0, "kp009/k0999"
		}
	}
	w := &walk{slots: 1}
	mustWalkWith(t, w, New(Options{Lister: b}), Root("b", "", Range))
	truthOf(b, "", defaultDepth).check(t, w, "")
}

// Requests that fail now and then cost retries, never a key.
func TestFaultsNowAndThen(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		b := newBucket(numbered(400)...)
		b.perPage = 9
		b.fault = func(int, string) error {
			if r.IntN(8) == 0 {
				return errors.New("reset")
			}
			return nil
		}
		w := &walk{slots: 4, retries: 50}
		mustWalkWith(t, w, withChaos(b, seed), Root("b", "", Range))
		truthOf(b, "", defaultDepth).check(t, w, "")
	}
}

// A stretch of keys that cannot be listed fails a node of its own; everything
// else is listed.
func TestPoisonFailsAlone(t *testing.T) {
	b := newBucket(numbered(2000)...)
	b.perPage = 10
	poisoned := func(key string) bool { return key > "p007" && key < "p009" }
	b.fault = func(_ int, after string) error {
		if poisoned(after) {
			return errors.New("HTTP 500")
		}
		return nil
	}
	w := &walk{slots: 4, retries: 3}
	root := args{Bucket: "b", Mode: Range, Ranges: []span{{Until: "p005"}, {After: "p005", Until: "p010"}, {After: "p010"}}}.child(1)
	if err := w.run(t.Context(), New(Options{Lister: b}), root); err != nil {
		t.Fatal(err)
	}
	if len(w.failed) == 0 {
		t.Fatal("no node failed")
	}
	lost := map[string]bool{} // what the nodes that failed stand for
	for _, c := range w.failed {
		a, err := parseArgs(c.Args)
		if err != nil || len(a.Ranges) != 1 || !poisoned(a.Ranges[0].After) {
			t.Errorf("node %s failed", c.ID)
		}
		for _, k := range b.keys {
			if k > a.Ranges[0].After && (a.Ranges[0].Until == "" || k <= a.Ranges[0].Until) {
				lost[k] = true
			}
		}
	}
	listed := map[string]int{}
	for _, k := range w.keys {
		listed[k]++
	}
	for _, k := range b.keys {
		if listed[k] > 1 || (listed[k] == 1) == lost[k] {
			t.Fatalf("%q was listed %d times, lost %v", k, listed[k], lost[k])
		}
	}
	if len(lost) != 290 { // of the poisoned range, behind its last good page of ten
		t.Errorf("%d keys were lost", len(lost))
	}
}

// AccessDenied and its like give the node up at once, in one line.
func TestHopelessErrorsArePermanent(t *testing.T) {
	for code := range s3client.Hopeless {
		b := newBucket(numbered(5000)...)
		b.fault = func(n int, _ string) error {
			if n > 2 {
				return &smithy.GenericAPIError{Code: code, Message: "Said\nso."}
			}
			return nil
		}
		idle := make(chan struct{}, 1)
		idle <- struct{}{}
		a := &attempt{slots: idle}
		root := Root("my-bucket", "p", Range)
		err := New(Options{Lister: b}).Process(t.Context(), &processor.Node{Args: root.Args}, a)
		if !processor.IsPermanent(err) {
			t.Errorf("%s: %v", code, err)
		}
		if text := fmt.Sprint(err); strings.Contains(text, "\n") || !strings.Contains(text, code) || !strings.Contains(text, "my-bucket") {
			t.Errorf("%s: %s", code, text)
		}
		if a.borrowed != 0 {
			t.Errorf("%s: %d slots were not returned", code, a.borrowed)
		}
	}
}

// When the lease is lost every lister stops, and the attempt does not count.
func TestCancelledAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(shapes()["hex"]...)
		b.latency = time.Second
		idle := make(chan struct{}, 3)
		for range 3 {
			idle <- struct{}{}
		}
		lost := errors.New("lease lost")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3500*time.Millisecond, func() { cancel(lost) })
		begin := time.Now()
		a := &attempt{slots: idle}
		root := Root("b", "", Range)
		err := New(Options{Lister: b}).Process(ctx, &processor.Node{Args: root.Args}, a)
		if !errors.Is(err, lost) || time.Since(begin) > 4*time.Second || len(a.children) > 0 || a.borrowed != 0 {
			t.Errorf("%v after %v, %d children, %d slots kept", err, time.Since(begin), len(a.children), a.borrowed)
		}
	})
}

// A page that takes forever does not hold up the end of a unit: at once where
// the task drains, after a while at a checkpoint. Its range is handed on.
func TestSlowPageIsHandedOn(t *testing.T) {
	for due, within := range map[processor.Due]time.Duration{processor.Stop: 0, processor.Checkpoint: patience, processor.Share: patience} {
		synctest.Test(t, func(t *testing.T) {
			b := newBucket(numbered(3000)...)
			c := New(Options{Lister: slowAfter{b, "p015/k1500"}})
			a := &attempt{slots: make(chan struct{}, 1), due: func(n int) processor.Due {
				if n >= 1 {
					return due
				}
				return processor.NotDue
			}}
			a.slots <- struct{}{}
			root := args{Bucket: "b", Mode: Range, Ranges: []span{{Until: "p015/k1500"}, {After: "p015/k1500"}}}.child(1)
			begin := time.Now()
			if err := c.Process(t.Context(), &processor.Node{Args: root.Args}, a); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took > within {
				t.Errorf("due %d: took %v", due, took)
			}
			all := ""
			for _, child := range a.children {
				all += string(child.Args)
			}
			if !strings.Contains(all, `"after":"p015/k1500"`) || !strings.Contains(all, `"until":"p015/k1500"`) {
				t.Errorf("due %d: handed on %s", due, all)
			}
		})
	}
}

// slowAfter never answers for what comes after a key.
type slowAfter struct {
	*bucket
	key string
}

func (s slowAfter) List(ctx context.Context, q Query) (Page, error) {
	if q.After >= s.key {
		<-ctx.Done()
		return Page{}, ctx.Err()
	}
	return s.bucket.List(ctx, q)
}
