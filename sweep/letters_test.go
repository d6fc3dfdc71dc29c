package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sweep"
	"github.com/ramify/ramify/task"
)

func (y *yard) letter(body, why string) {
	e := queue.Entry{Body: []byte(body)}
	if why != "" {
		e.Attrs = map[string]string{reason: why}
	}
	require.NoError(y.t, y.dead.Send(context.Background(), []queue.Entry{e})[0])
}

func (y *yard) left() int64 {
	d, err := y.dead.Depth(context.Background())
	require.NoError(y.t, err)
	return d.Total()
}

func TestWhatTheQueueMovedIsSettledAndPeoplesLettersStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		var want []string
		for i := range 25 {
			y.letter(fmt.Sprintf("lost %02d", i), "")
			y.letter(fmt.Sprintf("kept %02d", i), "a reason")
			want = append(want, fmt.Sprintf("lost %02d", i))
		}
		y.keeper()
		time.Sleep(30 * time.Second)
		assert.Equal(t, want, slices.Sorted(slices.Values(y.gone())), "each once")
		assert.EqualValues(t, 25, y.left())

		// Nothing has changed: nobody looks, and people see their letters.
		time.Sleep(2 * time.Minute)
		before := y.dead.Calls().Receive.Calls
		time.Sleep(5 * time.Minute)
		assert.Equal(t, before, y.dead.Calls().Receive.Calls)
		d, err := y.dead.Depth(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 25, d.Visible)

		y.letter("lost 99", "")
		time.Sleep(30 * time.Second)
		assert.Contains(t, y.gone(), "lost 99")
		assert.EqualValues(t, 25, y.left())
	})
}

// A letter that came while another was taken away leaves the number as it was.
func TestTheQueueIsLookedThroughAnyway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.letter("kept", "a reason")
		y.keeper()
		time.Sleep(2 * time.Minute)
		got, err := y.dead.Receive(t.Context(), queue.Request{Max: 1, Visibility: time.Minute})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.NoError(t, y.dead.Delete(t.Context(), []queue.Receipt{got[0].Receipt})[0])
		y.letter("lost", "")
		time.Sleep(11 * time.Minute)
		assert.Equal(t, []string{"lost"}, y.gone())
	})
}

func TestALetterThatCannotBeSettledIsLeftForLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.letter("lost", "")
		tries := 0
		y.keeper(func(o *sweep.Options) {
			o.Lost = func(ctx context.Context, d queue.Delivery) error {
				if tries++; tries < 3 {
					return errors.New("the ledger is away")
				}
				return y.lose(ctx, d)
			}
		})
		time.Sleep(time.Minute)
		assert.EqualValues(t, 1, y.left())
		time.Sleep(4 * time.Minute)
		assert.Equal(t, []string{"lost"}, y.gone(), "sooner than the next look anyway")
		assert.Zero(t, y.left())
	})
}

// What a full dead-letter queue costs does not grow with what is in it.
func TestAFullQueueIsLookedThroughSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		for i := range 12_000 {
			y.letter(fmt.Sprint(i), "a reason")
		}
		y.keeper()
		for i := range 90 {
			time.Sleep(10 * time.Second)
			y.letter(fmt.Sprint("new ", i), "a reason")
		}
		assert.Less(t, y.dead.Calls().Receive.Calls, 900*20, "requests in 15 minutes")
		assert.Less(t, y.dead.Calls().Receive.Entries, 900*200, "messages received in 15 minutes")
	})
}

// eater is a queue that has moved the message of a node to the dead-letter queue
// before it was ever done.
type eater struct {
	queue.Queue
	dead queue.Queue
	id   string
}

func (q *eater) Send(ctx context.Context, entries []queue.Entry) (errs []error) {
	for _, e := range entries {
		to := q.Queue
		if m, err := schema.Parse(e.Body); err == nil && m.ID == q.id {
			to = q.dead
		}
		errs = append(errs, to.Send(ctx, []queue.Entry{e})...)
	}
	return errs
}

// A node whose message the queue moved away, since each task that took it died, is
// given up: its run ends, and a letter with the reason is there for people.
func TestANodeThatTheQueueGaveUpEndsItsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		y.run("run", "out")
		w, err := task.New(task.Config{
			ID: "task", Queue: &eater{y.main, y.dead, "child 3"}, Dead: y.dead, Ledger: y.ledger, Board: y.ledger,
			Processors: processor.Set{"k": process(func(_ context.Context, n *processor.Node, out processor.Out) error {
				if n.Depth > 0 {
					return nil
				}
				for i := range 5 {
					_ = out.Child(processor.Child{ID: fmt.Sprint("child ", i)})
				}
				return nil
			})},
			Sink: func(context.Context, ledger.Run) (sink.Sink, error) { return sink.Discard{}, nil },
		})
		require.NoError(t, err)
		_, err = sweep.Run(t.Context(), y.ledger, y.poster(), "run")
		require.NoError(t, err)
		w.Start(t.Context())
		defer w.Stop(t.Context())
		time.Sleep(time.Minute)
		require.False(t, y.over("run"))
		require.EqualValues(t, 1, y.left())
		y.keeper(func(o *sweep.Options) { o.Lost, o.Reason = w.Lost, task.AttrReason })
		time.Sleep(2 * time.Minute)

		r, err := y.ledger.Run(t.Context(), "run")
		require.NoError(t, err)
		assert.Equal(t, ledger.Failed, r.State)
		assert.Equal(t, schema.Account{Nodes: 5, Failures: 1}, r.Totals)
		assert.Equal(t, []string{"run/0"}, y.made())
		got, err := y.dead.Receive(t.Context(), queue.Request{Max: 10, Visibility: time.Hour})
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.NotEmpty(t, got[0].Attrs[task.AttrReason])
	})
}
