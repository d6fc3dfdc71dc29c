package integration

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	ledgerdb "github.com/ramify/ramify/ledger/embedded"
	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// quiet is a time in which a run that goes on would ask for something: its
// control is a second old at most, and a request takes milliseconds.
const quiet = 3 * time.Second

// awaitStatus asks for the status, as a second terminal would, until it is so.
func (u *user) awaitStatus(t *testing.T, run, what string, ok func(summary) bool) summary {
	t.Helper()
	for over := time.Now().Add(deadline); ; {
		r := u.run(t, "status", run, "--json")
		r.requireCode(t, 0)
		s := parseSummary(t, r.stdout)
		if ok(s) {
			return s
		}
		if time.Now().After(over) {
			t.Fatalf("waited %v for status %s; it is %+v", deadline, what, s)
		}
	}
}

// awaitPaused waits until a run that was paused asks for nothing any more, and returns how
// often it has asked. That it is quiet is not enough, where the machine stands still.
func (u *user) awaitPaused(t *testing.T, s *server) (asked int) {
	t.Helper()
	nothing := regexp.MustCompile(`\nin flight +0 `)
	for over := time.Now().Add(deadline); ; {
		s.awaitQuiet(t, quiet)
		asked = s.count()
		r := u.run(t, "status", "r")
		r.requireCode(t, 0)
		if nothing.MatchString(r.stdout) && s.count() == asked {
			return asked
		}
		if time.Now().After(over) {
			t.Fatalf("waited %v for the pause; status is %s", deadline, r.stdout)
		}
	}
}

// slowRun starts a run that would take ten minutes, and returns when it has begun
// to list in earnest.
func slowRun(t *testing.T, args ...string) (*server, *user, *process, truth) {
	t.Helper()
	listing := sampleListing(t, sample.Count)
	s, _ := serveSlowly(t, listing, 50*time.Millisecond, 30)
	u := newUser(t, s.url)
	p := u.start(t, append([]string{"run", "s3://bucket/", "--run", "r", "--out", "out", "--node", "prefix", "--concurrency", "4"}, args...)...)
	s.awaitCount(t, 30)
	return s, u, p, truthOf(listing, "")
}

// From a second terminal: how it goes, for people and for programs.
func TestStatusWhileRunning(t *testing.T) {
	t.Parallel()
	_, u, p, tr := slowRun(t)
	sum := u.awaitStatus(t, "r", "with requests", func(s summary) bool { return s.Requests["list"] > 30 })
	if sum.State != "running" || sum.Target != "s3://bucket/" || sum.Totals.Prefixes != nil || sum.Failed != 0 || sum.Out != u.path("out") {
		t.Errorf("status %+v", sum)
	}
	if sum.Totals.Objects >= int64(len(tr.rows)) || sum.Nodes > tr.prefixes {
		t.Errorf("more than can be known: %+v", sum)
	}
	r := u.run(t, "status", "r")
	r.requireCode(t, 0)
	requireText(t, r.stdout, `run        r
target     s3://bucket/
state      running
done       {any}
elapsed    {s}
keys       {n}  {rate}
bytes      {any}  {any}/s
nodes      {n}  {rate}
requests   {n}  {rate}
retries    0
in flight  {n}  of 4 slots, 1 worker
failed     0
`)
	r = u.run(t, "failed", "r")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "No node was given up.\n")
	r = u.run(t, "redrive", "r")
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: run r is still running: it can be redriven when it has finished with failures\n")
	r = u.run(t, "run", "s3://bucket/", "--run", "r")
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: run r exists: go on with `ramify resume r`, or choose another name with --run\n")
	// A second resume changes nothing: the run is not paused, and goes on where it is.
	r = u.run(t, "resume", "r")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "run r is running\n")
	if !p.running() {
		t.Errorf("the run has ended: %s", p.stderr)
	}
}

// Pause from a second terminal: requests stop. Resume from there: they go on,
// and the result is exact.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	for _, node := range []string{"prefix", "range"} {
		t.Run(node, func(t *testing.T) {
			t.Parallel()
			keys, latency, begun := 5000, 10*time.Millisecond, 100
			if node == "range" {
				keys, latency, begun = sample.Count, 250*time.Millisecond, 6
			}
			listing := sampleListing(t, keys)
			s, usual := serveSlowly(t, listing, latency, begun)
			u := newUser(t, s.url)
			p := u.start(t, "run", "s3://bucket/", "--run", "r", "--out", "out", "--node", node, "--concurrency", "2", "--json")
			s.awaitCount(t, begun)
			r := u.run(t, "pause", "r")
			r.requireCode(t, 0)
			requireText(t, r.stdout, "run r is paused: `ramify resume r` lets it go on\n")
			asked := u.awaitPaused(t, s)
			status := u.awaitStatus(t, "r", "paused", func(s summary) bool { return s.State == "paused" })
			if status.Totals.Objects >= int64(listing.Len()) {
				t.Fatalf("it had finished before the pause: %+v", status)
			}
			r = u.run(t, "status", "r")
			if !strings.Contains(r.stdout, "paused") || !strings.HasSuffix(r.stdout, "It is paused. To go on:\n  ramify resume r\n") {
				t.Errorf("status %s", r.stdout)
			}
			if !p.running() || s.count() != asked {
				t.Errorf("running %v, %d requests since", p.running(), s.count()-asked)
			}
			usual()
			r = u.run(t, "resume", "r")
			r.requireCode(t, 0)
			requireText(t, r.stdout, "run r is running\n")
			end := p.wait(t)
			end.requireCode(t, 0)
			tr := truthOf(listing, "")
			tr.requireSummary(t, parseSummary(t, end.stdout))
			requireInventory(t, u.path("out"), "csv", tr)
			if n := s.count(); n > asked*2+60 && node == "range" || n > int(tr.prefixes)+30 && node == "prefix" {
				t.Errorf("%d requests, %d before the pause", n, asked)
			}
		})
	}
}

// A run paused and then interrupted goes on with resume.
func TestPausedRunInterrupted(t *testing.T) {
	t.Parallel()
	s, u, p, _ := slowRun(t)
	u.run(t, "pause", "r").requireCode(t, 0)
	u.awaitPaused(t, s)
	p.signal(t, interrupt)
	p.wait(t).requireCode(t, 130)
	p = u.start(t, "resume", "r")
	s.awaitCount(t, s.count()+5)
	if status := parseSummary(t, u.run(t, "status", "r", "--json").stdout); status.State != "running" {
		t.Errorf("status %+v", status)
	}
	p.signal(t, interrupt)
	p.wait(t).requireCode(t, 130)
	// Nobody works on it now: pause and resume are for its record alone.
	u.run(t, "pause", "r").requireCode(t, 0)
	if status := parseSummary(t, u.run(t, "status", "r", "--json").stdout); status.State != "paused" {
		t.Errorf("status %+v", status)
	}
}

// Cancel from a second terminal: the run ends, for good.
func TestCancel(t *testing.T) {
	t.Parallel()
	s, u, p, _ := slowRun(t)
	r := u.run(t, "cancel", "r")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "run r is cancelled\n")
	end := p.wait(t)
	end.requireCode(t, 3)
	if end.took > soon {
		t.Errorf("it ended after %v", end.took)
	}
	if !strings.HasPrefix(plain(t, end.stderr), "run r\nRun r of s3://bucket/ was cancelled after ") || strings.Contains(end.stderr, "ramify resume") {
		t.Errorf("report %s", end.stderr)
	}
	s.awaitQuiet(t, time.Second/2) // what the run had asked for as it ended
	asked := s.count()
	for _, test := range []struct{ command, want string }{
		{"resume", "ramify: run r was cancelled: it cannot go on\n"},
		{"redrive", "ramify: run r is cancelled: only a run that finished with failures can be redriven\n"},
		{"pause", "ramify: run r is cancelled: that cannot be changed any more\n"},
		{"cancel", "ramify: run r is cancelled: that cannot be changed any more\n"},
	} {
		r := u.run(t, test.command, "r")
		r.requireCode(t, 1)
		requireText(t, r.stderr, test.want)
	}
	if sum := parseSummary(t, u.run(t, "status", "r", "--json").stdout); sum.State != "cancelled" {
		t.Errorf("status %+v", sum)
	}
	if n := s.count() - asked; n > 0 {
		t.Errorf("%d requests since", n)
	}
}

// watch follows a run to its end, from its own terminal, and ends with it.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := serve(t, sampleListing(t, sample.Count), s3serve.Options{})
	s.hold(5)
	u := newUser(t, s.url)
	p := u.start(t, "run", "s3://bucket/", "--run", "r", "--json")
	s.awaitHeld(t)
	w := u.start(t, "watch", "r")
	w.stdout.await(t, "\n")
	begin, _, _ := strings.Cut(w.stdout.String(), "\n") // more lines come where this takes long
	requireText(t, begin, "running   {any}% {any}")
	s.open()
	p.wait(t).requireCode(t, 0)
	r := w.wait(t)
	r.requireCode(t, 0)
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	requireText(t, lines[len(lines)-1], "finished 100% {any}  20k keys {rate} · 968 MiB {any}/s · {any}")
	// Of a run that is over it says so at once.
	r = u.run(t, "watch", "r")
	r.requireCode(t, 0)
	requireText(t, r.stdout, "finished 100% {any}\n")
}

// Ctrl-C ends watch, and not the run.
func TestWatchInterrupted(t *testing.T) {
	t.Parallel()
	s, u, p, _ := slowRun(t)
	w := u.start(t, "watch", "r")
	w.stdout.await(t, "\n")
	w.signal(t, interrupt)
	if r := w.wait(t); r.stderr != "" || r.code != 0 && r.code != 130 {
		t.Errorf("code %d, stderr %q", r.code, r.stderr)
	}
	s.awaitCount(t, s.count()+10)
	if !p.running() {
		t.Error("the run has ended")
	}
}

// A run whose process was killed: status says that nobody works on it.
func TestStatusOfAKilledRun(t *testing.T) {
	t.Parallel()
	_, u, p, _ := slowRun(t)
	u.awaitStatus(t, "r", "with nodes", func(s summary) bool { return s.Requests["list"] > 0 })
	p.signal(t, kill)
	p.wait(t)
	sum := u.awaitStatus(t, "r", "running", func(s summary) bool { return s.State == "running" })
	// At once: its last report is seconds old, but its lock is free.
	r := u.run(t, "status", "r")
	if !strings.Contains(r.stdout, "of 0 slots, 0 workers") || !strings.HasSuffix(r.stdout, "\nNobody works on it. To go on:\n  ramify resume r\n") {
		t.Errorf("status %s", r.stdout)
	}
	r = u.run(t, "redrive", "r")
	r.requireCode(t, 1)
	requireText(t, r.stderr, "ramify: run r is running: only a run that finished with failures can be redriven\n")
	if again := parseSummary(t, u.run(t, "status", "r", "--json").stdout); again.Totals != sum.Totals {
		t.Errorf("totals %+v, then %+v", sum.Totals, again.Totals)
	}
}

// The node as JSON, from standard words to the row of each node.
func TestSyntheticRun(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	target := `{"kind":"synthetic","id":"0","args":{"fanout":5,"depth":4,"objects":2,"bytes":10,"rows":true}}`
	r := u.run(t, "run", target, "--run", "r", "--json", "--out", "out")
	r.requireCode(t, 0)
	sum := parseSummary(t, strings.Replace(r.stdout, `"prefixes":null`, `"prefixes":0`, 1))
	const nodes = 1 + 5 + 25 + 125 + 625
	if sum.State != "finished" || sum.Nodes != nodes || sum.Totals.Objects != 2*nodes || sum.Totals.Bytes != 10*nodes || len(sum.Requests) != 0 || sum.Target != "synthetic 0" {
		t.Errorf("got %+v", sum)
	}
	seen := map[string]bool{}
	for _, id := range syntheticRows(t, u.path("out"), 2, 10) {
		if seen[id] {
			t.Errorf("row %s stands there twice", id)
		}
		seen[id] = true
	}
	if len(seen) != nodes {
		t.Errorf("%d rows", len(seen))
	}
}

// syntheticRows are the ids of an inventory of a synthetic tree.
func syntheticRows(t *testing.T, dir string, objects, bytes int64) (ids []string) {
	t.Helper()
	m := readManifest(t, dir)
	if m.FileFormat != "NDJSON" || len(m.Files) > 3 {
		t.Errorf("manifest %+v", m)
	}
	for _, f := range m.Files {
		for line := range strings.Lines(string(unzstd(t, readFile(t, dir+"/"+f.Key)))) {
			var row struct {
				ID             string
				Objects, Bytes int64
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil || row.Objects != objects || row.Bytes != bytes {
				t.Fatal(fmt.Errorf("row %s: %w", line, err))
			}
			ids = append(ids, row.ID)
		}
	}
	return ids
}

// Paused while its last node was under way, a run ends all the same. That it was
// paused must not stand in the way of what comes after.
func TestPausedAtItsEnd(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	target := `{"kind":"synthetic","id":"0","args":{"poison":1,"heal":1}}`
	u.run(t, "run", target, "--run", "r", "--retries", "0").requireCode(t, 3)
	pauseLate(t, filepath.Join(u.state(), "r.db"))
	u.run(t, "resume", "r").requireCode(t, 3) // makes the results again
	r := u.run(t, "redrive", "r", "--json")
	r.requireCode(t, 0)
	if sum := parseSummary(t, strings.Replace(r.stdout, `"prefixes":null`, `"prefixes":0`, 1)); sum.State != "finished" || sum.Nodes != 1 {
		t.Errorf("got %+v", sum)
	}
}

// pauseLate leaves the record of a run that failed as a pause does that came
// before its end.
func pauseLate(t *testing.T, path string) {
	t.Helper()
	s, err := store.Open(path, store.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := ledgerdb.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	if _, err := l.Amend(t.Context(), "r", ledger.Change{From: ledger.Failed, Paused: &yes}); err != nil {
		t.Fatal(err)
	}
}
