package sweep_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sweep"
	"github.com/ramify/ramify/task"
)

type process func(context.Context, *processor.Node, processor.Out) error

func (p process) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	return p(ctx, n, out)
}

func (y *yard) over(run string) bool {
	r, err := y.ledger.Run(context.Background(), run)
	require.NoError(y.t, err)
	return r.State.Over()
}

// What a crash between a run's record and its root left behind, and what the queue
// dropped, is found and ends.
func TestARunThatStandsStillIsSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.run("run", "") // and no message
		w, err := task.New(task.Config{
			ID: "task", Queue: y.main, Dead: y.dead, Ledger: y.ledger, Board: y.ledger,
			Processors: processor.Set{"k": process(func(_ context.Context, n *processor.Node, out processor.Out) error {
				if n.Depth == 0 {
					for i := range 20 {
						_ = out.Child(processor.Child{ID: fmt.Sprint(i)})
					}
				} else {
					time.Sleep(time.Minute)
				}
				return nil
			})},
			Concurrency: 1,
			Sink:        func(context.Context, ledger.Run) (sink.Sink, error) { return sink.Discard{}, nil },
		})
		require.NoError(t, err)
		w.Start(t.Context())
		defer w.Stop(t.Context())
		y.keeper()
		time.Sleep(9 * time.Minute)
		assert.Zero(t, y.sent())
		time.Sleep(3 * time.Minute)
		require.Equal(t, 1+20, y.sent(), "the root was posted, and its children")

		// The queue forgets what is delivered in the next minutes.
		y.main.Set(queuehostile.Faults{Retention: time.Nanosecond})
		time.Sleep(3 * time.Minute)
		y.main.Set(queuehostile.Faults{})
		require.False(t, y.over("run"))
		time.Sleep(time.Hour)
		assert.True(t, y.over("run"))
		r, err := y.ledger.Run(t.Context(), "run")
		require.NoError(t, err)
		assert.EqualValues(t, 21, r.Totals.Nodes)
		assert.Greater(t, y.sent(), 1+20, "the queue did lose some")
	})
}

func TestSweepsInVainComeMoreAndMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.run("run", "") // and no task
		y.keeper()
		var at []time.Duration
		begin, sent := time.Now(), 0
		for time.Since(begin) < 24*time.Hour {
			time.Sleep(time.Minute)
			if n := y.sent(); n > sent {
				at, sent = append(at, time.Since(begin)), n
			}
		}
		require.Len(t, at, 9)
		last := time.Duration(0)
		for i, want := range []float64{10, 20, 40, 80, 160, 240, 240, 240, 240} {
			assert.InDelta(t, want, (at[i] - last).Minutes(), 3, "sweep %d", i)
			last = at[i]
		}
	})
}

func TestARunThatGetsOnIsNotSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.run("nodes", "")
		y.run("retries", "")
		y.run("paused", "")
		yes := true
		_, err := y.ledger.Amend(t.Context(), "paused", ledger.Change{From: ledger.Running, Paused: &yes})
		require.NoError(t, err)
		y.keeper()
		for i := range int64(24) {
			time.Sleep(5 * time.Minute)
			require.NoError(t, y.ledger.Report(t.Context(), ledger.Worker{Run: "nodes", ID: "w", Done: schema.Account{Nodes: i}}))
			require.NoError(t, y.ledger.Report(t.Context(), ledger.Worker{Run: "retries", ID: "w", Retries: i}))
		}
		assert.Zero(t, y.sent())
		time.Sleep(15 * time.Minute)
		assert.Equal(t, 2, y.sent(), "both stand still now")

		// Progress brings the first interval back.
		require.NoError(t, y.ledger.Report(t.Context(), ledger.Worker{Run: "nodes", ID: "w", Done: schema.Account{Nodes: 99}}))
		time.Sleep(15 * time.Minute)
		assert.Equal(t, 3, y.sent())
	})
}

// Ten thousand runs of the past cost a list every few minutes, and no more.
func TestManyRunsCostLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		for i := range 10_000 {
			id := fmt.Sprint("old-", i)
			y.run(id, "out")
			y.end(id, ledger.Finished, 0)
		}
		time.Sleep(8 * 24 * time.Hour)
		for i := range 150 {
			y.run(fmt.Sprint("live-", i), "")
		}
		y.keeper()
		time.Sleep(time.Hour)
		c := y.ledger.Calls()
		assert.LessOrEqual(t, c.Runs.Calls, 25, "lists in an hour")
		assert.LessOrEqual(t, c.Run.Calls, 3600/10*100+150*3, "runs read in an hour")
		assert.LessOrEqual(t, c.Workers.Calls, 150*62, "figures read in an hour")
		assert.Empty(t, y.made(), "they ended long ago")
		assert.GreaterOrEqual(t, y.sent(), 150*2, "each of those that stand still is found")
	})
}

// A sweep reads many nodes at a time.
func TestASweepReadsFiftyNodesARequest(t *testing.T) {
	y := newYard(t)
	y.run("run", "")
	ctx := t.Context()
	root := schema.PIDOf("run", schema.Place{})
	plan := func(pid schema.PID, at schema.Place, kids int) {
		p := ledger.Plan{PID: pid, Run: "run", Type: ledger.Live, Up: at, Share: schema.Whole}
		for i := range kids {
			p.Kids = append(p.Kids, ledger.Kid{Kind: "k", ID: fmt.Sprint(i), Deeper: 1})
		}
		_, _, err := y.ledger.Plan(ctx, p)
		require.NoError(t, err)
		_, _, err = y.ledger.Settle(ctx, ledger.Settlement{Run: "run", At: schema.Place{Parent: pid}})
		require.NoError(t, err)
	}
	plan(root, schema.Place{}, 201)
	for slot := 1; slot <= 200; slot++ {
		at := schema.Place{Parent: root, Slot: slot}
		plan(schema.PIDOf("run", at), at, 3)
	}
	posted, err := sweep.Run(ctx, y.ledger, y.poster(), "run")
	require.NoError(t, err)
	assert.Equal(t, 400, posted)
	assert.Equal(t, 400, y.sent())
	assert.LessOrEqual(t, y.ledger.Calls().Read.Calls, 1+200/50+400/50+3)
	got, err := y.main.Receive(ctx, queue.Request{Max: 1, Visibility: time.Hour})
	require.NoError(t, err)
	m, err := schema.Parse(got[0].Body)
	require.NoError(t, err)
	assert.Equal(t, schema.PostAdopt, m.Re)
	assert.Equal(t, 1, m.Depth)
}
