package task_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/task"
)

// Somebody keeps genuine messages of a run, and sends them again, with their signatures:
// once that run is over nothing of it is processed again, and nothing of a run that is
// under way is changed by them. A signature is of the run's name, too: no message of one
// run can be made one of another.
func TestMessagesOfAnotherRunAreReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, err := schema.NewKeyring(schema.Key{ID: "k1", Secret: make([]byte, 32)})
		require.NoError(t, err)
		over := false
		f := &forest{depth: 3, fanout: 3, seed: 3, process: func(id string) {
			assert.False(t, over, "%s was processed again", id)
		}}
		w := newWorld(t, 1, processor.Set{"tree": f})
		w.options.Inline = 0 // a message a node
		begin := func(run string) {
			r := ledger.Run{ID: run, Root: ledger.Kid{Kind: "tree", ID: "0"}, Options: w.options}
			require.NoError(t, seed.Run(t.Context(), w.ledger, &post.Poster{Queue: w.main, Keys: keys}, r))
		}
		begin("run")
		// The messages of all levels, kept as they pass by.
		var kept []queue.Entry
		keep := func() {
			for _, d := range drained(t, w.main) {
				kept = append(kept, queue.Entry{Body: d.Body, Attrs: d.Attrs})
			}
		}
		keep()
		root := kept[0]
		require.NoError(t, w.main.Send(t.Context(), []queue.Entry{root})[0])
		w.task(func(c *task.Config) { c.Keys = keys })
		was := w.wait(0)
		w.stop()
		require.Equal(t, ledger.Finished, was.State)
		over = true

		// Another run's name under a genuine signature.
		m, err := schema.Parse(root.Body)
		require.NoError(t, err)
		m.Run = "other"
		forged, err := m.Encode()
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, w.main.Send(t.Context(), []queue.Entry{root})[0])
		}
		require.NoError(t, w.main.Send(t.Context(), []queue.Entry{{Body: forged, Attrs: root.Attrs}})[0])
		w.task(func(c *task.Config) { c.Keys = keys })
		time.Sleep(time.Hour)
		synctest.Wait()
		w.stop()
		assert.Equal(t, was, w.record())
		letters := drained(t, w.dead)
		require.Len(t, letters, 1)
		assert.Equal(t, forged, letters[0].Body)
		assert.Contains(t, letters[0].Attrs[task.AttrReason], schema.ErrUnsigned.Error())

		// While another run is under way.
		over = false
		seen := map[string]int{}
		f.process = func(id string) { seen[id]++ }
		begin("other")
		for range 3 {
			require.NoError(t, w.main.Send(t.Context(), []queue.Entry{root})[0])
		}
		w.task(func(c *task.Config) { c.Keys = keys })
		var other ledger.Run
		for range 1000 {
			if other, err = w.ledger.Run(t.Context(), "other"); err == nil && other.State.Over() {
				break
			}
			time.Sleep(10 * time.Second)
		}
		w.stop()
		assert.Equal(t, was, w.record())
		assert.Equal(t, ledger.Finished, other.State)
		assert.Equal(t, was.Totals, other.Totals)
		assert.Len(t, seen, int(other.Totals.Nodes))
		for id, n := range seen {
			assert.Equal(t, 1, n, id)
		}
	})
}
