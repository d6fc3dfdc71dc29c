package task_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/task"
)

// A failure may ask for more time than the backoff gives, and not for more than the
// queue can.
func TestARetryWaitsAsLongAsIsWanted(t *testing.T) {
	for wanted, least := range map[time.Duration]time.Duration{
		0: 0, time.Minute: time.Minute, time.Millisecond: time.Second / 2, 100 * time.Hour: 15 * time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Time
			_, r := one(t, func(context.Context, *processor.Node, processor.Out) error {
				at = append(at, time.Now())
				return fmt.Errorf("ask: %w", processor.Later(errors.New("busy"), wanted))
			}, ledger.Options{Retries: 1}, func(c *task.Config) { c.Backoff = time.Second })
			assert.Equal(t, ledger.Failed, r.State)
			require.Len(t, at, 2)
			assert.GreaterOrEqual(t, at[1].Sub(at[0]), least)
			assert.LessOrEqual(t, at[1].Sub(at[0]), max(least, time.Second)+2*time.Second)
		})
	}
}

type apart struct{ process }

func (apart) Apart() {}

// The nodes of a processor that wants them apart are posted, each in a message of its own.
func TestNodesApartAreNotInlined(t *testing.T) {
	tree := process(func(_ context.Context, n *processor.Node, out processor.Out) error {
		for i := range 3 - n.Depth {
			if err := out.Child(processor.Child{ID: fmt.Sprintf("%s.%d", n.ID, i)}); err != nil {
				return err
			}
		}
		return nil
	})
	const nodes = 1 + 3 + 3*2 + 3*2*1
	for want, p := range map[int64]processor.Processor{1: tree, nodes: apart{tree}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, processor.Set{"k": p})
			w.options.Inline = 1000
			w.seed("k")
			var units int64
			w.task(func(c *task.Config) {
				c.Concurrency = 1
				c.Observe = func(o task.Observation) {
					if o.Nodes > 0 {
						units++
					}
				}
			})
			r := w.wait(0)
			w.stop()
			assert.EqualValues(t, nodes, r.Totals.Nodes)
			assert.Equal(t, want, units)
		})
	}
}
