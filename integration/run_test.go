package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// What a person sees of a whole run: its name first, then the report, and the
// totals are the truth.
func TestRunReport(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	s := serve(t, listing, s3serve.Options{})
	u := newUser(t, s.url)
	r := u.run(t, "run", "s3://bucket/", "--run", "first")
	r.requireCode(t, 0)
	if r.stdout != "" {
		t.Errorf("standard output has %q", r.stdout)
	}
	tr := truthOf(listing, "")
	var biggest strings.Builder
	for _, p := range biggestOf(tr, 2, 10) {
		fmt.Fprintf(&biggest, "  %s  {n} {any}  %s\n", thousands(p.objects), p.prefix)
	}
	// Columns are aligned to the right there: one gap more before short numbers.
	requireText(t, strings.ReplaceAll(plain(t, r.stderr), "\n     ", "\n  "), `run first
Run first of s3://bucket/ finished in {s}.

  keys      20,000   {rate}
  bytes     968 MiB  {any}/s
  prefixes  2,761
  nodes     {n}      {rate}
  requests  {n}      {rate}  {n} list
  retries   0
  failed    0

Biggest prefixes:
  keys    bytes  prefix
`+biggest.String())
}

// The table is aligned to the right, so lines are compared without their margin.
type prefixTotal struct {
	prefix         string
	objects, bytes int64
}

// biggestOf is the biggest prefixes of a level, by their bytes.
func biggestOf(tr truth, level, top int) []prefixTotal {
	by := map[string]*prefixTotal{}
	for k, r := range tr.rows {
		parts := strings.SplitAfterN(k, "/", level+1)
		if len(parts) <= level {
			continue
		}
		p := strings.Join(parts[:level], "")
		if by[p] == nil {
			by[p] = &prefixTotal{prefix: p}
		}
		by[p].objects++
		by[p].bytes += r.size
	}
	var all []prefixTotal
	for _, p := range by {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b prefixTotal) int { return int(b.bytes - a.bytes) })
	return all[:min(len(all), top)]
}

func thousands(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// The object that --json ends with, and that status --json repeats: its form,
// its order, and every value that the truth decides.
func TestRunJSON(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	for _, test := range []struct {
		target, prefix string
		args           []string
	}{
		{"s3://bucket/", "", nil},
		{"s3://bucket", "", []string{"--inline", "0"}},
		{"s3://bucket/usr/share/doc/", "usr/share/doc/", nil},
		{"s3://bucket/usr/share/doc/lib", "usr/share/doc/lib", []string{"--concurrency", "1"}},
		{"s3://bucket/none", "none", nil},
		{"s3://bucket/", "", []string{"--node", "prefix"}},
		{"s3://bucket/usr/", "usr/", []string{"--node", "prefix", "--inline", "0"}},
	} {
		t.Run(test.target+strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			s := serve(t, listing, s3serve.Options{})
			u := newUser(t, s.url)
			r := u.run(t, append([]string{"run", test.target, "--json"}, test.args...)...)
			r.requireCode(t, 0)
			sum := parseSummary(t, r.stdout)
			requireText(t, plain(t, r.stderr), "run "+sum.Run+"\n")
			requireText(t, sum.Run, "{name}")
			tr := truthOf(listing, test.prefix)
			tr.requireSummary(t, sum)
			if sum.Target != test.target || sum.Retries != 0 || sum.Out != "" || sum.Seconds <= 0 {
				t.Errorf("got %+v", sum)
			}
			if slices.Contains(test.args, "prefix") && sum.Nodes != tr.prefixes+1 {
				t.Errorf("%d nodes, want one for each of %d prefixes and the root", sum.Nodes, tr.prefixes)
			}
			// The check before the run is no request of the run.
			if len(sum.Requests) != 1 || sum.Requests["list"] != int64(s.count())-1 {
				t.Errorf("requests %v, the server was asked %d times", sum.Requests, s.count())
			}
			if r := u.run(t, "status", sum.Run, "--json"); r.stdout != mustJSON(t, u, sum) {
				t.Errorf("status --json is %s", r.stdout)
			}
			if files := u.stateFiles(t); !slices.Equal(files, []string{sum.Run + ".db"}) {
				t.Errorf("state is %v, want one file", files)
			}
		})
	}
}

// mustJSON is what run --json ended with, asked for again through resume, which
// has nothing left to do.
func mustJSON(t *testing.T, u *user, sum summary) string {
	t.Helper()
	r := u.run(t, "resume", sum.Run, "--json")
	r.requireCode(t, 0)
	if again := parseSummary(t, r.stdout); again.Seconds != sum.Seconds || again.Totals.Objects != sum.Totals.Objects || again.Nodes != sum.Nodes {
		t.Errorf("resumed %+v, ran %+v", again, sum)
	}
	return r.stdout
}

// LISTs stay near one for a thousand keys.
func TestRunAsksForLittle(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, sample.Count), s3serve.Options{})
	newUser(t, s.url).run(t, "run", "s3://bucket/", "--concurrency", "8").requireCode(t, 0)
	if n := s.count(); n > 20+4*8 {
		t.Errorf("%d LISTs for 20,000 keys on 8 slots", n)
	}
}

// A name that exists is refused with the way out, and nothing happens to it.
func TestRunNameExists(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 100), s3serve.Options{})
	u := newUser(t, s.url)
	u.run(t, "run", "s3://bucket/", "--run", "twice").requireCode(t, 0)
	before, asked := readFile(t, filepath.Join(u.state(), "twice.db")), s.count()
	r := u.run(t, "run", "s3://bucket/", "--run", "twice")
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: run twice exists: go on with `ramify resume twice`, or choose another name with --run\n")
	if after := readFile(t, filepath.Join(u.state(), "twice.db")); !slices.Equal(before, after) || s.count() != asked {
		t.Error("the state has changed, or the bucket was listed")
	}
}

// The folder of states can be named by flag and by variable.
func TestStateFolder(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 100), s3serve.Options{})
	u := newUser(t, s.url)
	u.run(t, "run", "s3://bucket/", "--run", "r", "--state", "flag").requireCode(t, 0)
	again := u.run(t, "run", "s3://bucket/", "--run", "r", "--state", "flag")
	requireText(t, again.stderr, "ramify: run r exists: go on with `ramify resume r --state \""+u.path("flag")+"\"`, or choose another name with --run\n")
	u.env = append(u.env, "RAMIFY_STATE="+u.path("variable"))
	u.run(t, "run", "s3://bucket/", "--run", "r").requireCode(t, 0)
	for _, dir := range []string{"flag", "variable"} {
		if _, err := os.Stat(u.path(filepath.Join(dir, "r.db"))); err != nil {
			t.Error(err)
		}
	}
	if files := u.stateFiles(t); len(files) > 0 {
		t.Errorf("the default folder has %v", files)
	}
	r := u.run(t, "status", "other")
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: no run other in "+u.path("variable")+"; another folder is named with --state\n")
}

// An empty variable is as none, whatever it is to hold: no state is left in the
// working directory, and no number is missed.
func TestVariablesEmpty(t *testing.T) {
	t.Parallel()
	u := newUser(t, serve(t, sampleListing(t, 100), s3serve.Options{}).url)
	for _, name := range []string{
		"STATE", "RUN", "OUT", "FORMAT", "COLUMNS", "FILTER", "CONCURRENCY", "MAX_RPS", "NODE", "VERSIONS", "INLINE",
		"RETRIES", "BY_PREFIX", "SORT", "TOP", "JSON", "VERBOSE", "UNDER", "DEPTH", "MOVED",
	} {
		u.env = append(u.env, "RAMIFY_"+name+"=")
	}
	for _, args := range [][]string{{"run", "s3://bucket/", "--run", "r"}, {"resume", "r"}, {"status", "r"}, {"du", "r"}} {
		u.run(t, args...).requireCode(t, 0)
	}
	if _, err := os.Stat(filepath.Join(u.state(), "r.db")); err != nil {
		t.Error(err)
	}
}

// A crawl given as a node is checked as one given as a URL is.
func TestCrawlAsNode(t *testing.T) {
	t.Parallel()
	u := newUser(t, serve(t, sampleListing(t, 100), s3serve.Options{}).url)
	r := u.run(t, "run", `{"kind":"s3.crawl","id":"x","args":{"bucket":"none"}}`)
	r.requireCode(t, 2)
	if !strings.Contains(r.stderr, "NoSuchBucket") || len(u.stateFiles(t)) > 0 {
		t.Errorf("%s, left behind %v", r.stderr, u.stateFiles(t))
	}
	u.run(t, "run", `{"kind":"s3.crawl","id":"x","args":{"bucket":"bucket"}}`, "--out", "out").requireCode(t, 0)
	if m := readManifest(t, u.path("out")); m.SourceBucket != bucket {
		t.Errorf("source bucket %q", m.SourceBucket)
	}
}

// What is wrong on the command line is said in one line that names the flag and
// the value, with exit code 1, before anything is asked for or made.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 10), s3serve.Options{})
	run := func(args ...string) []string { return append([]string{"run", "s3://bucket/"}, args...) }
	for _, test := range []struct {
		args []string
		want string // in the one line
	}{
		{run("--concurrency", "0"), "--concurrency is 0, want 1 to 10000"},
		{run("--concurrency", "10001"), "--concurrency is 10001, want 1 to 10000"},
		{run("--concurrency", "many"), `--concurrency: expected a valid 64 bit int but got "many"`},
		{run("--inline=-1"), "--inline is -1, want 0 or more"},
		{run("--retries=-1"), "--retries is -1, want 0 or more"},
		{run("--node", "key"), `--node is "key", want range or prefix`},
		{run("--out", "x", "--format", "xml"), `--format is "xml", want keys, csv, ndjson or parquet`},
		{run("--format", "csv"), `--format is "csv", but without --out there are no results to write`},
		{run("--filter", "*.jpg", "--filter", "size>10XB"), `--filter is "size>10XB", want a size: a number of bytes, or one with B, kB, `},
		{run("--filter", "a**.jpg"), `--filter is "a**.jpg", want ** to be a segment of its own, as in logs/**/*.gz`},
		{run("--filter", "modified>soon"), `--filter is "modified>soon", want a day such as 2026-01-31, `},
		{[]string{"run", `{"kind":"synthetic","id":"0"}`, "--filter", "*"}, `--filter is "*", but nodes of kind synthetic are no objects`},
		{run("--columns", "key"), `--columns is "key", but without --out there are no results to write`},
		{run("--out", "x", "--columns", "key,colour"), `--columns is "key,colour", want some of bucket, key, versionid, `},
		{run("--out", "x", "--columns", "key,Key"), `--columns is "key,Key", want some of bucket, key, versionid, `},
		{run("--out", "x", "--columns", "key", "--format", "keys"), `--columns is "key", but --format keys writes keys and nothing else; want --format csv, ndjson or parquet`},
		{run("--out", "x", "--columns", "Key,VersionId"), `--columns is "Key,VersionId", but without --versions no versionid is listed`},
		{[]string{"run", `{"kind":"synthetic","id":"0"}`, "--out", "x", "--columns", "key"}, `--columns is "key", but nodes of kind synthetic write no objects`},
		{run("--out", "-", "--format", "parquet"), "--format is parquet, which cannot be streamed; want keys, csv or ndjson with --out -"},
		{run("--out", "-", "--json"), "--json and --out - both write to standard output; want one of them"},
		{run("--out", "gs://elsewhere/inventory"), `--out is "gs://elsewhere/inventory", want s3://bucket/prefix, the URL of an SQS queue, a folder, or - for standard output`},
		{run("--out", "s3:///inventory"), `--out is "s3:///inventory", which names no bucket; want s3://bucket/prefix`},
		{run("--out", "https://sqs.us-east-1.amazonaws.com/1/q", "--format", "parquet"), "--format is parquet, which cannot be cut into messages; "},
		{run("--run", "a b"), `"a b"`},
		{run("--run", "../x"), `"../x"`},
		{run("--run", ""), "--run is empty; give it a value, or leave it out"},
		{run("--out", ""), "--out is empty; give it a value, or leave it out"},
		{run("--out="), "--out is empty"},
		{run("--state", ""), "--state is empty"},
		{run("--nonsense"), "unknown flag --nonsense"},
		{run("--\x1b]0;title\a"), `unknown flag --\x1b]0;title\x07`},
		{run("--concurrency", "\x1b[31m"), `\x1b[31m`},
		{run("more"), "unexpected argument more"},
		{[]string{"run"}, "<target>"},
		{[]string{"walk"}, "unexpected argument walk"},
		{[]string{}, "expected one of"},
		{[]string{"run", "http://bucket/"}, `target "http://bucket/" is not known; want s3://bucket/prefix, inventory:s3://…/manifest.json`},
		{[]string{"run", "bucket"}, `target "bucket" is not known`},
		{[]string{"run", "s3://"}, `"s3://"`},
		{[]string{"run", "s3:///key"}, `"s3:///key"`},
		{[]string{"run", `{"kind":"nothing","id":"x"}`}, `kind "nothing" is not known; want one of `},
		{[]string{"run", `{"kind":"No Kind","id":"x"}`}, `"No Kind"`},
		{[]string{"run", `{"kind":"synthetic","id":"0"}`, "--out", "x", "--format", "csv"}, "--format is csv, but what nodes of kind synthetic write is ndjson"},
		{[]string{"run", `{"id":"x"}`}, "kind"},
		{[]string{"run", `{"kind":"synthetic","id":"0","arg":{}}`}, `unknown field "arg"`},
		{[]string{"run", `{"kind":"synthetic"`}, "it is not a node"},
		{[]string{"run", `{"kind":"synthetic","id":"0"} more`}, "something follows it"},
		{[]string{"run", `{"kind":"synthetic","id":"0","args":[1]}`}, `target: args is "[1]", want a JSON object`},
		{[]string{"run", `{"kind":"synthetic","id":"0","args":null}`}, `target: args is "null", want a JSON object`},
		{[]string{"run", `{"kind":"synthetic","id":"` + strings.Repeat("0", 5000) + `"}`}, "want UTF-8 of at most 4096 bytes"},
		{[]string{"watch"}, "<run>"},
		{[]string{"status", "none"}, "no run none in"},
		{[]string{"resume", "none"}, "no run none in"},
		{[]string{"redrive", "none"}, "no run none in"},
		{[]string{"failed", "none"}, "no run none in"},
		{[]string{"watch", "none"}, "no run none in"},
		{[]string{"pause", "none"}, "no run none in"},
		{[]string{"cancel", "none"}, "no run none in"},
		{[]string{"cancel", "../none"}, `"../none"`},
		{[]string{"resume", "none", "--concurrency=-3"}, "--concurrency is -3"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			u := newUser(t, s.url)
			r := u.run(t, test.args...)
			r.requireCode(t, 1)
			if r.stdout != "" || strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "ramify: ") || !strings.Contains(r.stderr, test.want) {
				t.Errorf("stdout %q, stderr %q; want one line with %q", r.stdout, r.stderr, test.want)
			}
			if files := u.stateFiles(t); len(files) > 0 {
				t.Errorf("left behind: %v", files)
			}
		})
	}
	t.Cleanup(func() {
		if n := s.count(); n > 0 {
			t.Errorf("the server was asked %d times", n)
		}
	})
}

// A folder for results that holds something else is refused before there is a run.
func TestOutNotEmpty(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, 10), s3serve.Options{})
	u := newUser(t, s.url)
	if err := os.MkdirAll(u.path("full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(u.path("full/letter.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := u.run(t, "run", "s3://bucket/", "--out", "full")
	if r.code != 1 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "folder "+u.path("full")+` is not empty (it has "letter.txt"): choose an empty or new folder`) {
		t.Errorf("code %d, %s", r.code, r.stderr)
	}
	if files := u.stateFiles(t); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
	// Nor can a folder be made in a file.
	r = u.run(t, "run", "s3://bucket/", "--out", "full/letter.txt/out")
	r.requireCode(t, 1)
	if strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, `ramify: --out is "`+u.path("full/letter.txt/out")+`": open results: results cannot be stored: make folder: `) {
		t.Errorf("%s", r.stderr)
	}
	// A run's own folder is not another run's either.
	u.run(t, "run", "s3://bucket/", "--out", "mine").requireCode(t, 0)
	r = u.run(t, "run", "s3://bucket/", "--out", "mine")
	r.requireCode(t, 1)
	if !strings.Contains(r.stderr, "holds the results of another run: choose an empty or new folder") {
		t.Errorf("%s", r.stderr)
	}
}

// schema, --help and --version need nothing and nobody.
func TestWordsWithoutARun(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	u.env = append(u.env, "RAMIFY_VERSION=1.2.3") // as a container may say; it asks for nothing
	for _, test := range []struct{ args, want string }{
		{"--help", "Usage: ramify <command>"},
		{"run --help", "--concurrency=64"},
		{"resume --help", "Usage: ramify resume <run>"},
		{"--version", ""},
		{"schema", `"$schema": "https://json-schema.org/draft/2020-12/schema"`},
	} {
		r := u.run(t, strings.Fields(test.args)...)
		r.requireCode(t, 0)
		if r.stderr != "" || !strings.Contains(r.stdout, test.want) || !strings.HasSuffix(r.stdout, "\n") {
			t.Errorf("%s: stdout %q, stderr %q", test.args, r.stdout, r.stderr)
		}
	}
	if files := u.stateFiles(t); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

// A demonstration needs no S3, no credentials and no configuration.
func TestDemo(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	for _, name := range []string{"a/one", "a/two", "b c/three", "four"} {
		if err := os.MkdirAll(filepath.Dir(u.path("tree/"+name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(u.path("tree/"+name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := u.run(t, "demo", "tree", "--latency", "0s", "--json", "--run", "shown", "--out", "out", "--format", "keys")
	r.requireCode(t, 0)
	requireText(t, plain(t, r.stderr), "serving 4 files of "+u.path("tree")+" as s3://demo/ on http://127.0.0.1:{any}\nrun shown\n")
	sum := parseSummary(t, r.stdout)
	if sum.Totals.Objects != 4 || sum.Totals.Bytes != int64(len("a/onea/twob c/threefour")) || *sum.Totals.Prefixes != 2 || sum.Out != u.path("out/manifest.json") {
		t.Errorf("got %+v", sum)
	}
	if got := string(readFile(t, u.path("out/data/part-00001.txt"))); got != "a/one\na/two\nb c/three\nfour\n" {
		t.Errorf("keys %q", got)
	}
	r = u.run(t, "demo", "--json")
	r.requireCode(t, 0)
	if sum := parseSummary(t, r.stdout); sum.Totals.Objects != sample.Count || *sum.Totals.Prefixes != 2761 {
		t.Errorf("got %+v", sum)
	}
}

// A demonstration that was interrupted goes on with a server of its own again,
// and asks nobody else for a bucket of that name.
func TestDemoResumed(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	p := u.start(t, "demo", "--latency", "700ms", "--concurrency", "1", "--run", "shown", "--out", "out")
	p.stderr.await(t, "run shown\n")
	p.signal(t, os.Interrupt)
	p.wait(t).requireCode(t, 130)
	r := u.run(t, "resume", "shown", "--json", "--concurrency", "64")
	r.requireCode(t, 0)
	if sum := parseSummary(t, r.stdout); sum.Totals.Objects != sample.Count || !strings.Contains(r.stderr, "serving 20000 files") {
		t.Errorf("got %+v, %s", sum, r.stderr)
	}
}
