package task_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/task"
)

// narrow is a queue that takes smaller messages than most do, as SQS queues of
// before 2025.
type narrow struct{ queue.Queue }

const narrowBody = 256 << 10

func (q narrow) Limits() queue.Limits {
	l := q.Queue.Limits()
	l.Body = narrowBody
	return l
}

func (q narrow) Send(ctx context.Context, entries []queue.Entry) []error {
	for _, e := range entries {
		if e.Size() > narrowBody {
			errs := make([]error, len(entries))
			for i := range errs {
				errs[i] = fmt.Errorf("send: %w", queue.ErrTooLarge)
			}
			return errs
		}
	}
	return q.Queue.Send(ctx, entries)
}

// A child that the queue can never take is its parent's failure. Planned first, it
// would be posted in vain for ever.
func TestAChildTooLargeForTheQueueFailsItsParent(t *testing.T) {
	for _, id := range []string{"x", strings.Repeat("\x01", 4096)} {
		for size := narrowBody - 40<<10; size <= narrowBody; size += 1 << 10 {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, processor.Set{"k": process(func(_ context.Context, n *processor.Node, out processor.Out) error {
					if n.Depth > 0 {
						return nil
					}
					return out.Child(processor.Child{ID: id, Args: []byte(`{"a":"` + strings.Repeat("x", size-8) + `"}`)})
				})})
				w.options.Retries = 0
				w.seed("k")
				w.task(func(c *task.Config) { c.Queue = narrow{w.main} })
				time.Sleep(time.Minute)
				r := w.record()
				require.True(t, r.State.Over(), "the run ends with a child of %d bytes", size)
				if r.State == ledger.Failed {
					letters := drained(t, w.dead)
					require.Len(t, letters, 1)
					assert.Contains(t, letters[0].Attrs[task.AttrReason], "args")
				}
				if size+6*len(id) < narrowBody-8<<10 {
					assert.Equal(t, ledger.Finished, r.State, "with %d bytes", size)
				}
			})
		}
	}
}
