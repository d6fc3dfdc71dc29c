package none_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/none"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree is processed anew with each delivery, and counts that.
type tree struct {
	depth, fanout int
	wide          int             // children of the root instead
	broken        map[string]bool // fail each time

	mu        sync.Mutex
	processed map[string]int
	depths    map[string]int
}

func (f *tree) Process(_ context.Context, n *processor.Node, out processor.Out) error {
	f.mu.Lock()
	f.processed[n.ID]++
	f.depths[n.ID] = n.Depth
	f.mu.Unlock()
	if f.broken[n.ID] {
		return fmt.Errorf("node %s is broken", n.ID)
	}
	for _, id := range f.kids(n.ID) {
		if err := out.Child(processor.Child{ID: id}); err != nil {
			return err
		}
	}
	return nil
}

func (f *tree) kids(id string) (ids []string) {
	depth, n := strings.Count(id, "."), f.fanout
	if depth == 0 && f.wide > 0 {
		n = f.wide
	}
	if depth < f.depth && !f.broken[id] {
		for i := range n {
			ids = append(ids, fmt.Sprintf("%s.%d", id, i))
		}
	}
	return ids
}

// all are the nodes of the tree from one down.
func (f *tree) all(id string) []string {
	ids := []string{id}
	for _, kid := range f.kids(id) {
		ids = append(ids, f.all(kid)...)
	}
	return ids
}

func TestWalk(t *testing.T) {
	trees := map[string]*tree{
		"fan-out 10":    {depth: 3, fanout: 10},
		"a wide node":   {depth: 1, wide: 5000},
		"broken nodes":  {depth: 3, fanout: 5, broken: map[string]bool{"0.1": true, "0.2.3": true, "0.4.4.4": true}},
		"a leaf":        {},
		"a broken root": {broken: map[string]bool{"0": true}},
	}
	for name, f := range trees {
		for _, inline := range []int{0, 50} {
			for _, p := range []float64{0, 0.05} {
				t.Run(fmt.Sprintf("%s/inline=%d/faults=%v", name, inline, p), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { walk(t, f, inline, p) })
				})
			}
		}
	}
}

// Of so many children pages have pages, and most are posted while the node is at
// work.
func TestWalkWithPagesOfPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { walk(t, &tree{depth: 1, wide: 30_000}, 0, 0) })
}

func walk(t *testing.T, f *tree, inline int, p float64) {
	const retries = 2
	f.processed, f.depths = map[string]int{}, map[string]int{}
	main, dead := hostile.New(1, hostile.Faults{}), hostile.New(2, hostile.Faults{})
	poster := &post.Poster{Queue: main}
	l := none.New(none.Options{Run: ledger.Options{Retries: retries, Inline: inline}, Post: poster.Page})
	require.NoError(t, seed.Run(t.Context(), l, poster, ledger.Run{ID: "run", Root: ledger.Kid{Kind: "tree", ID: "0"}}))

	faults := hostile.Unkind(p)
	faults.Vague, faults.Depth = 0, hostile.Loss{} // the test looks by Depth whether all is done
	main.Set(faults)
	var tasks []*task.Task
	for i := range 2 {
		w, err := task.New(task.Config{
			ID: fmt.Sprint(i), Queue: main, Dead: dead, Ledger: l, Processors: processor.Set{"tree": f}, Concurrency: 8,
			Sink: func(context.Context, ledger.Run) (sink.Sink, error) { return sink.Discard{}, nil },
		})
		require.NoError(t, err)
		w.Start(t.Context())
		tasks = append(tasks, w)
	}
	began := time.Now()
	for empty := 0; empty < 3; { // a ghost comes a second after its delete
		time.Sleep(10 * time.Second)
		require.Less(t, time.Since(began), 24*time.Hour, "messages go round")
		d, err := main.Depth(t.Context())
		require.NoError(t, err)
		if empty++; d.Total() > 0 {
			empty = 0
		}
	}
	for _, w := range tasks {
		w.Stop(t.Context())
	}

	want := map[string]bool{}
	for _, id := range f.all("0") {
		want[id] = true
		least := 1
		if f.broken[id] {
			least = retries + 1
		}
		assert.GreaterOrEqual(t, f.processed[id], least, "node %s", id)
		if p == 0 && inline == 0 {
			assert.Equal(t, least, f.processed[id], "node %s, and nothing was delivered twice", id)
		}
		assert.Equal(t, strings.Count(id, "."), f.depths[id], "depth of node %s", id)
	}
	assert.Len(t, f.processed, len(want), "nodes that are not of the tree")
	assert.Equal(t, reasons(f), letters(t, dead), "the dead-letter queue, by node")
	require.NoError(t, main.Close())
	require.NoError(t, dead.Close())
	require.NoError(t, l.Close())
}

func reasons(f *tree) map[string]string {
	all := map[string]string{}
	for id := range f.broken {
		all[id] = "node " + id + " is broken"
	}
	return all
}

func letters(t *testing.T, dead *hostile.Queue) map[string]string {
	t.Helper()
	all := map[string]string{}
	for {
		got, err := dead.Receive(t.Context(), queue.Request{Max: 10, Visibility: time.Hour})
		require.NoError(t, err)
		if len(got) == 0 {
			return all
		}
		for _, d := range got {
			m, err := schema.Parse(d.Body)
			require.NoError(t, err)
			all[m.ID] = d.Attrs[task.AttrReason]
		}
	}
}
