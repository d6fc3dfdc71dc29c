package integration

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// sums are the totals of one prefix, in the form of --json.
type sums struct {
	Prefix  string                `json:"prefix"`
	Depth   int                   `json:"depth"`
	Objects int64                 `json:"objects"`
	Bytes   int64                 `json:"bytes"`
	Newest  *time.Time            `json:"newest"`
	Classes map[string]classTotal `json:"classes"`
}

type classTotal struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// prefixesOf is the totals of all prefixes down to a depth, in the order of
// keys, by brute force.
func prefixesOf(tr truth, base string, depth int) (all []sums) {
	by := map[string]*sums{}
	for k, r := range tr.rows {
		for i, level := len(base), 0; i <= len(k) && level <= depth; i++ {
			if i > len(base) && k[i-1] != '/' {
				continue
			}
			if i > len(base) {
				if level++; level > depth {
					break
				}
			}
			s := by[k[:i]]
			if s == nil {
				s = &sums{Prefix: k[:i], Depth: level, Classes: map[string]classTotal{}}
				by[k[:i]] = s
			}
			s.Objects++
			s.Bytes += r.size
			if s.Newest == nil || s.Newest.Before(r.modified) {
				s.Newest = &r.modified
			}
			c := s.Classes[r.class]
			s.Classes[r.class] = classTotal{c.Objects + 1, c.Bytes + r.size}
		}
	}
	for _, s := range by {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b sums) int { return strings.Compare(a.Prefix, b.Prefix) })
	return all
}

func parsePrefixes(t *testing.T, text string) (all []sums) {
	t.Helper()
	for line := range strings.Lines(text) {
		var s sums
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&s); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		all = append(all, s)
	}
	return all
}

func requirePrefixes(t *testing.T, got, want []sums) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) {
			t.Fatalf("%d prefixes, want %d", len(got), len(want))
		}
		g, w := got[i], want[i]
		if g.Prefix != w.Prefix || g.Depth != w.Depth || g.Objects != w.Objects || g.Bytes != w.Bytes || !g.Newest.Equal(*w.Newest) || !maps.Equal(g.Classes, w.Classes) {
			t.Fatalf("line %d is %+v of %v, want %+v of %v", i, g, g.Newest, w, w.Newest)
		}
	}
}

// within keeps what begins with a prefix, at most so many levels below it.
func within(all []sums, base, prefix string, levels int) (kept []sums) {
	for _, s := range all {
		if strings.HasPrefix(s.Prefix, prefix) && s.Depth-strings.Count(prefix[len(base):], "/") <= levels {
			kept = append(kept, s)
		}
	}
	return kept
}

const every = 1 << 20 // levels

// Totals per prefix are the truth, in each way to crawl and to look.
func TestByPrefix(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		base  string
		depth int
		args  []string
	}{
		{"", every, []string{"--by-prefix", "all"}},
		{"", 3, []string{"--by-prefix", "3", "--inline", "0"}},
		{"usr/share/doc/lib", every, []string{"--by-prefix", "all", "--node", "prefix"}},
		{"usr/", 0, []string{"--by-prefix", "0"}},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			listing := sampleListing(t, sample.Count)
			s := serve(t, listing, s3serve.Options{})
			u := newUser(t, s.url)
			tr := truthOf(listing, test.base)
			want := prefixesOf(tr, test.base, test.depth)

			r := u.run(t, append([]string{"run", "s3://bucket/" + test.base, "--run", "r", "--json"}, test.args...)...)
			r.requireCode(t, 0)
			lines := strings.SplitAfter(r.stdout, "\n")
			last := len(lines) - 2
			tr.requireSummary(t, parseSummary(t, lines[last]))
			requirePrefixes(t, parsePrefixes(t, strings.Join(lines[:last], "")), want)

			du := func(args ...string) []sums {
				t.Helper()
				r := u.run(t, append([]string{"du", "r", "--json"}, args...)...)
				r.requireCode(t, 0)
				return parsePrefixes(t, r.stdout)
			}
			requirePrefixes(t, du(), want)
			requirePrefixes(t, du("--depth", "1"), within(want, test.base, test.base, 1))
			deep := want[len(want)/2].Prefix
			requirePrefixes(t, du("--under", deep, "--depth", "1"), within(want, test.base, deep, 1))
			slices.SortFunc(want, func(a, b sums) int { return int(b.Bytes - a.Bytes) })
			for i, s := range du("--sort", "bytes", "--top", "9") {
				if s.Bytes != want[i].Bytes {
					t.Errorf("the biggest %d has %d bytes, want %d", i, s.Bytes, want[i].Bytes)
				}
			}
		})
	}
}

// The table of a run, and of a stream, whose keys have standard output for
// themselves. A key that would command a terminal is made harmless.
func TestByPrefixTable(t *testing.T) {
	t.Parallel()
	day := time.Date(2024, 2, 29, 23, 59, 0, 0, time.UTC)
	listing, err := s3serve.FromObjects([]s3serve.Object{
		{Key: "a//1", Size: 2048, LastModified: day, StorageClass: "GLACIER"},
		{Key: "a/\x1b[2J/🙂", Size: 1, LastModified: day.Add(-time.Hour)},
		{Key: "b", Size: 3, LastModified: day.Add(-48 * time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, listing, s3serve.Options{})
	u := newUser(t, s.url)
	const head, all = "objects     bytes  newest (UTC)      prefix\n", "      3   2.0 KiB  2024-02-29 23:59  s3://bucket/\n"
	const a = "      2   2.0 KiB  2024-02-29 23:59  a/\n"
	const slash, escape = "      1   2.0 KiB  2024-02-29 23:59  a//\n", "      1       1 B  2024-02-29 22:59  a/\\x1b[2J/\n"

	r := u.run(t, "run", "s3://bucket/", "--run", "r", "--by-prefix", "all")
	r.requireCode(t, 0)
	if want := head + all + a + escape + slash; r.stdout != want {
		t.Errorf("got\n%s, want\n%s", r.stdout, want)
	}
	if !strings.Contains(r.stderr, "Run r of s3://bucket/ finished") {
		t.Errorf("no report in %q", r.stderr)
	}
	// A run that is over shows it again when it is resumed, and so does du.
	for _, args := range [][]string{{"resume", "r"}, {"du", "r"}} {
		again := u.run(t, args...)
		again.requireCode(t, 0)
		if again.stdout != r.stdout {
			t.Errorf("%q shows\n%s", args, again.stdout)
		}
	}
	r = u.run(t, "run", "s3://bucket/", "--out", "-", "--by-prefix", "1", "--sort", "objects", "--top", "1")
	r.requireCode(t, 0)
	if !strings.Contains(r.stderr, head+all+"Run ") || strings.Count(r.stdout, "\n") != 3 {
		t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
	}
}

// A run that is killed and resumed, over and over, ends with the truth.
func TestByPrefixAfterKills(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	s := serve(t, listing, s3serve.Options{Latency: 20 * time.Millisecond})
	u := newUser(t, s.url)
	p := u.start(t, "run", "s3://bucket/", "--run", "r", "--by-prefix", "all", "--json", "--node", "prefix", "--inline", "20")
	for _, lists := range []int{300, 900, 1500} {
		s.awaitCount(t, lists)
		p.signal(t, kill)
		<-p.done
		p = u.start(t, "resume", "r", "--json")
	}
	r := p.wait(t)
	r.requireCode(t, 0)
	lines := strings.SplitAfter(r.stdout, "\n")
	last := len(lines) - 2
	tr := truthOf(listing, "")
	tr.requireSummary(t, parseSummary(t, lines[last]))
	requirePrefixes(t, parsePrefixes(t, strings.Join(lines[:last], "")), prefixesOf(tr, "", every))
}

// What makes no sense is refused, by name, with the way out.
func TestByPrefixRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t, listingOf(t, []string{"a/b", "c"}), s3serve.Options{})
	u := newUser(t, s.url)
	u.run(t, "run", "s3://bucket/", "--run", "r").requireCode(t, 0)
	u.run(t, "run", "s3://bucket/none", "--run", "empty").requireCode(t, 0)
	u.run(t, "run", `{"kind":"synthetic","id":"0","args":{"fanout":1,"depth":1}}`, "--run", "made").requireCode(t, 0)
	for _, test := range []struct {
		want string
		args []string
	}{
		{`--by-prefix: depth is "deep", want a number of levels, 0 or more, or all`, []string{"run", "s3://bucket/", "--by-prefix", "deep"}},
		{`--sort and --top are for the table of --by-prefix, which is not given`, []string{"run", "s3://bucket/", "--sort", "bytes"}},
		{`--sort is "size", want name, bytes or objects`, []string{"run", "s3://bucket/", "--by-prefix", "1", "--sort", "size"}},
		{`--top is 3, but prefixes are sorted by name; want --sort bytes or objects with it`, []string{"du", "r", "--top", "3"}},
		{`--top is -3, want 1 to 1000000`, []string{"du", "r", "--sort", "bytes", "--top=-3"}},
		{`--depth is "-1", want a number of levels, 0 or more, or all`, []string{"du", "r", "--depth=-1"}},
		{`--under is "b/", but run r has no such prefix among its totals, which go to depth 2 (ramify run --by-prefix)`, []string{"du", "r", "--under", "b/"}},
		{`run empty found no keys`, []string{"du", "empty"}},
		{`run made has no totals per prefix: its nodes are of kind synthetic, which find no objects of S3`, []string{"du", "made"}},
		{`--by-prefix is "1", but nodes of kind synthetic have no prefixes`, []string{"run", `{"kind":"synthetic","id":"0"}`, "--by-prefix", "1"}},
	} {
		r := u.run(t, test.args...)
		r.requireCode(t, 1)
		if r.stdout != "" || r.stderr != "ramify: "+test.want+"\n" {
			t.Errorf("%q: stdout %q, stderr %q, want %q", test.args, r.stdout, r.stderr, test.want)
		}
	}
}
