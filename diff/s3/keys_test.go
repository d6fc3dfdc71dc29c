package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor/s3crawl"
)

// pager answers with pages of three keys or prefixes.
type pager struct {
	keys  []string
	pages int
	fails int // the page that fails
}

func (p *pager) List(_ context.Context, q s3crawl.Query) (s3crawl.Page, error) {
	if p.pages++; p.pages == p.fails {
		return s3crawl.Page{}, errors.New("denied")
	}
	if !q.ETags {
		return s3crawl.Page{}, errors.New("no ETags are asked for")
	}
	after := max(q.After, q.Token)
	var pg s3crawl.Page
	last := ""
	for _, k := range p.keys {
		if !strings.HasPrefix(k, q.Prefix) {
			continue
		}
		name := k
		if i := strings.Index(k[len(q.Prefix):], "/"); q.Delimiter != "" && i >= 0 {
			name = k[:len(q.Prefix)+i+1]
		}
		if name <= after || name == last {
			continue
		}
		if len(pg.Objects)+len(pg.Prefixes) == 3 {
			pg.More, pg.Token = true, last
			break
		}
		if last = name; name == k {
			pg.Objects = append(pg.Objects, inventory.Object{Key: k, Size: int64(len(k))})
		} else {
			pg.Prefixes = append(pg.Prefixes, name)
		}
	}
	return pg, nil
}

// All keys are listed, page by page, those directly below alone where that is
// wanted, and only those that the run is about.
func TestKeys(t *testing.T) {
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprintf("p/%02d", i))
		if i%3 == 0 {
			keys = append(keys, fmt.Sprintf("p/%02d/x", i), fmt.Sprintf("p/%02d/y", i))
		}
	}
	keys = append(keys, "q")
	slices.Sort(keys)
	for _, direct := range []bool{false, true} {
		k := &Keys{Lister: &pager{keys: keys}, Bucket: "b"}
		var got, want []string
		for o, err := range k.List(t.Context(), "p/", direct) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o.Key)
		}
		for _, key := range keys {
			if strings.HasPrefix(key, "p/") && (!direct || !strings.Contains(key[2:], "/")) {
				want = append(want, key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("direct %t: got %q, want %q", direct, got, want)
		}
	}
	k := &Keys{Lister: &pager{keys: keys, fails: 2}}
	n := 0
	var err error
	for _, err = range k.List(t.Context(), "p/", false) {
		n++
	}
	if err == nil || n != 4 {
		t.Errorf("%d keys, %v", n, err)
	}
	for _, err := range k.List(t.Context(), "p/", false) {
		if err != nil {
			t.Fatal(err)
		}
		break // who reads may stop
	}
}

func TestKeysThatTheRunIsAbout(t *testing.T) {
	w, err := listing.Read(map[string]string{listing.ParamFilter: mustFilter(t, "!*5")})
	if err != nil {
		t.Fatal(err)
	}
	k := &Keys{Lister: &pager{keys: []string{"p/4", "p/5", "p/6"}}, Wish: w, Folder: 2}
	var got []string
	for o, err := range k.List(t.Context(), "p/", false) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, []string{"p/4", "p/6"}) {
		t.Errorf("got %q", got)
	}
}

func mustFilter(t *testing.T, expr string) string {
	t.Helper()
	f, err := filter.Parse([]string{expr}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return f.Encode()
}
