package webtest

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/guard"
	"github.com/ramify/ramify/web"
)

const token = "a-token-of-the-tests"

// world is runs that are made up, behind the real API: it stands still until it is told
// to go on.
type world struct {
	mu     sync.Mutex
	runs   []*made
	orders []web.Order
	fails  error          // of what is asked of runs
	asked  map[string]int // how often, by what

	streams atomic.Int32 // that are open
}

// made is a run that is made up.
type made struct {
	w          *world
	view       web.View
	history    console.History
	slowest    []console.Slow
	histograms console.Histograms
	failures   []console.Failure
	tree       func(a web.Ask) (web.Tree, error)
}

// List implements web.Runs.
func (w *world) List(context.Context) ([]console.Snapshot, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []console.Snapshot
	for _, r := range w.runs {
		all = append(all, r.view.Snapshot)
	}
	return all, w.fails
}

// Open implements web.Runs.
func (w *world) Open(_ context.Context, run string) (web.Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.runs {
		if r.view.Run == run {
			return r, nil
		}
	}
	return nil, web.ErrUnknown
}

// crowded is a world in which there is something of everything to see: a run with
// failures and a fleet, and another.
func crowded() (*world, *made) {
	w := &world{}
	m := newRun(w, name)
	m.fail(120)
	m.fleet()
	newRun(w, "20261125-101010-abcd")
	return w, m
}

// set changes the world.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (m *made) ask(what string) error {
	if m.w.asked == nil {
		m.w.asked = map[string]int{}
	}
	m.w.asked[what]++
	return m.w.fails
}

func (m *made) Look(context.Context) (web.View, error) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	v := m.view
	if v.At.IsZero() {
		v.At = time.Now()
	}
	v.Crew, v.May = slices.Clone(v.Crew), slices.Clone(v.May)
	return v, m.ask("look")
}

func (m *made) History(context.Context) (console.History, error) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return console.History{Points: slices.Clone(m.history.Points)}, m.ask("history")
}

func (m *made) Slowest(context.Context) ([]console.Slow, error) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return m.slowest, m.ask("slowest")
}

func (m *made) Histograms(context.Context) (console.Histograms, error) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return m.histograms, m.ask("histograms")
}

func (m *made) Failures(_ context.Context, after string, limit int) ([]console.Failure, string, error) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	from, _ := strconv.Atoi(after)
	to := min(from+limit, len(m.failures))
	next := ""
	if to < len(m.failures) {
		next = strconv.Itoa(to)
	}
	return m.failures[from:to], next, m.ask("failures")
}

func (m *made) Tree(_ context.Context, a web.Ask) (web.Tree, error) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if err := m.ask("tree " + a.Prefix); err != nil || m.tree == nil {
		return web.Tree{}, err
	}
	return m.tree(a)
}

func (m *made) Do(_ context.Context, o web.Order) error {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.w.orders = append(m.w.orders, o)
	if !slices.Contains(m.view.May, o.Kind) {
		return fmt.Errorf("%w: it is %s", web.ErrRefused, m.view.State)
	}
	switch o.Kind {
	case web.Pause:
		m.view.State, m.view.May = console.Paused, []web.OrderKind{web.Resume, web.Cancel, web.Concurrency}
	case web.Resume, web.Redrive:
		m.view.State, m.view.May = console.Running, []web.OrderKind{web.Pause, web.Cancel, web.Concurrency}
		m.view.Fraction = min(m.view.Fraction, 0.9)
	case web.Cancel:
		m.view.State, m.view.May = console.Cancelled, nil
	case web.Concurrency:
		m.view.Concurrency = o.Concurrency
	}
	return nil
}

func (m *made) Close() {}

// tick lets a run go on by some seconds.
func (m *made) tick(seconds float64) {
	m.w.set(func() {
		v := &m.view
		if v.State != console.Running {
			return
		}
		v.Seconds += seconds
		wave := 1 + 0.25*math.Sin(v.Seconds/37) + 0.1*math.Sin(v.Seconds/5)
		v.Nodes += int64(40 * seconds * wave)
		v.Objects += int64(81_234 * seconds * wave)
		v.Bytes += int64(81_234 * 210_000 * seconds * wave)
		v.Requests = map[string]int64{"LIST": v.Requests["LIST"] + int64(86*seconds*wave), "HEAD": 12}
		v.Fraction = min(v.Fraction+seconds/600, 0.999)
		m.history.Points = append(m.history.Points, console.Point{
			Seconds: v.Seconds, Nodes: v.Nodes, Objects: v.Objects, Bytes: v.Bytes,
			Requests: v.Requests["LIST"] + 12, Failures: v.Failures, Fraction: v.Fraction,
		})
		if len(m.history.Points) > 600 {
			m.history.Points = m.history.Points[1:]
		}
	})
}

// walk lets a run go on until the test ends.
func (m *made) walk(t testing.TB) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		beat := time.NewTicker(fast)
		defer beat.Stop()
		for {
			select {
			case <-stop:
				return
			case <-beat.C:
				m.tick(fast.Seconds())
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

// newRun is a run that is under way.
func newRun(w *world, name string) *made {
	now := time.Now()
	m := &made{w: w, view: web.View{Snapshot: console.Snapshot{
		Run: name, Target: "s3://photos-archive/", Kind: "s3.crawl", State: console.Running, Created: now.Add(-4 * time.Minute),
		Requests: map[string]int64{}, Slots: 64, InFlight: 61, Workers: 1,
		Crew: []console.Member{{ID: "host-1234-a1b2c3", Alive: true, Slots: 64, InFlight: 61, Units: 1234, Nodes: 4321, Started: now.Add(-4 * time.Minute), At: now}},
	}, May: []web.OrderKind{web.Pause, web.Cancel, web.Concurrency}}}
	m.tree = hundreds
	w.set(func() { w.runs = append(w.runs, m) })
	for range 60 {
		m.tick(4)
	}
	for i := range 8 {
		m.slowest = append(m.slowest, console.Slow{Node: fmt.Sprintf("s3://photos-archive/year-%02d/album-%02d/", 46-i, i*7), Kind: "s3.crawl", Seconds: 31.4 / float64(i+2), At: now})
	}
	for i := range 31 {
		n := int64(4_000_000 * math.Exp(-math.Pow(float64(i-17)/5, 2)))
		m.histograms.Sizes = append(m.histograms.Sizes, console.SizeClass{From: 1 << i >> 1, To: 1 << i, Objects: n, Bytes: n * (1 << i) * 3 / 4})
	}
	for i := range 9 {
		m.histograms.Depths = append(m.histograms.Depths, console.DepthClass{Depth: i, Objects: int64(9_000_000 * math.Exp(-math.Pow(float64(i-4)/1.6, 2)))})
	}
	return m
}

// fail has nodes given up.
func (m *made) fail(n int) {
	m.w.set(func() {
		for i := range n {
			m.failures = append(m.failures, console.Failure{
				Node: fmt.Sprintf("s3://photos-archive/year-%02d/album-%02d/", i%100, i/100), Kind: "s3.crawl", Depth: 3,
				Reason: "list objects: AccessDenied: the key of this prefix is not ours",
			})
		}
		m.view.Failures = int64(len(m.failures))
	})
}

// fleet has the run be one of tasks on ECS.
func (m *made) fleet() {
	m.w.set(func() {
		each, backlog, target, oldest := 2057.5, 92.4, 60.0, 41.0
		m.view.Cost = &web.Cost{SoFar: 0.8312, Total: 2.07}
		m.view.Fleet = &web.Fleet{
			Running: 6, Pending: 2, Desired: 8, Unread: 12_345, InFlight: 384, Delayed: 7,
			BacklogPerTask: &each, BacklogSeconds: &backlog, Target: &target, Oldest: &oldest, Min: new(0), Max: new(200),
		}
		for i := range 12 {
			m.view.Fleet.Events = append(m.view.Fleet.Events, web.Event{At: time.Now().Add(-time.Duration(i) * 40 * time.Second), By: []string{"governor", "ecs", "autoscaling"}[i%3], Message: fmt.Sprintf("desired count set to %d, from %d: backlog", 8-i/2, 7-i/2)})
		}
	})
}

// hundreds is a tree of a million prefixes: a hundred in each, three levels deep.
func hundreds(a web.Ask) (web.Tree, error) {
	t := web.Tree{Prefix: a.Prefix}
	depth := strings.Count(a.Prefix, "/")
	if depth > 3 {
		return t, web.ErrUnknown
	}
	if depth == 3 {
		t.Sums, t.Direct = sums(a.Prefix, 3), sums(a.Prefix, 3)
		return t, nil
	}
	for i := range 100 {
		p := fmt.Sprintf("%s%s-%02d/", a.Prefix, []string{"year", "album", "shoot"}[depth], i)
		c := web.Child{Prefix: p, Sums: sums(p, depth+1), More: depth < 2}
		t.Children = append(t.Children, c)
		t.Objects += c.Objects
		t.Bytes += c.Bytes
		t.Seconds += c.Seconds
	}
	t.Prefixes = 100
	of := func(c web.Child) float64 {
		switch a.By {
		case "bytes":
			return float64(c.Bytes)
		case "time":
			return c.Seconds
		}
		return float64(c.Objects)
	}
	slices.SortFunc(t.Children, func(x, y web.Child) int { return int(math.Copysign(1, of(y)-of(x))) })
	if a.Top < len(t.Children) {
		for _, c := range t.Children[a.Top:] {
			t.Rest.Prefixes++
			t.Rest.Objects += c.Objects
			t.Rest.Bytes += c.Bytes
			t.Rest.Seconds += c.Seconds
		}
		t.Children = t.Children[:a.Top]
	}
	return t, nil
}

// sums are made up of a prefix's name: a few are large, most are small.
func sums(prefix string, depth int) web.Sums {
	h := fnv.New64a()
	_, _ = h.Write([]byte(prefix))
	u := h.Sum64()
	r := float64(u%10_000) / 10_000
	n := int64(math.Pow(100, float64(3-depth))*(20+300*math.Pow(r, 6))) + 1
	each := int64(1) << (10 + u>>20%12)
	return web.Sums{Objects: n, Bytes: n * each, Seconds: float64(n) / 3000 * (0.5 + r)}
}

// serve serves the world behind the guard, and returns the page's address with the
// token. Readings are taken every so often.
func (w *world) serve(t testing.TB, every time.Duration) string {
	t.Helper()
	s := web.New(web.Options{Runs: w, Tokens: []string{token}, Every: every})
	g, err := guard.New(guard.Options{Address: "127.0.0.1:0", Tokens: []string{token}, Open: web.Open})
	require.NoError(t, err)
	mux := http.NewServeMux()
	s.Mount(mux)
	require.NoError(t, g.Start(context.Background(), http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			w.streams.Add(1)
			defer w.streams.Add(-1)
		}
		mux.ServeHTTP(rw, r)
	})))
	t.Cleanup(func() {
		s.Stop()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		g.Stop(ctx)
	})
	return "http://" + g.Address() + "/#token=" + token
}
