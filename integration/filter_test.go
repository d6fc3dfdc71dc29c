package integration

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// only is the truth of the rows that are wanted.
func (tr truth) only(prefix string, want func(row) bool) truth {
	some := truth{rows: map[string]row{}}
	for k, r := range tr.rows {
		if want(r) {
			some.rows[k] = r
			some.bytes += r.size
		}
	}
	some.prefixes = countPrefixes(some.rows, prefix)
	return some
}

// Only what matches is counted, totalled and written, however the walk goes.
func TestFilter(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	s := serve(t, listing, s3serve.Options{})
	suffix := func(ends ...string) func(row) bool {
		return func(r row) bool {
			return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(r.key, end) })
		}
	}
	for _, test := range []struct {
		prefix  string
		filters []string
		want    func(row) bool
	}{
		{"", []string{"*.gz"}, suffix(".gz")},
		{"", []string{"*.{gz,html}", "*.py"}, suffix(".gz", ".html", ".py")},
		{"", []string{"!*.gz", "!*.py"}, func(r row) bool { return !suffix(".gz", ".py")(r) }},
		{"usr/share/", []string{"/doc/*/copyright"}, func(r row) bool {
			ok, _ := path.Match("usr/share/doc/*/copyright", r.key)
			return ok
		}},
		{"usr/share/do", []string{"doc/**/*.gz", "size>=2KiB"}, func(r row) bool {
			return strings.HasPrefix(r.key, "usr/share/doc/") && suffix(".gz")(r) && r.size >= 2048
		}},
		{"usr/", []string{"size=0"}, func(r row) bool { return r.size == 0 }},
		{"", []string{"modified<1990-01-01"}, func(row) bool { return false }},
	} {
		for _, node := range []string{"range", "prefix"} {
			t.Run(fmt.Sprint(test.prefix, test.filters, node), func(t *testing.T) {
				t.Parallel()
				u := newUser(t, s.url)
				args := []string{"run", "s3://bucket/" + test.prefix, "--json", "--out", "out", "--node", node}
				for _, f := range test.filters {
					args = append(args, "--filter", f)
				}
				r := u.run(t, args...)
				r.requireCode(t, 0)
				tr := truthOf(listing, test.prefix).only(test.prefix, test.want)
				if len(tr.rows) == 0 && test.filters[0] != "modified<1990-01-01" {
					t.Fatal("the sample has nothing that matches: the test shows nothing")
				}
				tr.requireSummary(t, parseSummary(t, r.stdout))
				requireInventory(t, u.path("out"), "csv", tr)
			})
		}
	}
}

// A run that is resumed wants what it wanted.
func TestFilterResumed(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	keys, err := sample.Keys()
	if err != nil {
		t.Fatal(err)
	}
	objects := objectsOf(keys)
	for i := range objects {
		objects[i].LastModified = begun.Add(-time.Duration(i%2) * 24 * time.Hour).Truncate(time.Second)
	}
	listing, err := s3serve.FromObjects(objects)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, listing, s3serve.Options{})
	u := newUser(t, s.url)
	s.hold(12)
	p := u.start(t, "run", "s3://bucket/", "--run", "r", "--out", "out", "--concurrency", "2", "--filter", "modified>-12h", "--filter", "!*.gz")
	s.awaitHeld(t)
	p.signal(t, kill)
	p.wait(t)
	s.open()
	r := u.run(t, "resume", "r", "--json")
	r.requireCode(t, 0)
	tr := truthOf(listing, "").only("", func(r row) bool {
		return !strings.HasSuffix(r.key, ".gz") && r.modified.After(begun.Add(-12*time.Hour))
	})
	tr.requireSummary(t, parseSummary(t, r.stdout))
	requireInventory(t, u.path("out"), "csv", tr)
}
