package task_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	ledgerhostile "github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sweep"
	"github.com/ramify/ramify/task"
)

// world is everything a run needs, with faults.
type world struct {
	t       *testing.T
	main    *queuehostile.Queue
	dead    *queuehostile.Queue
	ledger  *ledgerhostile.Ledger
	sink    *memory
	set     processor.Set
	options ledger.Options
	tasks   []*task.Task
	n       int
}

func newWorld(t *testing.T, n uint64, set processor.Set) *world {
	w := &world{
		t: t, set: set, sink: newMemory(),
		main:    queuehostile.New(n, queuehostile.Faults{}),
		dead:    queuehostile.New(n+1, queuehostile.Faults{}),
		ledger:  ledgerhostile.New(n+2, ledgerhostile.Faults{}),
		options: ledger.Options{Retries: 3},
	}
	t.Cleanup(w.stop)
	return w
}

func (w *world) unkind(p float64) {
	q := queuehostile.Unkind(p)
	// Twins that say "first delivery" may make attempts disagree; the protocol
	// then promises totals, not the end of the run. That has a test of its own.
	q.Lie = 0
	w.main.Set(q)
	w.ledger.Set(ledgerhostile.Unkind(p))
}

func (w *world) task(change ...func(*task.Config)) *task.Task {
	w.n++
	c := task.Config{
		ID: fmt.Sprintf("task-%d", w.n), Queue: w.main, Dead: w.dead, Ledger: w.ledger, Board: w.ledger,
		Processors: w.set, Concurrency: 4, Wait: 5 * time.Second,
		Sink: func(context.Context, ledger.Run) (sink.Sink, error) { return w.sink, nil },
	}
	for _, f := range change {
		f(&c)
	}
	t, err := task.New(c)
	require.NoError(w.t, err)
	t.Start(w.t.Context())
	w.tasks = append(w.tasks, t)
	return t
}

func (w *world) stop() {
	for _, t := range w.tasks {
		t.Stop(context.Background())
	}
	w.tasks = nil
}

func (w *world) poster() *post.Poster { return &post.Poster{Queue: w.main} }

func (w *world) seed(kind string) {
	r := ledger.Run{ID: "run", Root: ledger.Kid{Kind: kind, ID: "0"}, Options: w.options}
	require.NoError(w.t, seed.Run(context.Background(), w.ledger, w.poster(), r))
}

// record reads the run's record however unkind the ledger is.
func (w *world) record() ledger.Run {
	for range 1000 {
		if r, err := w.ledger.Run(context.Background(), "run"); err == nil {
			return r
		}
	}
	w.t.Fatal("the ledger never answered")
	return ledger.Run{}
}

// wait waits until the run is over and returns its record. Time is the bubble's.
func (w *world) wait(epoch int) ledger.Run {
	w.t.Helper()
	for range 2_000 {
		r := w.record()
		if r.State.Over() && r.Epoch == epoch {
			return r
		}
		time.Sleep(10 * time.Second)
	}
	depth, _ := w.main.Depth(context.Background())
	w.t.Fatalf("run not over: %+v, queue %+v", w.record(), depth)
	return ledger.Run{}
}

// audit compares a run that is over with the truth.
func (w *world) audit(f *forest, r ledger.Run) {
	w.t.Helper()
	w.main.Set(queuehostile.Faults{})
	w.ledger.Set(ledgerhostile.Faults{})
	sum, rows, failed := f.truth()
	want := ledger.Finished
	if len(failed) > 0 {
		want = ledger.Failed
	}
	assert.Equal(w.t, want, r.State)
	got := r.Totals
	got.Reduces = 0
	assert.Equal(w.t, sum, got, "totals")

	seen := map[string]int{}
	for u, err := range ledger.Units(context.Background(), w.ledger, r) {
		require.NoError(w.t, err)
		for _, row := range w.sink.rows(u.PID, u.Attempt, u.Leaf) {
			seen[row]++
		}
	}
	for row, n := range seen {
		assert.Equal(w.t, 1, n, "row %s", row)
	}
	assert.Equal(w.t, slices.Sorted(maps.Keys(rows)), slices.Sorted(maps.Keys(seen)), "rows of committed units")

	lost := map[string]bool{}
	for f, err := range ledger.Failures(context.Background(), w.ledger, r) {
		require.NoError(w.t, err)
		assert.NotEmpty(w.t, f.Reason)
		lost[f.ID] = true
	}
	assert.Equal(w.t, failed, lost, "nodes given up")
}

var shapes = map[string]forest{
	"bushy":    {depth: 5, fanout: 5},
	"chain":    {depth: 60, chain: true},
	"flaky":    {depth: 4, fanout: 5, flaky: 0.7},
	"poisoned": {depth: 4, fanout: 6, poison: 0.05},
	"slow":     {depth: 3, fanout: 6, slow: 0.1},
	"wide":     {depth: 2, fanout: 4, wide: 1500},
}

// grown is the forest with the first seed from its own on that makes a tree worth
// walking.
func (f forest) grown(least int64) *forest {
	for ; ; f.seed++ {
		if sum, _, _ := f.truth(); sum.Nodes+sum.Failures >= least {
			return &f
		}
	}
}

func TestWalkIsExact(t *testing.T) {
	for name, shape := range shapes {
		for _, inline := range []int{0, 20} {
			for _, p := range []float64{0, 0.05} {
				t.Run(fmt.Sprintf("%s/inline=%d/faults=%v", name, inline, p), func(t *testing.T) {
					for n := range uint64(8) {
						f := shape
						f.seed += 100 * n
						walkOnce(t, n, f.grown(30), inline, p)
					}
				})
			}
		}
	}
}

func walkOnce(t *testing.T, n uint64, f *forest, inline int, p float64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, n, processor.Set{"tree": f})
		w.options.Inline = inline
		w.seed("tree")
		w.unkind(p)
		for range 3 {
			w.task()
		}
		r := w.wait(0)
		w.stop()
		w.audit(f, r)
	})
}

func TestOneWriteALeafTwoAnInteriorNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := forest{depth: 4, fanout: 6}.grown(30)
		w := newWorld(t, 1, processor.Set{"tree": f})
		w.seed("tree")
		w.task()
		r := w.wait(0)
		w.stop()
		w.audit(f, r)
		interior := 0
		_, rows, _ := f.truth()
		for row := range rows {
			if f.kids(row) > 0 {
				interior++
			}
		}
		assert.Equal(t, len(rows)+interior, w.ledger.Calls().Writes(), "%d nodes, %d of them interior", len(rows), interior)
		depth, err := w.main.Depth(t.Context())
		require.NoError(t, err)
		assert.Zero(t, depth.Total(), "messages left on the queue")
	})
}

func TestRedriveProcessesOnlyWhatFailed(t *testing.T) {
	for n := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			healed := false
			again := map[string]int{}
			f := forest{depth: 4, fanout: 6, seed: 100 * n, poison: 0.1, healed: func() bool { return healed }}.grown(30)
			w := newWorld(t, n, processor.Set{"tree": f})
			w.options.Retries = 0
			w.options.Inline = int(n % 2 * 10)
			w.seed("tree")
			w.task()
			r := w.wait(0)
			w.stop()
			w.audit(f, r)
			_, before, failed := f.truth()
			if len(failed) == 0 {
				return
			}
			healed = true
			f.process = func(id string) { again[id]++ }
			w.unkind(0.03)
			for range 50 {
				if _, err := seed.Redrive(t.Context(), w.ledger, w.poster(), "run"); err == nil {
					break
				}
			}
			// One at a time, so that the processor needs no lock.
			w.task(func(c *task.Config) { c.Concurrency = 1 })
			r = w.wait(1)
			w.stop()
			w.audit(f, r)
			for id := range again {
				assert.False(t, before[id], "node %s had succeeded", id)
			}
		})
	}
}

// Duplicates of a redrive's messages end where they meet the first: they would
// double again at each level, and a deep failure would never be reached.
func TestDuplicatesOfARedriveDoNotMultiply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const depth = 80
		var healed atomic.Bool
		w := newWorld(t, 1, processor.Set{"k": process(func(_ context.Context, n *processor.Node, out processor.Out) error {
			if n.Depth < depth {
				return out.Child(processor.Child{ID: fmt.Sprint(n.Depth + 1)})
			}
			if !healed.Load() {
				return processor.Permanent(errors.New("broken at the bottom"))
			}
			return nil
		})})
		w.seed("k")
		w.task()
		require.Equal(t, ledger.Failed, w.wait(0).State)
		healed.Store(true)
		w.main.Set(queuehostile.Faults{Twin: 0.1})
		before := w.main.Calls().Send.Entries
		_, err := seed.Redrive(t.Context(), w.ledger, w.poster(), "run")
		require.NoError(t, err)
		r := w.wait(1)
		assert.Equal(t, ledger.Finished, r.State)
		assert.Equal(t, schema.Account{Nodes: depth + 1}, r.Totals)
		assert.Less(t, w.main.Calls().Send.Entries-before, 2*depth, "messages of the redrive")
	})
}

// A sweep that meets a node under way, which then has children, does not walk
// them a second time.
func TestASweepEndsWhereTheNodeWasUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		w := newWorld(t, 1, processor.Set{"k": process(func(_ context.Context, n *processor.Node, out processor.Out) error {
			if n.Depth > 0 {
				time.Sleep(5 * time.Minute)
				return nil
			}
			time.Sleep(time.Duration(attempts.Add(1)) * 10 * time.Second)
			for i := range 3 {
				if err := out.Child(processor.Child{ID: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return nil
		})})
		w.seed("k")
		w.task(func(c *task.Config) { c.Concurrency = 20 })
		time.Sleep(time.Second)
		n, err := sweep.Run(t.Context(), w.ledger, w.poster(), "run")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		r := w.wait(0)
		assert.EqualValues(t, 4, r.Totals.Nodes)
		assert.EqualValues(t, 2, attempts.Load(), "the sweep's message was processed, too")
		assert.Equal(t, 1+1+3, w.main.Calls().Send.Entries, "messages")
	})
}

// chain is a chain of nodes that reduce.
type chain struct{ depth int }

func (c chain) Process(_ context.Context, n *processor.Node, out processor.Out) error {
	if n.Depth == c.depth {
		return nil
	}
	return out.Child(processor.Child{ID: fmt.Sprint(n.Depth + 1)})
}

func (chain) Reduce(context.Context, *processor.Node, schema.Account, processor.Out) error {
	return nil
}

// Duplicates of a reduce end where they meet the first, as those of a redrive do.
func TestDuplicatesOfReducesDoNotMultiply(t *testing.T) {
	for n := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			const depth = 80
			w := newWorld(t, n, processor.Set{"k": chain{depth}})
			w.main.Set(queuehostile.Faults{Twin: 0.1})
			w.seed("k")
			w.task()
			r := w.wait(0)
			assert.Equal(t, ledger.Finished, r.State)
			assert.Equal(t, schema.Account{Nodes: depth + 1, Reduces: depth + 1}, r.Totals)
			// A node, its reduce, and for what came twice one more of each.
			assert.Less(t, w.main.Calls().Send.Entries, 4*depth, "messages of the run")
		})
	}
}

// Without duplicates a reduce costs no write but its own settlement.
func TestAReduceCostsNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const depth = 20
		w := newWorld(t, 1, processor.Set{"k": chain{depth}})
		w.seed("k")
		w.task()
		assert.Equal(t, ledger.Finished, w.wait(0).State)
		w.stop()
		// Each interior node is planned, each node settles.
		assert.Equal(t, depth+depth+1, w.ledger.Calls().Writes())
		assert.Equal(t, depth+1+depth, w.main.Calls().Send.Entries)
	})
}

// reducing is a forest whose nodes reduce, and say so.
type reducing struct {
	forest
	reduced map[string]int64
	fails   map[string]int
}

func (r *reducing) Reduce(_ context.Context, n *processor.Node, sum schema.Account, out processor.Out) error {
	if r.fails[n.ID] > n.Tries {
		return fmt.Errorf("reduce fails")
	}
	r.reduced[n.ID] = sum.Nodes
	return out.Write(sink.Rows, nil, 0)
}

func TestReduceRunsAfterAllBelow(t *testing.T) {
	for n := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			f := &reducing{
				forest:  *forest{depth: 4, fanout: 4, seed: 100 * n}.grown(30),
				reduced: map[string]int64{}, fails: map[string]int{"0": 2, "0.1": 1},
			}
			w := newWorld(t, n, processor.Set{"tree": f})
			w.seed("tree")
			if n > 4 {
				w.unkind(0.02)
			}
			w.task(func(c *task.Config) { c.Concurrency = 1 })
			r := w.wait(0)
			w.stop()
			w.audit(&f.forest, r)
			sum, rows, _ := f.truth()
			assert.Equal(t, sum.Nodes, r.Totals.Reduces, "each node reduces once")
			for id := range rows {
				sub := int64(0)
				for other := range rows {
					if other == id || len(other) > len(id) && other[:len(id)+1] == id+"." {
						sub++
					}
				}
				assert.Equal(t, sub, f.reduced[id], "nodes below %s when it reduced", id)
			}
		})
	}
}

func TestForeignMessagesGoToTheDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := schema.Key{ID: "k1", Secret: make([]byte, 32)}
		keys, err := schema.NewKeyring(key)
		require.NoError(t, err)
		f := &forest{depth: 2, fanout: 3, seed: 3, process: func(id string) {
			assert.NotContains(t, id, "forged")
		}}
		w := newWorld(t, 1, processor.Set{"tree": f})
		r := ledger.Run{ID: "run", Root: ledger.Kid{Kind: "tree", ID: "0"}, Options: w.options}
		require.NoError(t, seed.Run(t.Context(), w.ledger, &post.Poster{Queue: w.main, Keys: keys}, r))
		forged := `{"v":1,"run":"run","op":"node","kind":"tree","id":"forged","up":{"pid":"","slot":0},"mid":"1","depth":0,"share":"1"}`
		bodies := []string{"rm -rf /", "{", `{"v":9}`, forged}
		for _, b := range bodies {
			require.NoError(t, w.main.Send(t.Context(), []queue.Entry{{Body: []byte(b)}})[0])
		}
		w.task(func(c *task.Config) { c.Keys = keys })
		rec := w.wait(0)
		w.stop()
		w.audit(f, rec)
		got, err := w.dead.Receive(t.Context(), queue.Request{Max: 10, Visibility: time.Minute})
		require.NoError(t, err)
		seen := map[string]bool{}
		for _, d := range got {
			seen[string(d.Body)] = true
			assert.NotEmpty(t, d.Attrs[task.AttrReason])
		}
		for _, b := range bodies {
			assert.True(t, seen[b], "%s is in the dead-letter queue", b)
		}
	})
}

func TestPauseResumeCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := forest{depth: 6, fanout: 6, slow: 1}.grown(30)
		w := newWorld(t, 1, processor.Set{"tree": f})
		w.seed("tree")
		w.task()
		yes, no := true, false
		time.Sleep(2 * time.Minute)
		_, err := w.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Running, Paused: &yes})
		require.NoError(t, err)
		time.Sleep(5 * time.Minute) // what was begun ends
		before := w.ledger.Calls().Writes()
		time.Sleep(time.Hour)
		assert.Equal(t, before, w.ledger.Calls().Writes(), "nothing settles while the run is paused")
		assert.False(t, w.record().State.Over())
		_, err = w.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Running, Paused: &no})
		require.NoError(t, err)
		time.Sleep(5 * time.Minute)
		assert.Greater(t, w.ledger.Calls().Writes(), before, "it goes on when resumed")
		_, err = w.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Running, State: ledger.Cancelled})
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		w.stop()
		assert.Equal(t, ledger.Cancelled, w.record().State)
		depth, err := w.main.Depth(t.Context())
		require.NoError(t, err)
		assert.Zero(t, depth.Total(), "the messages of a cancelled run drain")
	})
}

func TestStopReturnsWhatItHoldsAndAnotherTaskGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := forest{depth: 5, fanout: 4, slow: 0.3}.grown(30)
		w := newWorld(t, 1, processor.Set{"tree": f})
		w.options.Retries = 0 // a drain uses up no retry
		w.options.Inline = 5
		w.seed("tree")
		for range 200 {
			if w.record().State.Over() {
				break
			}
			w.task()
			time.Sleep(2 * time.Minute)
			w.stop()
			depth, err := w.main.Depth(t.Context())
			require.NoError(t, err)
			assert.Zero(t, depth.InFlight, "messages held by a task that has stopped")
		}
		r := w.wait(0)
		w.audit(f, r)
	})
}

func TestSweepFindsWhatTheQueueLost(t *testing.T) {
	for n := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			f := forest{depth: 4, fanout: 5, seed: 100 * n, wide: 600}.grown(30)
			w := newWorld(t, n, processor.Set{"tree": f})
			w.seed("tree")
			w.main.Set(queuehostile.Faults{Retention: 3 * time.Second, Late: 0.2, LateBy: 20 * time.Second})
			w.task()
			for range 200 {
				time.Sleep(time.Minute)
				if w.record().State.Over() {
					break
				}
				_, err := sweep.Run(t.Context(), w.ledger, w.poster(), "run")
				require.NoError(t, err)
			}
			w.stop()
			w.audit(f, w.record())
		})
	}
}

func TestANodeWiderThanAGroupOfGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &forest{depth: 1, fanout: 4, seed: 1, wide: 60_000}
		for f.kids("0") < 2 {
			f.seed++
		}
		w := newWorld(t, 1, processor.Set{"tree": f})
		w.seed("tree")
		w.task()
		r := w.wait(0)
		w.stop()
		w.audit(f, r)
	})
}

func TestLiesAboutFirstDeliveriesDoNotChangeTotals(t *testing.T) {
	for n := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			f := forest{depth: 4, fanout: 5, seed: 100 * n}.grown(30)
			w := newWorld(t, n, processor.Set{"tree": f})
			w.options.Inline = 7
			w.seed("tree")
			w.main.Set(queuehostile.Faults{Twin: 0.3, Lie: 1, Expire: 0.1, Forget: 0.1})
			for range 3 {
				w.task()
			}
			r := w.wait(0)
			w.stop()
			w.audit(f, r)
		})
	}
}
