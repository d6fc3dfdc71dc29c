package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// truthOfSome is the truth of what lies below some prefixes, base being what they
// have in common.
func truthOfSome(l *s3serve.Listing, base string, prefixes ...string) truth {
	tr := truth{rows: map[string]row{}}
	for _, p := range prefixes {
		for k, r := range truthOf(l, p).rows {
			if _, twice := tr.rows[k]; !twice {
				tr.bytes += r.size
			}
			tr.rows[k] = r
		}
	}
	tr.prefixes = countPrefixes(tr.rows, base)
	return tr
}

func listOf(prefixes ...string) []byte {
	var b strings.Builder
	for _, p := range prefixes {
		b.WriteString("s3://" + bucket + "/" + p + "\n")
	}
	return []byte(b.String())
}

// Each key below some of the prefixes is listed once, also where they are there
// twice, contain each other, or are blank or none; totals begin where they part.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	s := serve(t, listing, s3serve.Options{})
	for _, test := range []struct {
		base     string
		prefixes []string
	}{
		{"usr/", []string{"usr/lib/", "usr/bin/", "usr/lib/x", "usr/lib/", "usr/share/doc", "usr/share/doc/lib", "usr/none/"}},
		{"usr/bin/", []string{"usr/bin/"}},
		{"", []string{"usr/bin/", "", "etc/"}},
		{"usr/bin/", []string{"usr/bin/a", "usr/bin/b", "usr/bin/z", "usr/bin/ab"}},
		{"", []string{"none/", "nor/this"}},
	} {
		tr := truthOfSome(listing, test.base, test.prefixes...)
		for _, node := range []string{"range", "prefix"} {
			for _, format := range []string{"csv", "parquet"} {
				t.Run(fmt.Sprint(test.prefixes, node, format), func(t *testing.T) {
					t.Parallel()
					u := newUser(t, s.url)
					if err := os.WriteFile(u.path("list"), append(listOf(test.prefixes...), "\n \r\n"...), 0o600); err != nil {
						t.Fatal(err)
					}
					r := u.run(t, "run", "prefixes:list", "--out", "out", "--format", format, "--node", node, "--json")
					r.requireCode(t, 0)
					tr.requireSummary(t, parseSummary(t, r.stdout))
					requireInventory(t, u.path("out"), format, tr)
				})
			}
		}
	}
}

// Totals, filters and columns are those of one listing.
func TestPrefixesAsOneListing(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	s := serve(t, listing, s3serve.Options{})
	u := newUser(t, s.url)
	var all []string
	for k := range truthOf(listing, "usr/").rows {
		name := strings.SplitN(k, "/", 3)[1]
		all = append(all, "usr/"+name+strings.Repeat("/", strings.Count(k, "/")-1)[:1])
	}
	if err := os.WriteFile(u.path("list"), listOf(all...), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--json", "--by-prefix", "all", "--filter", "*a*", "--filter", "!/share/doc/"}
	parts := u.run(t, append([]string{"run", "prefixes:list"}, args...)...)
	whole := u.run(t, append([]string{"run", "s3://bucket/usr/"}, args...)...)
	parts.requireCode(t, 0)
	whole.requireCode(t, 0)
	mine, want := strings.SplitAfter(parts.stdout, "\n"), strings.SplitAfter(whole.stdout, "\n")
	if len(mine) < 100 || strings.Join(mine[:len(mine)-2], "") != strings.Join(want[:len(want)-2], "") {
		t.Errorf("%d lines of totals, want %d", len(mine), len(want))
	}
}

// From standard input, killed at any moment: what was read is with the run.
func TestKillPrefixes(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	prefixes := map[string]bool{}
	for k := range truthOf(listing, "usr/").rows {
		parts := strings.SplitAfterN(k, "/", 4)
		prefixes[strings.Join(parts[:min(len(parts)-1, 3)], "")] = true
	}
	var all []string
	for p := range prefixes {
		all = append(all, p)
	}
	tr := truthOfSome(listing, "usr/", all...)
	for _, inline := range []string{"0", "1000"} {
		t.Run(inline, func(t *testing.T) {
			t.Parallel()
			s := serve(t, listing, s3serve.Options{Latency: 5 * time.Millisecond})
			u := newUser(t, s.url)
			k := newKiller(t, time.Second)
			for i := 0; k.kills < killsPerCase()/2; i++ {
				v := victim{user: u, name: fmt.Sprint("r", i), out: fmt.Sprint("out", i), args: []string{"--json"}}
				v.command = []string{"run", "prefixes:list", "--run", v.name, "--out", v.out, "--inline", inline, "--concurrency", "4"}
				if err := os.WriteFile(u.path("list"), listOf(all...), 0o600); err != nil {
					t.Fatal(err)
				}
				r := v.toTheEnd(t, k, killsPerCase()/2)
				r.requireCode(t, 0)
				tr.requireSummary(t, parseSummary(t, r.stdout))
				requireInventory(t, u.path(v.out), "csv", tr)
			}
		})
	}
	t.Run("stdin", func(t *testing.T) {
		t.Parallel()
		s := serve(t, listing, s3serve.Options{})
		u := newUser(t, s.url)
		p := &process{cmd: u.command("run", "prefixes:-", "--run", "r", "--out", "out", "--concurrency", "2"), stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
		p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = strings.NewReader(string(listOf(all...))), p.stdout, p.stderr
		s.hold(2) // the check, and a page
		p.begin(t)
		s.awaitHeld(t)
		p.signal(t, kill)
		p.wait(t)
		s.open()
		r := u.run(t, "resume", "r", "--json")
		r.requireCode(t, 0)
		tr.requireSummary(t, parseSummary(t, r.stdout))
		requireInventory(t, u.path("out"), "csv", tr)
	})
}

// A list of nodes of any kind.
func TestNodes(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, 2000)
	s := serve(t, listing, s3serve.Options{})
	u := newUser(t, s.url)
	var b strings.Builder
	for _, p := range []string{"usr/bin/", "etc/"} {
		line, err := json.Marshal(map[string]any{"kind": "s3.crawl", "id": p, "args": map[string]any{"bucket": bucket, "prefix": p}})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	b.WriteString(`{"kind":"synthetic","id":"0","args":{"fanout":3,"depth":2,"objects":1},"weight":3}`)
	if err := os.WriteFile(u.path("nodes.ndjson"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r := u.run(t, "run", "file:nodes.ndjson", "--out", "out", "--json", "--max-rps", "1000")
	r.requireCode(t, 0)
	tr := truthOfSome(listing, "", "usr/bin/", "etc/")
	sum := parseSummary(t, r.stdout)
	if want := int64(len(tr.rows)) + 13; sum.Totals.Objects != want || sum.State != "finished" || sum.Totals.Prefixes != nil {
		t.Errorf("got %+v, want %d objects", sum, want)
	}
	var rows []row
	for _, f := range readManifest(t, u.path("out")).Files {
		rows = append(rows, readNDJSON(t, readFile(t, u.path("out/"+f.Key)))...)
	}
	tr.requireRows(t, rows, false)
}

// What is wrong with a list is said with its line, and there is no run.
func TestListsThatAreNone(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 100), s3serve.Options{})
	u := newUser(t, s.url)
	for _, c := range []struct {
		target, content string
		args            []string
		code            int
		want            string
	}{
		{"prefixes:", "", nil, 1, "names no file; want prefixes:FILE"},
		{"inventory:", "", nil, 1, `target "inventory:" names no inventory; want inventory:s3://`},
		{"prefixes:nowhere", "", nil, 1, "open nowhere: no such file"},
		{"prefixes:list", "\n\n", nil, 1, "target prefixes:list has no line that is not blank"},
		{"prefixes:list", "s3://bucket/a\nusr/\n", nil, 1, `line 2: target is "usr/", want s3://bucket`},
		{"prefixes:list", "\ns3://bucket/a\ns3://other/a\n", nil, 1, `line 3: its bucket is "other", and that of line 2 is "bucket"`},
		{"prefixes:list", "s3://bucket/" + strings.Repeat("k", 1025), nil, 1, "line 1: its prefix has 1025 bytes"},
		{"prefixes:list", "s3://none/a", nil, 2, "list s3://none/a: NoSuchBucket"},
		{"file:list", "{}", nil, 1, `line 1: kind is ""`},
		{"file:list", `{"kind":"synthetic"} x`, nil, 1, "line 1: it is not one node"},
		{"file:list", `{"kind":"list"}`, nil, 1, `line 1: kind "list" cannot be in a list`},
		{"file:list", strings.Repeat("x", 1<<20+1), nil, 1, "line 1: it has more than 1048576 bytes"},
		{"file:list", `{"kind":"synthetic"}`, []string{"--out", "o", "--format", "csv"}, 1, "--format is csv"},
		{"file:list", `{"kind":"synthetic"}`, []string{"--versions"}, 1, "--versions"},
		{`{"kind":"list","args":{"count":1}}`, "", nil, 1, "want file:FILE or prefixes:FILE"},
	} {
		if err := os.WriteFile(u.path("list"), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		r := u.run(t, append([]string{"run", c.target}, c.args...)...)
		if r.requireCode(t, c.code); !strings.Contains(r.stderr, c.want) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: said %q, want %q", c.target, r.stderr, c.want)
		}
	}
	if left := u.stateFiles(t); len(left) > 0 {
		t.Errorf("runs were left: %q", left)
	}
}
