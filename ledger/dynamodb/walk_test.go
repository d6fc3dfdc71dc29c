package dynamodb_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/dynamodb"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/synthetic"
	"github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

// unkind is a queue that duplicates, reorders and forgets, within seconds.
var unkind = hostile.Faults{Twin: 0.1, Reorder: 0.5, Forget: 0.02, Ghost: 0.05, Stale: 0.5, Vague: 0.5}

// walker is some tasks on one queue and one ledger.
type walker struct {
	t      *testing.T
	ledger *dynamodb.Ledger
	queue  *hostile.Queue
	dead   *hostile.Queue
	over   chan struct{}
}

func newWalker(t *testing.T, l *dynamodb.Ledger, faults hostile.Faults) *walker {
	w := &walker{t: t, ledger: l, queue: hostile.New(1, faults), dead: hostile.New(2, hostile.Faults{}), over: make(chan struct{}, 1)}
	t.Cleanup(func() {
		w.queue.Close()
		w.dead.Close()
	})
	return w
}

func (w *walker) poster() *post.Poster { return &post.Poster{Queue: w.queue} }

// run works until the run is over in an epoch.
func (w *walker) run(epoch int) ledger.Run {
	w.t.Helper()
	var tasks []*task.Task
	for range 2 {
		made, err := task.New(task.Config{
			Queue: w.queue, Dead: w.dead, Ledger: w.ledger, Board: w.ledger, Concurrency: 8,
			Visibility: 3 * time.Second, Wait: 100 * time.Millisecond, Backoff: 5 * time.Millisecond,
			Processors: processor.Set{
				synthetic.Kind:       &synthetic.Processor{},
				synthetic.ReduceKind: &synthetic.Reducer{},
			},
			Sink: func(context.Context, ledger.Run) (sink.Sink, error) { return sink.Discard{}, nil },
			Over: func(string) {
				select {
				case w.over <- struct{}{}:
				default:
				}
			},
		})
		require.NoError(w.t, err)
		made.Start(w.t.Context())
		tasks = append(tasks, made)
	}
	defer func() {
		for _, t := range tasks {
			t.Stop(context.Background())
		}
	}()
	patience := time.After(5 * time.Minute) // nothing that works comes near it
	for {
		select {
		case <-w.over:
		case <-patience:
			require.Fail(w.t, "the run does not end")
		}
		r, err := w.ledger.Run(w.t.Context(), "run")
		require.NoError(w.t, err)
		if r.State.Over() && r.Epoch == epoch {
			return r
		}
	}
}

func (w *walker) seed(kind string, spec *synthetic.Spec, o ledger.Options) {
	w.t.Helper()
	r := ledger.Run{ID: "run", Root: ledger.Kid{Kind: kind, ID: synthetic.RootID, Args: spec.Args()}, Options: o}
	require.NoError(w.t, seed.Run(w.t.Context(), w.ledger, w.poster(), r))
}

// TestWalk walks trees with failures, on a queue that is unkind, redrives them,
// and compares both ends with the truth.
func TestWalk(t *testing.T) {
	for name, c := range map[string]struct {
		kind   string
		inline int
		spec   synthetic.Spec
	}{
		"failures":          {kind: synthetic.Kind, spec: synthetic.Spec{Seed: 5, Fanout: 4, Depth: 4, Jitter: 0.5, Fail: 0.1, Poison: 0.05, Objects: 3, Bytes: 1 << 40, Heal: 1}},
		"failures, inlined": {kind: synthetic.Kind, inline: 20, spec: synthetic.Spec{Seed: 6, Fanout: 5, Depth: 4, Jitter: 0.5, Poison: 0.05, Objects: 3, Heal: 1}},
		"reduces":           {kind: synthetic.ReduceKind, spec: synthetic.Spec{Seed: 7, Fanout: 3, Depth: 4, Jitter: 0.5, Poison: 0.05, Objects: 3, Heal: 1}},
		"wide":              {kind: synthetic.Kind, spec: synthetic.Spec{Seed: 8, Shape: synthetic.Wide, Fanout: 700, Depth: 1, Poison: 0.01, Heal: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWalker(t, local.open(t, dynamodb.Options{}), unkind)
			const retries = 3
			w.seed(c.kind, &c.spec, ledger.Options{Retries: retries, Inline: c.inline})
			truth := synthetic.Expect(&c.spec, retries)
			require.NotEmpty(t, truth.Failed, "the tree has nodes that fail")

			r := w.run(0)
			assert.Equal(t, ledger.Failed, r.State)
			totals := r.Totals
			totals.Reduces = 0 // of the nodes below which nothing failed
			assert.Equal(t, truth.Account, totals)
			var failed []string
			for f, err := range ledger.Failures(t.Context(), w.ledger, r) {
				require.NoError(t, err)
				failed = append(failed, f.ID)
			}
			slices.Sort(failed)
			slices.Sort(truth.Failed)
			assert.Equal(t, truth.Failed, failed)

			_, err := seed.Redrive(t.Context(), w.ledger, w.poster(), "run")
			require.NoError(t, err)
			r = w.run(1)
			healed := c.spec
			healed.Fail, healed.Poison = 0, 0
			want := synthetic.Expect(&healed, retries).Account
			if c.kind == synthetic.ReduceKind {
				want.Reduces = want.Nodes // a leaf does, too
			}
			assert.Equal(t, ledger.Finished, r.State)
			assert.Equal(t, want, r.Totals)
			for _, err := range ledger.Units(t.Context(), w.ledger, r) {
				require.NoError(t, err)
			}
		})
	}
}

// Where nothing goes wrong a leaf costs one write and an interior node two, of
// one unit each. The children of the root are all interior, so that no settler of
// its slots knows its header: each may read its plan.
func TestCostOfAWalk(t *testing.T) {
	m := newMeter()
	w := newWalker(t, local.open(t, dynamodb.Options{Consumed: m.count}), hostile.Faults{})
	spec := &synthetic.Spec{Fanout: 10, Depth: 2}
	w.seed(synthetic.Kind, spec, ledger.Options{})
	made := m.units["PutItem"]
	r := w.run(0)
	require.Equal(t, ledger.Finished, r.State)
	require.EqualValues(t, 111, r.Totals.Nodes)

	const nodes, interior = 111, 11
	m.mu.Lock()
	defer m.mu.Unlock()
	assert.Equal(t, nodes, m.calls["UpdateItem"], "settlements")
	assert.InDelta(t, 1, m.most["UpdateItem"], 0)
	assert.LessOrEqual(t, m.calls["BatchGetItem"], interior-1, "reads of the root's plan")
	t.Logf("%d nodes, %d interior: %v; units %v, %v of them to create the run", nodes, interior, m.calls, m.units, made)
}
