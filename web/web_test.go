package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/guard"
	"github.com/ramify/ramify/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "a token of sixteen bytes"

// fakeRuns is one run, whose figures a test sets, and of which it counts the looks.
type fakeRuns struct {
	mu     sync.Mutex
	view   web.View
	err    error
	orders []web.Order

	opened, closed, looks atomic.Int64
}

func (f *fakeRuns) List(context.Context) ([]console.Snapshot, error) {
	return []console.Snapshot{f.now().Snapshot}, nil
}

func (f *fakeRuns) Open(_ context.Context, run string) (web.Run, error) {
	if run != "r" {
		return nil, fmt.Errorf("%w: secret words", web.ErrUnknown)
	}
	f.opened.Add(1)
	return f, nil
}

func (f *fakeRuns) now() web.View {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view
}

func (f *fakeRuns) set(change func(*web.View)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.view)
}

func (f *fakeRuns) Look(context.Context) (web.View, error) {
	n := f.looks.Add(1)
	v := f.now()
	v.At = time.Unix(n, 0)
	f.mu.Lock()
	defer f.mu.Unlock()
	return v, f.err
}

func (f *fakeRuns) History(context.Context) (console.History, error) { return console.History{}, nil }
func (f *fakeRuns) Slowest(context.Context) ([]console.Slow, error)  { return nil, nil }
func (f *fakeRuns) Close()                                           { f.closed.Add(1) }
func (f *fakeRuns) Tree(context.Context, web.Ask) (web.Tree, error) {
	return web.Tree{}, errors.New("secret words")
}
func (f *fakeRuns) Histograms(context.Context) (console.Histograms, error) {
	return console.Histograms{}, nil
}

func (f *fakeRuns) Failures(context.Context, string, int) ([]console.Failure, string, error) {
	return nil, "", nil
}

func (f *fakeRuns) Do(_ context.Context, o web.Order) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders = append(f.orders, o)
	return nil
}

// site is a page that is served.
type site struct {
	t    *testing.T
	runs *fakeRuns
	web  *web.Server
	url  string
}

func serve(t *testing.T, every time.Duration) *site { return serveFor(t, every, time.Minute) }

// serveFor is serve, with a patience for clients that read slowly.
func serveFor(t *testing.T, every, slow time.Duration) *site {
	runs := &fakeRuns{view: web.View{Snapshot: console.Snapshot{Run: "r", State: console.Running, Kind: "s3.crawl"}}}
	s := web.New(web.Options{Runs: runs, Tokens: []string{token}, Every: every, Heartbeat: 50 * time.Millisecond, Slow: slow})
	g, err := guard.New(guard.Options{Address: "127.0.0.1:0", Tokens: []string{token}, Open: web.Open})
	require.NoError(t, err)
	mux := http.NewServeMux()
	s.Mount(mux)
	require.NoError(t, g.Start(t.Context(), mux))
	t.Cleanup(func() {
		s.Stop()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		g.Stop(ctx)
		http.DefaultClient.CloseIdleConnections()
		assert.Equal(t, runs.opened.Load(), runs.closed.Load(), "what was opened is closed")
	})
	return &site{t, runs, s, "http://" + g.Address()}
}

func (s *site) ask(method, path, body string) *http.Response {
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	return answer
}

func (s *site) get(path string) (int, string) {
	answer := s.ask(http.MethodGet, path, "")
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	return answer.StatusCode, string(body)
}

// What goes wrong is told without what is not meant for who asks.
func TestErrorsAreBrief(t *testing.T) {
	s := serve(t, time.Hour)
	code, body := s.get("/api/runs/none")
	assert.Equal(t, 404, code)
	assert.JSONEq(t, `{"error":"no such run"}`, body)
	code, body = s.get("/api/runs/r/tree")
	assert.Equal(t, 502, code)
	assert.NotContains(t, body, "secret")
	code, body = s.get("/api/runs/r/history")
	assert.Equal(t, 200, code)
	assert.JSONEq(t, `{"columns":["seconds","nodes","objects","bytes","requests","failures","fraction"],"points":[]}`, body)
	code, body = s.get("/api/runs/r/failures")
	assert.Equal(t, 200, code)
	assert.JSONEq(t, `{"failures":[],"next":""}`, body)
}

// What is asked for by the wrong method is refused as that, and changes nothing: a GET
// of a button, and a POST to what only shows.
func TestWrongMethods(t *testing.T) {
	s := serve(t, time.Hour)
	for _, c := range []struct{ method, path, allow string }{
		{"GET", "/api/runs/r/pause", "POST"}, {"GET", "/api/runs/r/resume", "POST"}, {"GET", "/api/runs/r/cancel", "POST"},
		{"GET", "/api/runs/r/redrive", "POST"}, {"GET", "/api/runs/r/concurrency", "POST"},
		{"POST", "/api/runs/r/events", "GET"}, {"POST", "/api/runs/r/history", "GET"}, {"POST", "/api/runs/r/failures", "GET"},
		{"POST", "/api/runs/r/tree", "GET"}, {"POST", "/api/runs/r/histograms", "GET"}, {"POST", "/api/runs/r/slowest", "GET"},
		{"POST", "/api/runs", "GET"}, {"DELETE", "/api/runs/r", "GET"},
	} {
		answer := s.ask(c.method, c.path, "")
		_ = answer.Body.Close()
		assert.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode, "%s %s", c.method, c.path)
		assert.Equal(t, c.allow, answer.Header.Get("Allow"), "%s %s", c.method, c.path)
	}
	assert.Zero(t, s.runs.opened.Load())
}

// However many look, the run is read once for all; and not at all when nobody does.
func TestOneLookForAll(t *testing.T) {
	const every = 20 * time.Millisecond
	begun := time.Now()
	s := serve(t, every)
	var streams sync.WaitGroup
	for range 8 {
		answer := s.ask(http.MethodGet, "/api/runs/r/events", "")
		streams.Go(func() {
			defer func() { _ = answer.Body.Close() }()
			lines := bufio.NewScanner(answer.Body)
			for n := 0; n < 5 && lines.Scan(); {
				if data, is := strings.CutPrefix(lines.Text(), "data: "); is {
					n++
					assert.True(t, json.Valid([]byte(data)))
				}
			}
		})
	}
	streams.Wait()
	assert.Equal(t, int64(1), s.runs.opened.Load())
	assert.LessOrEqual(t, s.runs.looks.Load(), int64(time.Since(begun)/every)+2, "eight clients do not make eight readers")
}

// A stream has a reading whenever it differs, comments while none does, and ends with
// the run.
func TestStream(t *testing.T) {
	s := serve(t, 5*time.Millisecond)
	s.runs.set(func(v *web.View) { v.State = console.Paused })
	answer := s.ask(http.MethodGet, "/api/runs/r/events", "")
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	comments, readings := 0, 0
	for lines.Scan() {
		switch {
		case strings.HasPrefix(lines.Text(), ":"):
			if comments++; comments == 2 {
				s.runs.set(func(v *web.View) { v.State, v.Nodes = console.Finished, 7 })
			}
		case strings.HasPrefix(lines.Text(), "data: "):
			readings++
			if strings.Contains(lines.Text(), `"state":"finished"`) {
				assert.Contains(t, lines.Text(), `"nodes":7`)
			}
		}
	}
	require.NoError(t, lines.Err())
	assert.GreaterOrEqual(t, comments, 2)
	assert.GreaterOrEqual(t, readings, 2)
}

// The page has a stream; who opens hundreds is told to come back.
func TestStreamsAreBounded(t *testing.T) {
	s := serve(t, time.Hour)
	var open []*http.Response
	defer func() {
		for _, a := range open {
			_ = a.Body.Close()
		}
	}()
	for {
		open = append(open, s.ask(http.MethodGet, "/api/runs/r/events", "")) //nolint:bodyclose // all are, at the end
		a := open[len(open)-1]
		if a.StatusCode != http.StatusOK {
			assert.Equal(t, 503, a.StatusCode)
			break
		}
		require.Less(t, len(open), 1000)
	}
	code, _ := s.get("/api/runs/r")
	assert.Equal(t, 200, code, "who asks once is answered all the same")
}

// A client that reads nothing is dropped, and takes nothing from the others.
func TestSlowClientsAreDropped(t *testing.T) {
	s := serveFor(t, time.Millisecond, time.Second)
	s.runs.set(func(v *web.View) { v.Target = strings.Repeat("x", 1<<20) }) // more than sockets hold, soon
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = fmt.Fprintf(c, "GET /api/runs/r/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", token)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.runs.opened.Load() == 1 }, 2*time.Minute, time.Millisecond)
	require.Eventually(t, func() bool {
		// What it was sent can be read, and then the end.
		return !s.web.Streaming()
	}, 2*time.Minute, 50*time.Millisecond)
}

// Hours of updates leave nothing behind.
func TestMemoryIsFlat(t *testing.T) {
	s := serve(t, 200*time.Microsecond)
	answer := s.ask(http.MethodGet, "/api/runs/r/events", "")
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewReader(answer.Body)
	readings := func(n int) {
		for seen := 0; seen < n; {
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			if strings.HasPrefix(line, "data: ") {
				seen++
				s.runs.set(func(v *web.View) { v.Nodes++ })
			}
		}
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	readings(500)
	before := heap()
	readings(3000)
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", before, after)
	}
}

// An order reaches the run as it was given, and is answered by a reading.
func TestOrders(t *testing.T) {
	s := serve(t, time.Hour)
	for path, want := range map[string]web.Order{
		"pause": {Kind: web.Pause}, "resume": {Kind: web.Resume}, "cancel": {Kind: web.Cancel}, "redrive": {Kind: web.Redrive},
	} {
		answer := s.ask(http.MethodPost, "/api/runs/r/"+path, "{}")
		require.Equal(t, 200, answer.StatusCode)
		_ = answer.Body.Close()
		assert.Equal(t, want, s.runs.orders[len(s.runs.orders)-1])
	}
	answer := s.ask(http.MethodPost, "/api/runs/r/concurrency", `{"concurrency":7}`)
	var r map[string]any
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&r))
	_ = answer.Body.Close()
	assert.Equal(t, "r", r["run"])
	assert.Equal(t, web.Order{Kind: web.Concurrency, Concurrency: 7}, s.runs.orders[4])
	for _, bad := range []string{`{"concurrency":0}`, `{"concurrency":10001}`, `{"concurrency":1.5}`, `{"concurency":7}`, `[]`, `{"concurrency":7}{}`, ``} {
		answer := s.ask(http.MethodPost, "/api/runs/r/concurrency", bad)
		assert.Equal(t, 400, answer.StatusCode, bad)
		_ = answer.Body.Close()
	}
	assert.Len(t, s.runs.orders, 5)
}

// A run that cannot be read any more keeps its last reading; one that never could is
// told.
func TestARunThatIsGone(t *testing.T) {
	s := serve(t, time.Millisecond)
	s.runs.err = errors.New("secret words")
	code, body := s.get("/api/runs/r")
	assert.Equal(t, 502, code)
	assert.NotContains(t, body, "secret")
}

// Who follows a run that cannot be read any more is told that figures are old, and when
// they are not any more.
func TestOldFiguresAreSaidToBe(t *testing.T) {
	s := serve(t, time.Millisecond)
	answer := s.ask(http.MethodGet, "/api/runs/r/events", "")
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	var read struct {
		At    time.Time
		Nodes int
		Stale bool
	}
	until := func(stale bool) {
		for lines.Scan() {
			data, is := strings.CutPrefix(lines.Text(), "data: ")
			if !is {
				continue
			}
			read.Stale = false
			require.NoError(t, json.Unmarshal([]byte(data), &read))
			if read.Stale == stale {
				return
			}
		}
		require.Fail(t, "the stream has ended", lines.Err())
	}
	fail := func(err error) {
		s.runs.mu.Lock()
		defer s.runs.mu.Unlock()
		s.runs.err = err
	}
	s.runs.set(func(v *web.View) { v.Nodes = 7 })
	for until(false); read.Nodes != 7; {
		until(false)
	}
	fail(errors.New("secret words"))
	until(true)
	assert.Equal(t, 7, read.Nodes)
	code, body := s.get("/api/runs/r")
	assert.Equal(t, 200, code)
	assert.Contains(t, body, `"stale":true`)
	assert.NotContains(t, body, "secret")
	old := read.At
	fail(nil)
	until(false)
	assert.True(t, read.At.After(old))
}

// Stop ends what is under way, and lets nobody in.
func TestStopEndsStreams(t *testing.T) {
	s := serve(t, time.Hour)
	answer := s.ask(http.MethodGet, "/api/runs/r/events", "")
	defer func() { _ = answer.Body.Close() }()
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, answer.Body)
		ended <- err
	}()
	s.web.Stop()
	require.NoError(t, <-ended)
	code, _ := s.get("/api/runs/r")
	assert.Equal(t, 503, code)
}
