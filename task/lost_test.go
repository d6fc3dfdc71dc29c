package task_test

import (
	"context"
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
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

// drained receives all that is on a queue now, and deletes it.
func drained(t *testing.T, q queue.Queue) []queue.Delivery {
	t.Helper()
	var all []queue.Delivery
	for {
		got, err := q.Receive(t.Context(), queue.Request{Max: 10, Visibility: time.Minute})
		require.NoError(t, err)
		if len(got) == 0 {
			return all
		}
		for _, d := range got {
			require.NoError(t, q.Delete(t.Context(), []queue.Receipt{d.Receipt})[0])
		}
		all = append(all, got...)
	}
}

func parsed(t *testing.T, d queue.Delivery) *schema.Message {
	t.Helper()
	m, err := schema.Parse(d.Body)
	require.NoError(t, err)
	return m
}

// keeper is a task that was made and never started, as far as messages go: it does
// nothing but what Lost does.
func (w *world) keeper(change ...func(*task.Config)) *task.Task {
	w.t.Helper()
	c := task.Config{
		Queue: w.main, Dead: w.dead, Ledger: w.ledger, Processors: w.set,
		Sink: func(context.Context, ledger.Run) (sink.Sink, error) { return w.sink, nil },
	}
	for _, f := range change {
		f(&c)
	}
	t, err := task.New(c)
	require.NoError(w.t, err)
	return t
}

// untouchable fails the test where a node is processed.
func untouchable(t *testing.T) processor.Set {
	return processor.Set{"k": process(func(_ context.Context, n *processor.Node, _ processor.Out) error {
		assert.Fail(t, "processed", n.ID)
		return nil
	})}
}

func TestALostNodeIsGivenUpOnce(t *testing.T) {
	w := newWorld(t, 1, untouchable(t))
	w.seed("k")
	root := drained(t, w.main)[0]
	root.Receives = 101
	k := w.keeper()
	for range 3 { // whoever deletes it may be too late
		require.NoError(t, k.Lost(t.Context(), root))
	}
	r := w.record()
	assert.Equal(t, ledger.Failed, r.State)
	assert.Equal(t, schema.Account{Failures: 1}, r.Totals)
	letters := drained(t, w.dead)
	require.Len(t, letters, 1)
	assert.Equal(t, root.Body, letters[0].Body)
	assert.Contains(t, letters[0].Attrs[task.AttrReason], "101 receives")
	require.ErrorIs(t, k.Lost(t.Context(), letters[0]), task.ErrLetter)

	// It is a failure like any other, and a redrive heals it.
	_, err := seed.Redrive(t.Context(), w.ledger, w.poster(), "run")
	require.NoError(t, err)
	require.NoError(t, k.Lost(t.Context(), root), "of an epoch that is over")
	assert.Len(t, drained(t, w.main), 1, "the redrive's")
}

// planned puts the plan of the root, with one child, as the message of an id did.
func (w *world) planned(root *schema.Message, owner schema.MID) ledger.Plan {
	w.t.Helper()
	p := ledger.Plan{
		PID: root.PID(), Run: "run", Type: ledger.Live, Kids: []ledger.Kid{{Kind: "k", ID: "child", Deeper: 1}},
		Own: schema.Account{Nodes: 1}, Attempt: 7, MID: owner, Share: schema.Whole,
	}
	_, won, err := w.ledger.Plan(w.t.Context(), p)
	require.NoError(w.t, err)
	require.True(w.t, won)
	return p
}

// child is the message of the plan's child.
func (w *world) child(p *ledger.Plan) queue.Delivery {
	w.t.Helper()
	parent := post.Parent{Run: "run", Plan: p, Share: p.Share, Kind: "k", Header: schema.Header{Required: 1, Own: p.Own, Reduce: p.Reduce}}
	require.NoError(w.t, w.poster().Send(w.t.Context(), parent.Children(ledger.FirstSlots(1))...))
	return drained(w.t, w.main)[0]
}

func TestALostNodeWithAPlanIsPostedOn(t *testing.T) {
	for name, own := range map[string]bool{"its own": true, "of a message that may be lost, too": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, untouchable(t))
			w.seed("k")
			root := drained(t, w.main)[0]
			owner := schema.NewMID()
			if own {
				owner = parsed(t, root).MID
			}
			w.planned(parsed(t, root), owner)
			require.NoError(t, w.keeper().Lost(t.Context(), root))
			posted := drained(t, w.main)
			require.Len(t, posted, 1)
			assert.Equal(t, "child", parsed(t, posted[0]).ID)
			assert.Equal(t, schema.PostAgain, parsed(t, posted[0]).Re)
			assert.Empty(t, drained(t, w.dead))
		})
	}
}

// The attempt that settled the node may have died before it climbed.
func TestALostNodeThatHasSettledClimbs(t *testing.T) {
	w := newWorld(t, 1, untouchable(t))
	w.seed("k")
	root := drained(t, w.main)[0]
	p := w.planned(parsed(t, root), parsed(t, root).MID)
	child := w.child(&p)
	_, _, err := w.ledger.Settle(t.Context(), ledger.Settlement{
		Run: "run", At: parsed(t, child).Up, Account: schema.Account{Nodes: 1}, Header: parsed(t, child).Hdr,
	})
	require.NoError(t, err)
	require.NoError(t, w.keeper().Lost(t.Context(), child))
	r := w.record()
	assert.Equal(t, ledger.Finished, r.State)
	assert.Equal(t, schema.Account{Nodes: 2}, r.Totals)
	assert.Empty(t, drained(t, w.dead))
}

func TestALostReduceIsGivenUp(t *testing.T) {
	w := newWorld(t, 1, processor.Set{"k": chain{1}})
	w.seed("k")
	root := drained(t, w.main)[0]
	p := w.planned(parsed(t, root), parsed(t, root).MID)
	_, _, err := w.ledger.Settle(t.Context(), ledger.Settlement{
		Run: "run", At: schema.Place{Parent: p.PID}, Account: schema.Account{Nodes: 1},
	})
	require.NoError(t, err)
	m := schema.Message{V: schema.Version, Run: "run", Op: schema.OpReduce, Kind: "k", ID: "0", MID: schema.NewMID()}
	require.NoError(t, w.poster().Send(t.Context(), post.Letter{Message: m}))
	require.NoError(t, w.keeper().Lost(t.Context(), drained(t, w.main)[0]))
	r := w.record()
	assert.Equal(t, ledger.Failed, r.State)
	assert.Equal(t, schema.Account{Nodes: 2, Failures: 1}, r.Totals)
	assert.Len(t, drained(t, w.dead), 1)
}

func TestALostMessageOfARunThatIsOverIsForgotten(t *testing.T) {
	w := newWorld(t, 1, untouchable(t))
	w.seed("k")
	root := drained(t, w.main)[0]
	_, err := w.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Running, State: ledger.Cancelled})
	require.NoError(t, err)
	require.NoError(t, w.keeper().Lost(t.Context(), root))
	assert.Empty(t, drained(t, w.dead))
	assert.Empty(t, drained(t, w.main))
}

// A pause must not cost a node.
func TestALostMessageOfARunThatIsPausedGoesBack(t *testing.T) {
	w := newWorld(t, 1, untouchable(t))
	w.seed("k")
	root := drained(t, w.main)[0]
	yes := true
	_, err := w.ledger.Amend(t.Context(), "run", ledger.Change{From: ledger.Running, Paused: &yes})
	require.NoError(t, err)
	require.NoError(t, w.keeper().Lost(t.Context(), root))
	assert.Empty(t, drained(t, w.dead))
	back := drained(t, w.main)
	require.Len(t, back, 1)
	was, is := parsed(t, root), parsed(t, back[0])
	assert.Equal(t, was.MID, is.MID, "it may own a plan")
	assert.Equal(t, schema.PostAdopt, is.Re)
	is.Re = was.Re
	assert.Equal(t, was, is)
}

func TestALostMessageThatCannotBeExecutedGetsAReason(t *testing.T) {
	keys, err := schema.NewKeyring(schema.Key{ID: "k1", Secret: make([]byte, 32)})
	require.NoError(t, err)
	w := newWorld(t, 1, untouchable(t))
	w.seed("k") // unsigned
	forged := drained(t, w.main)[0]
	m := parsed(t, forged)
	m.Run = "unknown"
	body, err := m.Encode()
	require.NoError(t, err)
	ahead := parsed(t, forged)
	ahead.Epoch = 5
	early, err := ahead.Encode()
	require.NoError(t, err)
	for name, d := range map[string]queue.Delivery{
		"unreadable": {Body: []byte("rm -rf /"), Attrs: keys.Sign([]byte("rm -rf /"))},
		"forged":     {Body: forged.Body},
		"orphan":     {Body: body, Attrs: keys.Sign(body)},
		"early":      {Body: early, Attrs: keys.Sign(early)}, // an epoch that nobody has begun
	} {
		k := w.keeper(func(c *task.Config) { c.Keys = keys })
		require.NoError(t, k.Lost(t.Context(), d), name)
		letters := drained(t, w.dead)
		require.Len(t, letters, 1, name)
		assert.Equal(t, d.Body, letters[0].Body)
		assert.NotEmpty(t, letters[0].Attrs[task.AttrReason])
	}
	assert.Equal(t, ledger.Running, w.record().State)
}

// Somebody moves the dead-letter queue back by the console. What is settled stays
// so; and where the owner of a plan is among what the queue lost, any message that
// comes back goes on with it.
func TestLettersThatAreMovedBackAreSuspects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := forest{depth: 3, fanout: 5, poison: 0.1}.grown(30)
		w := newWorld(t, 1, processor.Set{"k": f})
		w.seed("k")
		root := drained(t, w.main)[0]
		w.task()

		m := parsed(t, root)
		stolen := *m
		stolen.MID = schema.NewMID() // wrote the plan, and is gone
		p := ledger.Plan{
			PID: m.PID(), Run: "run", Type: ledger.Live, Own: schema.Account{Nodes: 1, Objects: 1, Bytes: 1},
			Attempt: 7, MID: stolen.MID, Share: schema.Whole,
		}
		for i := range f.kids("0") {
			p.Kids = append(p.Kids, ledger.Kid{Kind: "k", ID: "0." + string(rune('0'+i)), Deeper: 1})
		}
		_, won, err := w.ledger.Plan(t.Context(), p)
		require.NoError(t, err)
		require.True(t, won)
		entry := queue.Entry{Body: root.Body, Attrs: map[string]string{task.AttrReason: "redriven"}}
		require.NoError(t, w.main.Send(t.Context(), []queue.Entry{entry})[0])
		r := w.wait(0)
		sum, _, failed := f.truth()
		sum.Reduces = r.Totals.Reduces
		assert.Equal(t, sum, r.Totals)

		// All that was given up comes back, while the run is over and while it is
		// redriven: it changes nothing, and each is redriven once.
		letters := drained(t, w.dead)
		require.Len(t, letters, len(failed))
		for _, d := range letters {
			require.NoError(t, w.main.Send(t.Context(), []queue.Entry{{Body: d.Body, Attrs: d.Attrs}})[0])
		}
		time.Sleep(time.Minute)
		assert.Equal(t, r, w.record())
		assert.Empty(t, drained(t, w.dead))
	})
}
