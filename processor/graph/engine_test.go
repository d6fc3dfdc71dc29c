package graph_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/graph"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sweep"
	"github.com/ramify/ramify/task"
)

// moods makes vertices fail and take long, now and then: attempts at a vertex end
// anywhere between their claims.
type moods struct {
	*graph.Processor
	mu     sync.Mutex
	dice   *rand.Rand
	fail   float64
	lame   float64
	broken func(n *processor.Node) bool
}

func (m *moods) roll() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dice.Float64()
}

func (m *moods) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	if m.roll() < m.lame { // another attempt may come first
		select {
		case <-time.After(time.Duration(m.roll() * float64(90*time.Second))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := m.Processor.Process(ctx, n, out); err != nil {
		return err
	}
	if m.roll() < m.lame {
		select {
		case <-time.After(time.Duration(m.roll() * float64(90*time.Second))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if m.roll() < m.fail || m.broken != nil && m.broken(n) {
		return errors.New("in a bad mood")
	}
	return nil
}

// memory is a sink that keeps all in memory.
type memory struct {
	mu     sync.Mutex
	parts  map[sink.Attempt][]byte
	leaves map[schema.PID]*leaf
}

type leaf struct {
	attempt sink.Attempt
	own     schema.Account
}

func (m *memory) Open(_ context.Context, a sink.Attempt) (sink.Part, error) {
	return &part{memory: m, attempt: a}, nil
}

type part struct {
	*memory
	attempt sink.Attempt
	text    []byte
}

func (p *part) Write(_ context.Context, _ string, block []byte, _ int) error {
	p.text = append(p.text, block...)
	return nil
}

func (p *part) Commit(_ context.Context, isLeaf bool, own schema.Account) (schema.Account, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts[p.attempt] = p.text
	if !isLeaf {
		return own, nil
	}
	if p.leaves[p.attempt.PID] == nil {
		p.leaves[p.attempt.PID] = &leaf{p.attempt, own}
	}
	return p.leaves[p.attempt.PID].own, nil
}

func (p *part) Abort() {}

func (m *memory) rows(u ledger.Unit) []byte {
	a := sink.Attempt{Run: "run", PID: u.PID, ID: u.Attempt}
	if u.Leaf {
		if m.leaves[u.PID] == nil {
			return nil
		}
		a = m.leaves[u.PID].attempt
	}
	return m.parts[a]
}

// world is a run of a walk on a queue and a ledger with faults, by tasks that die.
type world struct {
	t      *testing.T
	dice   *rand.Rand
	queue  *queuehostile.Queue
	dead   *queuehostile.Queue
	ledger *hostile.Ledger
	sink   sinkOf
	moods  *moods
	tasks  []*task.Task
	inline int
}

type sinkOf struct {
	sink.Discard
	*memory
}

func (s sinkOf) Open(ctx context.Context, a sink.Attempt) (sink.Part, error) {
	return s.memory.Open(ctx, a)
}

func newWorld(t *testing.T, n uint64) *world {
	w := &world{
		t: t, dice: rand.New(rand.NewPCG(n, 8)),
		queue:  queuehostile.New(n, queuehostile.Faults{}),
		dead:   queuehostile.New(n+1, queuehostile.Faults{}),
		ledger: hostile.New(n+2, hostile.Faults{}),
		sink:   sinkOf{memory: &memory{parts: map[sink.Attempt][]byte{}, leaves: map[schema.PID]*leaf{}}},
	}
	w.moods = &moods{
		Processor: graph.New(graph.Options{Files: true, Visits: func() ledger.Visits { return w.ledger }}),
		dice:      rand.New(rand.NewPCG(n, 7)),
	}
	return w
}

func (w *world) faults(p float64) {
	q, l := queuehostile.Unkind(p), hostile.Unkind(p)
	w.queue.Set(q)
	w.ledger.Set(l)
}

func (w *world) seed(walk graph.Walk, from string) {
	c := graph.Root(walk, from)
	r := ledger.Run{ID: "run", Root: ledger.Kid{Kind: c.Kind, ID: c.ID, Args: c.Args}, Options: ledger.Options{Retries: 3, Inline: w.inline}}
	require.NoError(w.t, seed.Run(context.Background(), w.ledger, &post.Poster{Queue: w.queue}, r))
}

func (w *world) record() ledger.Run {
	for {
		if r, err := w.ledger.Run(context.Background(), "run"); err == nil {
			return r
		}
	}
}

// work lets tasks work, and die, until the run is over in an epoch.
func (w *world) work(epoch int) ledger.Run {
	for i := range 3000 {
		for len(w.tasks) < 3 {
			t, err := task.New(task.Config{
				ID: fmt.Sprint("task", i, len(w.tasks)), Queue: w.queue, Dead: w.dead, Ledger: w.ledger, Board: w.ledger,
				Processors: processor.Set{graph.Kind: w.moods}, Concurrency: 4, Wait: 5 * time.Second,
				Sink: func(context.Context, ledger.Run) (sink.Sink, error) { return w.sink, nil },
			})
			require.NoError(w.t, err)
			t.Start(w.t.Context())
			w.tasks = append(w.tasks, t)
		}
		time.Sleep(time.Duration(w.dice.Int64N(int64(time.Minute))))
		if r := w.record(); r.State.Over() && r.Epoch == epoch {
			return r
		}
		if w.moods.lame > 0 && i%3 == 0 { // like a crash: what it was doing ends at once
			victim := w.tasks[0]
			w.tasks = w.tasks[1:]
			dead, cancel := context.WithCancel(context.Background())
			cancel()
			victim.Stop(dead)
		}
		if i%20 == 19 {
			_, _ = sweep.Run(w.t.Context(), w.ledger, &post.Poster{Queue: w.queue}, "run")
		}
	}
	w.t.Fatalf("the run is not over: %+v", w.record())
	return ledger.Run{}
}

func (w *world) stop() {
	for _, t := range w.tasks {
		t.Stop(context.Background())
	}
	w.tasks = nil
}

// standing is the rows of the units that count, of the vertices' ways that stand.
func (w *world) standing(r ledger.Run) (all []row) {
	var units []ledger.Unit
	var kids []ledger.Kid
	for u, err := range ledger.Units(w.t.Context(), w.ledger, r) {
		require.NoError(w.t, err)
		units, kids = append(units, u), append(kids, u.Kid)
	}
	stands, err := graph.Standing(w.t.Context(), w.ledger, kids)
	require.NoError(w.t, err)
	for i, u := range units {
		if stands[i] {
			all = append(all, rows(w.t, w.sink.rows(u))...)
		}
	}
	return all
}

// Tasks die at any moment, messages come twice, answers are lost, vertices fail for a
// while: every vertex is counted once, and what stands of it in the end is the
// shortest way.
func TestAWalkIsExactWhateverHappens(t *testing.T) {
	for _, c := range []struct{ p, fail, lame float64 }{{0, 0, 0}, {.05, 0, 0}, {.05, .1, .1}, {.15, .1, .05}} {
		for n := range uint64(10) {
			t.Run(fmt.Sprintf("%v/%d", c, n), func(t *testing.T) {
				dice := rand.New(rand.NewPCG(n, 4))
				e := random(dice, 10+dice.IntN(40), 20+dice.IntN(100))
				walk := graph.Walk{File: file(t, e.text("\t")), Directed: n%2 == 1}
				most := -1
				if n%3 == 2 {
					most = 1 + dice.IntN(4)
					walk.Max = &most
				}
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, n)
					w.moods.fail, w.moods.lame = c.fail/4, c.lame
					w.inline = int(n % 2 * 1000)
					w.seed(walk, "v0")
					w.faults(c.p)
					r := w.work(0)
					w.faults(0)
					w.stop()
					for epoch := 1; r.State == ledger.Failed; epoch++ { // in a bad mood once too often
						_, err := seed.Redrive(t.Context(), w.ledger, &post.Poster{Queue: w.queue}, "run")
						require.NoError(t, err)
						r = w.work(epoch)
						w.stop()
					}
					want := e.depths("v0", walk.Directed, most)
					require.EqualValues(t, len(want), r.Totals.Objects, "vertices")
					requireRows(t, e, walk.Directed, want, w.standing(r))
				})
			})
		}
	}
}

// A vertex is given up after it has claimed its neighbours, and a longer way leads
// round it. Its redrive finds the claims, takes over what the longer way has reached,
// and all is counted once.
func TestARedriveFindsTheClaimsOfWhatWasGivenUp(t *testing.T) {
	e := edges{{"a", "b"}, {"b", "c"}, {"b", "d"}, {"c", "x"}, {"a", "r1"}, {"r1", "r2"}, {"r2", "r3"}, {"r3", "x"}, {"x", "y"}, {"y", "z"}, {"d", "z"}, {"z", "end"}}
	walk := graph.Walk{File: file(t, e.text(","))}
	for n := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, n)
			healed := false
			w.moods.broken = func(n *processor.Node) bool { return n.ID == "b" && !healed }
			w.seed(walk, "a")
			w.faults(.05)
			r := w.work(0)
			require.Equal(t, ledger.Failed, r.State)
			// a, r1, r2, r3, x, y, z and end: c and d are b's, who has failed, unless b was
			// so late that the longer way came first.
			require.EqualValues(t, 1, r.Totals.Failures)
			require.Contains(t, []int64{8, 9, 10}, r.Totals.Objects)
			healed = true
			w.faults(0)
			_, err := seed.Redrive(t.Context(), w.ledger, &post.Poster{Queue: w.queue}, "run")
			require.NoError(t, err)
			w.faults(.05)
			r = w.work(1)
			w.stop()
			w.faults(0)
			require.Equal(t, ledger.Finished, r.State)
			want := e.depths("a", false, -1)
			require.EqualValues(t, len(want), r.Totals.Objects, "vertices")
			requireRows(t, e, false, want, w.standing(r))
		})
	}
}
