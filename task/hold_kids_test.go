package task_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/task"
)

// sentCount is a queue that counts what is sent.
type sentCount struct {
	queue.Queue
	sent *atomic.Int64
}

func (q sentCount) Send(ctx context.Context, entries []queue.Entry) []error {
	q.sent.Add(int64(len(entries)))
	return q.Queue.Send(ctx, entries)
}

// Children whose args are too long for one plan are done inline all the same, if
// they are no more than one inlined node may have. More are posted, and none is
// lost; one that fails is a message of its own, and fails alone.
func TestChildrenWithLongArgsAreDoneInline(t *testing.T) {
	for _, c := range []struct {
		kids, inline int
		most         int64 // messages, besides the root's
		bad          int
	}{
		{kids: 200, inline: 1000, most: 0},
		{kids: 256, inline: 1000, most: 0},
		{kids: 257, inline: 1000, most: 300}, // groups, too
		{kids: 200, inline: 0, most: 230},
		{kids: 200, inline: 1, most: 230},
		{kids: 200, inline: 50, most: 180},
		{kids: 200, inline: 1000, most: 1 + 2, bad: 1}, // its retries
	} {
		t.Run(fmt.Sprintf("%d/inline=%d/bad=%d", c.kids, c.inline, c.bad), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent atomic.Int64
				w := newWorld(t, 1, processor.Set{"k": process(func(_ context.Context, n *processor.Node, out processor.Out) error {
					out.Count(1, 1)
					if n.Depth > 0 {
						if n.ID == "7" && c.bad > 0 {
							return errors.New("broken")
						}
						return nil
					}
					for i := range c.kids {
						if err := out.Child(processor.Child{ID: fmt.Sprint(i), Args: []byte(fmt.Sprintf(`{"n":%d,"x":%q}`, i, strings.Repeat("x", 300)))}); err != nil {
							return err
						}
					}
					return nil
				})})
				w.options = ledger.Options{Inline: c.inline, Retries: 2}
				w.seed("k")
				w.task(func(cfg *task.Config) {
					cfg.Queue, cfg.ShareAfter = sentCount{w.main, &sent}, time.Hour
				})
				r := w.wait(0)
				w.stop()
				assert.Equal(t, int64(1+c.kids-c.bad), r.Totals.Nodes)
				assert.Equal(t, int64(c.bad), r.Totals.Failures)
				assert.Equal(t, int64(1+c.kids-c.bad), r.Totals.Objects)
				assert.LessOrEqual(t, sent.Load(), c.most, "messages")
			})
		})
	}
}

// A unit that inlines nodes which borrowed slots shares its work once they are back
// and idle.
func TestWhatWasBorrowedIsSharedAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, r := one(t, func(_ context.Context, n *processor.Node, out processor.Out) error {
			if slot, ok := out.Borrow(); ok {
				slot.Return()
			}
			if n.Depth > 0 {
				time.Sleep(100 * time.Millisecond)
				return nil
			}
			for i := range 40 {
				if err := out.Child(processor.Child{ID: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return nil
		}, ledger.Options{Inline: 1000}, func(c *task.Config) { c.Checkpoint = time.Hour })
		assert.Equal(t, int64(41), r.Totals.Nodes)
		assert.Less(t, r.Finished.Sub(began), 2*time.Second, "four slots, forty children of 100 ms")
	})
}
