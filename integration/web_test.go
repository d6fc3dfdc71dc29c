package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// browser asks a page that a command has printed the address of.
type browser struct {
	base  string // http://host:port
	token string
	run   string
}

// browse finds the page of a command.
func browse(t *testing.T, p *process) *browser {
	t.Helper()
	var line string
	p.stderr.until(t, "the page's address", func() bool {
		_, after, found := strings.Cut("\n"+p.stderr.String(), "\npage ")
		address, _, whole := strings.Cut(after, "\n")
		line = address
		return found && whole
	})
	u, err := url.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	fragment, err := url.ParseQuery(u.Fragment)
	if err != nil || u.RawQuery != "" {
		t.Fatalf("address %s: %v", line, err)
	}
	return &browser{base: "http://" + u.Host, token: fragment.Get("token"), run: fragment.Get("run")}
}

func (b *browser) request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// do returns the status and the body of an answer.
func (b *browser) do(t *testing.T, r *http.Request) (int, string, http.Header) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body), answer.Header
}

// get reads what the API says of the run.
func (b *browser) get(t *testing.T, what string, into any) {
	t.Helper()
	code, body, _ := b.do(t, b.request(t, http.MethodGet, "/api/runs/"+b.run+what, ""))
	if code != http.StatusOK {
		t.Fatalf("%s: %d: %s", what, code, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("%s: %v: %s", what, err, body)
	}
}

// press presses a button, and returns the reading that follows, if it may be pressed.
func (b *browser) press(t *testing.T, button, body string) (int, reading) {
	t.Helper()
	code, text, _ := b.do(t, b.request(t, http.MethodPost, "/api/runs/"+b.run+"/"+button, body))
	var r reading
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%s: %d: %s", button, code, text)
	}
	return code, r
}

// reading is what tests look at of one.
type reading struct {
	Run, State, Error               string
	Fraction, Seconds               float64
	Nodes, Objects, Bytes, Failures int64
	Epoch, Concurrency, Slots       int
	Requests                        map[string]int64
	May                             []string
	Workers                         []struct{ Doing []struct{ Node string } }
	Cost                            *struct{ So_far float64 }
	Fleet                           *struct {
		Running, Desired, Unread int
		Target                   *float64
		Min, Max                 *int
		Events                   []event
		Missing                  []missing
	}
}

type event struct {
	At          time.Time
	By, Message string
}

type missing struct{ Part, Reason string }

type extent struct {
	Objects, Bytes int64
	Seconds        float64
}

type prefixTree struct {
	Prefix   string
	Complete bool
	extent
	Prefixes int64
	Children []struct {
		Prefix string
		extent
		More bool
	}
	Rest struct {
		Prefixes int64
		extent
	}
	Direct extent
}

// check fails the test unless what a prefix has is what its parts have.
func (p *prefixTree) check(t *testing.T) {
	t.Helper()
	sum := p.Direct
	for _, c := range append([]extent{p.Rest.extent}, func() (all []extent) {
		for _, c := range p.Children {
			all = append(all, c.extent)
		}
		return all
	}()...) {
		sum.Objects += c.Objects
		sum.Bytes += c.Bytes
		sum.Seconds += c.Seconds
	}
	if sum.Objects != p.Objects || sum.Bytes != p.Bytes || math.Abs(sum.Seconds-p.Seconds) > 1e-5 || p.Prefixes != int64(len(p.Children))+p.Rest.Prefixes {
		t.Errorf("%q has %+v, its parts %+v; %d prefixes, %d shown, %d not", p.Prefix, p.extent, sum, p.Prefixes, len(p.Children), p.Rest.Prefixes)
	}
}

// follow reads the events of the run until the stream ends.
func (b *browser) follow(ctx context.Context, t *testing.T) (readings chan reading) {
	t.Helper()
	answer, err := http.DefaultClient.Do(b.request(t, http.MethodGet, "/api/runs/"+b.run+"/events", "").WithContext(ctx)) //nolint:bodyclose // it is closed where it is read
	if err != nil {
		t.Fatal(err)
	}
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("events are %s", kind)
	}
	readings = make(chan reading, 1000)
	go func() {
		defer close(readings)
		defer func() { _ = answer.Body.Close() }()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if data, is := strings.CutPrefix(lines.Text(), "data: "); is {
				var r reading
				if json.Unmarshal([]byte(data), &r) == nil {
					readings <- r
				}
			}
		}
	}()
	return readings
}

// A run on a page: what it shows on the way adds up, the buttons work, and at the end
// its numbers are the ledger's.
func TestWebShowsARun(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	tr := truthOf(listing, "")
	s := serve(t, listing, s3serve.Options{Latency: 50 * time.Millisecond})
	s.hold(8)
	u := newUser(t, s.url)
	p := u.start(t, "run", "s3://bucket/", "--run", "r", "--concurrency", "2", "--web", "--json")
	b := browse(t, p)
	if b.run != "r" || len(b.token) < 26 {
		t.Fatalf("%+v", b)
	}
	readings := b.follow(t.Context(), t)
	s.awaitHeld(t)
	for r := range readings { // what is held up is told within a second or two
		if len(r.Workers) == 1 && len(r.Workers[0].Doing) > 0 && strings.HasPrefix(r.Workers[0].Doing[0].Node, "s3://bucket/") {
			break
		}
	}

	second := u.run(t, "resume", "r", "--web")
	second.requireCode(t, 1)
	if !strings.Contains(second.stderr, "another process works on run r: `ramify serve") {
		t.Errorf("a second page: %s", second.stderr)
	}
	code, now := b.press(t, "concurrency", `{"concurrency":3}`)
	if code != 200 || now.Concurrency != 3 {
		t.Errorf("concurrency: %d, %+v", code, now)
	}
	if code, now = b.press(t, "pause", ""); code != 200 || now.State != "paused" || strings.Join(now.May, " ") != "resume cancel concurrency" {
		t.Errorf("pause: %d, %+v", code, now)
	}
	if code, now = b.press(t, "pause", ""); code != 409 || now.Error == "" {
		t.Errorf("pause twice: %d, %+v", code, now)
	}
	s.open()
	if code, now = b.press(t, "resume", "{}"); code != 200 || now.State != "running" {
		t.Errorf("resume: %d, %+v", code, now)
	}
	var tree prefixTree
	last := reading{}
	for r := range readings {
		if r.Fraction < last.Fraction {
			t.Errorf("fraction %v after %v", r.Fraction, last.Fraction)
		}
		last = r
		b.get(t, "/tree?top=2&by=bytes", &tree)
		tree.check(t)
		if tree.Objects > int64(len(tr.rows)) {
			t.Errorf("%d objects in the tree", tree.Objects)
		}
	}

	// The stream has ended with the run; the page is still there, and its numbers are the
	// ledger's.
	if last.State != "finished" || last.Fraction != 1 || last.Objects != int64(len(tr.rows)) || last.Bytes != tr.bytes || last.Failures != 0 {
		t.Errorf("last reading %+v", last)
	}
	sum := u.awaitStatus(t, "r", "with prefixes", func(s summary) bool { return s.Totals.Prefixes != nil })
	b.get(t, "", &last) // what was asked for is told once it is over
	if sum.Nodes != last.Nodes || sum.Totals.Objects != last.Objects || sum.Totals.Bytes != last.Bytes || sum.Requests["list"] != last.Requests["list"] {
		t.Errorf("the page has %+v, status %+v", last, sum)
	}
	b.get(t, "/tree?top=1000&by=time", &tree)
	tree.check(t)
	if !tree.Complete || tree.Objects != sum.Totals.Objects || tree.Bytes != sum.Totals.Bytes || tree.Seconds <= 0 {
		t.Errorf("tree at the end %+v", tree.extent)
	}
	r := u.run(t, "du", "r", "--depth", "1", "--json")
	r.requireCode(t, 0)
	byPrefix := map[string]extent{}
	for line := range strings.Lines(r.stdout) {
		var l struct {
			Prefix         string
			Objects, Bytes int64
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		byPrefix[l.Prefix] = extent{Objects: l.Objects, Bytes: l.Bytes}
	}
	for _, c := range tree.Children {
		if want := byPrefix[c.Prefix]; c.Objects != want.Objects || c.Bytes != want.Bytes {
			t.Errorf("%q has %+v, du says %+v", c.Prefix, c.extent, want)
		}
		if c.More {
			var below prefixTree
			b.get(t, "/tree?prefix="+url.QueryEscape(c.Prefix), &below)
			below.check(t)
			if below.Objects != c.Objects || below.Prefixes == 0 {
				t.Errorf("%q has %d objects, below it %d", c.Prefix, c.Objects, below.Objects)
			}
		}
	}
	var h struct {
		Sizes  []struct{ Objects, Bytes int64 }
		Depths []struct{ Objects int64 }
	}
	b.get(t, "/histograms", &h)
	var bySize, byDepth extent
	for _, c := range h.Sizes {
		bySize.Objects += c.Objects
		bySize.Bytes += c.Bytes
	}
	for _, c := range h.Depths {
		byDepth.Objects += c.Objects
	}
	if bySize.Objects != last.Objects || bySize.Bytes != last.Bytes || byDepth.Objects != last.Objects {
		t.Errorf("histograms have %+v and %+v", bySize, byDepth)
	}
	var history struct {
		Columns []string
		Points  [][]float64
	}
	b.get(t, "/history", &history)
	end := history.Points[len(history.Points)-1]
	if len(history.Points) < 3 || end[1] != float64(last.Nodes) || end[2] != float64(last.Objects) || end[4] != float64(last.Requests["list"]) || end[6] != 1 {
		t.Errorf("history %v ends with %v", history.Columns, end)
	}
	for i := 1; i < len(history.Points); i++ {
		for k, v := range history.Points[i] {
			if v < history.Points[i-1][k] {
				t.Errorf("%s falls: %v, %v", history.Columns[k], history.Points[i-1], history.Points[i])
			}
		}
	}
	var slowest struct{ Nodes []struct{ Node string } }
	if b.get(t, "/slowest", &slowest); len(slowest.Nodes) == 0 || !strings.HasPrefix(slowest.Nodes[0].Node, "s3://bucket/") {
		t.Errorf("slowest %+v", slowest)
	}
	p.signal(t, interrupt)
	end2 := p.wait(t)
	end2.requireCode(t, 0)
	if got := parseSummary(t, end2.stdout); got.Totals.Objects != last.Objects {
		t.Errorf("the command says %+v", got)
	}
}

// Failures are told in pages, and a redrive by the button heals them, in the same
// process; without anybody looking it ends by itself.
func TestWebRedrives(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	// It lasts until somebody looks, who comes late where the machine is busy: the page of a
	// run at which nobody looks ends with it.
	p := u.start(t, "run", treeOf(5, 3, `,"poison":0.3,"heal":1,"work":"1s"`), "--run", "r", "--retries", "0", "--concurrency", "16", "--web")
	b := browse(t, p)
	for range b.follow(t.Context(), t) {
	}
	var before reading
	b.get(t, "", &before)
	if before.State != "finished_with_failures" || before.Failures < 10 {
		t.Fatalf("%+v", before)
	}
	var page struct {
		Failures []struct {
			Node, Kind, Reason string
			Attempts           int
			At                 time.Time
		}
		Next string
	}
	begun := time.Now().Add(-time.Hour)
	seen := map[string]bool{}
	for pages := 0; ; pages++ {
		b.get(t, "/failures?limit=7&after="+page.Next, &page)
		for _, f := range page.Failures {
			if f.Kind != "synthetic" || f.Reason == "" || f.Attempts != 1 || f.At.Before(begun) || seen[f.Node] {
				t.Errorf("failure %+v", f)
			}
			seen[f.Node] = true
		}
		if page.Next == "" {
			break
		}
		if len(page.Failures) != 7 || pages > 100 {
			t.Fatalf("a page of %d", len(page.Failures))
		}
	}
	if int64(len(seen)) != before.Failures {
		t.Errorf("%d failures are told, %d counted", len(seen), before.Failures)
	}
	p.stderr.await(t, "Run r") // the report: the results are made
	for over := time.Now().Add(deadline); ; {
		code, now := b.press(t, "redrive", "")
		if code == 200 {
			if now.Epoch != 1 {
				t.Errorf("redriven: %+v", now)
			}
			break
		}
		if code != 409 || time.Now().After(over) {
			t.Fatalf("redrive: %d, %+v", code, now)
		}
		<-time.After(50 * time.Millisecond) // who asks too often is refused for that
	}
	for range b.follow(t.Context(), t) {
	}
	var after reading
	if b.get(t, "", &after); after.State != "finished" || after.Failures != 0 || after.Nodes != 1+5+25+125 {
		t.Errorf("healed: %+v", after)
	}
	p.signal(t, interrupt)
	p.wait(t).requireCode(t, 0)
}

// What a page of another site, a guess or a slip may not do.
func TestWebRefuses(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	u.run(t, "run", treeOf(2, 2, ""), "--run", "r").requireCode(t, 0)
	p := u.start(t, "serve", "--listen", "127.0.0.1:0")
	b := browse(t, p)
	b.run = "r"
	for name, c := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
		want               int
	}{
		"a part of the page":      {"GET", "/", "", func(r *http.Request) { r.Header.Del("Authorization") }, 200},
		"no part of the page":     {"GET", "/page/none.js", "", nil, 404},
		"no token":                {"GET", "/api/runs", "", func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"another token":           {"GET", "/api/runs", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+b.token+"x") }, 401},
		"a token in the query":    {"GET", "/api/runs?token=" + b.token, "", func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"another host":            {"GET", "/api/runs", "", func(r *http.Request) { r.Host = "evil.example" }, 421},
		"another host, the page":  {"GET", "/", "", func(r *http.Request) { r.Host = "evil.example" }, 421},
		"a page of another site":  {"POST", "/api/runs/r/cancel", "", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
		"its form":                {"POST", "/api/runs/r/cancel", "", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 400},
		"a change by GET":         {"GET", "/api/runs/r/cancel", "", nil, 405},
		"another method":          {"DELETE", "/api/runs/r", "", nil, 405},
		"a run that is not there": {"GET", "/api/runs/none", "", nil, 404},
		"a name that is none":     {"GET", "/api/runs/..%2f..%2fetc", "", nil, 404},
		"an order that is none":   {"POST", "/api/runs/r/destroy", "", nil, 400},
		"an order that is late":   {"POST", "/api/runs/r/cancel", "", nil, 409},
		"a body that is none":     {"POST", "/api/runs/r/concurrency", "{", nil, 400},
		"too many":                {"POST", "/api/runs/r/concurrency", `{"concurrency":1000000}`, nil, 400},
		"a cursor that is none":   {"GET", "/api/runs/r/failures?after=x", "", nil, 400},
		"a cursor that was one":   {"GET", "/api/runs/r/failures?after=100", "", nil, 400},
		"a place that is none":    {"GET", "/api/runs/r/failures?after=AAAAAAAAAAAAAAAAAAAAAQ.0", "", nil, 400},
		"a limit that is none":    {"GET", "/api/runs/r/failures?limit=0", "", nil, 400},
		"a measure that is none":  {"GET", "/api/runs/r/tree?by=colour", "", nil, 400},
		"a slip":                  {"GET", "/api/runs/r/tree?prefx=a", "", nil, 400},
		"all runs":                {"GET", "/api/runs", "", nil, 200},
	} {
		r := b.request(t, c.method, c.path, c.body)
		if c.change != nil {
			c.change(r)
		}
		code, body, header := b.do(t, r)
		if code != c.want || header.Get("X-Content-Type-Options") != "nosniff" || strings.Contains(header.Get("Access-Control-Allow-Origin"), "*") {
			t.Errorf("%s: %d, want %d: %s", name, code, c.want, body)
		}
		if code >= 400 && !strings.Contains(body, `{"error":"`) {
			t.Errorf("%s: %s", name, body)
		}
	}
	_, _, header := b.do(t, b.request(t, "GET", "/", ""))
	if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	p.signal(t, terminate)
	r := p.wait(t)
	r.requireCode(t, 0)
	if strings.Contains(r.stdout, b.token) || !strings.Contains(r.stdout, `"status":401`) {
		t.Errorf("audit: %s", shortened(r.stdout))
	}
}

// serve shows the runs of the machine, goes on with one that was killed, and redrives
// one, as the commands would; told to stop it ends its streams.
func TestServeGoesOnWithRuns(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	killed := u.start(t, "run", treeOf(10, 3, `,"work":"100ms"`), "--run", "killed", "--inline", "0", "--concurrency", "2")
	killed.stderr.await(t, "run killed")
	u.awaitStatus(t, "killed", "with nodes", func(s summary) bool { return s.Nodes > 10 })
	killed.signal(t, kill)
	killed.wait(t)
	u.run(t, "run", treeOf(5, 2, `,"poison":0.3,"heal":1`), "--run", "failed", "--retries", "0").requireCode(t, 3)

	p := u.start(t, "serve", "--listen", "127.0.0.1:0")
	b := browse(t, p)
	var list struct {
		Runs []struct{ Run, State string }
	}
	_, body, _ := b.do(t, b.request(t, "GET", "/api/runs", ""))
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(list.Runs); got != "[{failed finished_with_failures} {killed interrupted}]" {
		t.Fatalf("runs are %s", got)
	}
	b.run = "killed"
	var now reading
	if b.get(t, "", &now); now.State != "interrupted" || strings.Join(now.May, " ") != "resume cancel" {
		t.Errorf("killed: %+v", now)
	}
	if code, now := b.press(t, "resume", ""); code != 200 || now.State != "running" {
		t.Errorf("resumed: %d, %+v", code, now)
	}
	if code, now := b.press(t, "concurrency", `{"concurrency":100}`); code != 200 || now.Concurrency != 100 {
		t.Errorf("concurrency: %d, %+v", code, now)
	}
	for range b.follow(t.Context(), t) {
	}
	if b.get(t, "", &now); now.State != "finished" || now.Nodes != 1+10+100+1000 {
		t.Errorf("killed and resumed: %+v", now)
	}
	b.run = "failed"
	if code, now := b.press(t, "redrive", ""); code != 200 || now.Epoch != 1 {
		t.Errorf("redriven: %d, %+v", code, now)
	}
	for range b.follow(t.Context(), t) {
	}
	if b.get(t, "", &now); now.State != "finished" || now.Nodes != 1+5+25 {
		t.Errorf("redriven: %+v", now)
	}

	slow := u.start(t, "run", treeOf(10, 3, `,"work":"500ms"`), "--run", "slow", "--inline", "0", "--concurrency", "1")
	slow.stderr.await(t, "run slow")
	u.awaitStatus(t, "slow", "with nodes", func(s summary) bool { return s.Nodes > 1 })
	b.run = "slow"
	stream := b.follow(t.Context(), t)
	<-stream
	p.signal(t, terminate)
	p.wait(t).requireCode(t, 0)
	for range stream {
	}
	slow.signal(t, interrupt)
	slow.wait(t).requireCode(t, 130)
}

// The same of a fleet: runs and totals out of the ledger and the bucket, tasks and
// backlog, and buttons by the ledger. Who serves it needs no file of the run.
func TestWebShowsAFleet(t *testing.T) {
	t.Parallel()
	const n = 3000
	c := newCrew(t, archive(t, n).url).setup(t)
	c.run(t, "seed", "s3://bucket/data/", "--run", "r", "--out", "s3://bucket/out", "--node", "prefix", "--inline", "0").requireCode(t, 0)
	p := c.start(t, "serve", "--listen", "127.0.0.1:0", "--rate", "0")
	b := browse(t, p)
	b.run = "r"
	code, now := b.press(t, "pause", "")
	if code != 200 || now.State != "paused" {
		t.Errorf("paused: %d, %+v", code, now)
	}
	var tree prefixTree
	if b.get(t, "/tree", &tree); tree.Complete || tree.Objects != 0 {
		t.Errorf("before anything was done: %+v", tree)
	}
	if code, now = b.press(t, "resume", ""); code != 200 || now.State != "running" {
		t.Errorf("resumed: %d, %+v", code, now)
	}
	if now.Fleet == nil || now.Fleet.Unread == 0 {
		t.Errorf("fleet: %+v", now.Fleet)
	}
	task := c.work(t)
	var last reading
	for r := range b.follow(t.Context(), t) {
		last = r
	}
	sum := c.awaitFleet(t, "r", "finished")
	if last.State != "finished" || last.Nodes != sum.Nodes || last.Objects != sum.Totals.Objects || last.Bytes != sum.Totals.Bytes {
		t.Errorf("the page has %+v, status %+v", last, sum)
	}
	b.get(t, "/tree", &tree)
	tree.check(t)
	if !tree.Complete || tree.Objects != sum.Totals.Objects || tree.Bytes != sum.Totals.Bytes || tree.Prefixes == 0 {
		t.Errorf("tree %+v of %d objects", tree, n)
	}
	task.signal(t, terminate) // it draws what it has not drawn yet
	task.wait(t).requireCode(t, 0)
	var slowest struct{ Nodes []struct{ Node string } }
	// Of a run that was short, it told when it ended what it had asked for.
	dear := func() bool { return now.Cost != nil && now.Cost.So_far > 0 }
	for over := time.Now().Add(deadline); (len(slowest.Nodes) == 0 || !dear()) && time.Now().Before(over); {
		b.get(t, "/slowest", &slowest)
		b.get(t, "", &now)
		select {
		case <-time.After(time.Second):
		case <-t.Context().Done():
		}
	}
	if len(slowest.Nodes) == 0 || !dear() {
		t.Errorf("slowest %+v, cost %+v", slowest, now.Cost)
	}
	p.signal(t, terminate)
	r := p.wait(t)
	r.requireCode(t, 0)
	if strings.Contains(r.stderr+r.stdout, secretText) || strings.Contains(r.stdout, b.token) {
		t.Error("a secret is in what it says")
	}
}
