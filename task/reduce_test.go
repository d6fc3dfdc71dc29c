package task_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/task"
)

// ailing is a forest of nodes that reduce, some of which do not before an epoch.
type ailing struct {
	forest
	heals map[string]int // epoch from which on a node reduces

	mu        sync.Mutex
	processed map[string]int
	reduced   map[string]schema.Account
	calls     int // of Reduce
}

func (s *ailing) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	s.mu.Lock()
	s.processed[n.ID]++
	s.mu.Unlock()
	return s.forest.Process(ctx, n, out)
}

func (s *ailing) Reduce(_ context.Context, n *processor.Node, sum schema.Account, out processor.Out) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if n.Epoch < s.heals[n.ID] {
		// What a reduce that fails has written and counted must not count.
		out.Count(1000, 1000)
		if err := out.Write(sink.Rows, []byte("never\n"), 1); err != nil {
			return err
		}
		return processor.Permanent(errors.New("the other side of the join is missing"))
	}
	s.reduced[n.ID] = sum
	return out.Write(sink.Rows, nil, 0)
}

// A reduce that fails is given up as a node is: what is above it does not reduce. A
// redrive repeats it, and then what is above, and processes nothing again.
func TestAReduceThatFailedIsRedriven(t *testing.T) {
	for n := range uint64(10) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := forest{depth: 4, fanout: 4, seed: 100 * n}.grown(30)
				s := &ailing{forest: *f, processed: map[string]int{}, reduced: map[string]schema.Account{}, heals: map[string]int{"0.0": 1, "0": 2}}
				// One that has children: a leaf reduces within its attempt.
				for f.kids("0.0") == 0 {
					f.seed++
					s.forest = *f
				}
				w := newWorld(t, n, processor.Set{"tree": s})
				w.options.Retries = 2
				w.seed("tree")
				p := 0.0
				if n > 4 {
					p = 0.02
				}
				w.unkind(p)
				for range 2 {
					w.task(func(c *task.Config) { c.Concurrency = 2 })
				}
				sum, _, _ := f.truth()
				want := sum
				want.Reduces, want.Failures = sum.Nodes-2, 1 // but for the one and the root above it
				r := w.wait(0)
				assert.Equal(t, ledger.Failed, r.State)
				assert.Equal(t, want, r.Totals)
				lost := w.lost(r)
				require.Len(t, lost, 1)
				assert.Contains(t, lost["0.0"], "the other side of the join is missing")
				assert.NotContains(t, s.reduced, "0", "what is above a reduce that failed does not reduce")

				before, processed := s.calls, len(s.processed)
				for id := range s.processed {
					s.processed[id] = 0
				}
				w.redrive(p)
				r = w.wait(1)
				want.Reduces = sum.Nodes - 1 // now it is the root's that fails
				assert.Equal(t, ledger.Failed, r.State)
				assert.Equal(t, want, r.Totals)
				assert.Contains(t, w.lost(r), "0")

				w.redrive(p)
				r = w.wait(2)
				w.stop()
				want.Reduces, want.Failures = sum.Nodes, 0
				assert.Equal(t, ledger.Finished, r.State)
				assert.Equal(t, want, r.Totals)
				below := sum
				below.Reduces = sum.Nodes - 1
				assert.Equal(t, below, s.reduced["0"], "the account that the root reduces with")
				assert.Len(t, s.processed, processed)
				for id, n := range s.processed {
					assert.Zero(t, n, "node %s was processed again", id)
				}
				if n <= 4 {
					assert.Equal(t, before+3, s.calls, "reduces: of the node, of the root, and of the root again")
				}
				w.audit(f, r)
			})
		})
	}
}

// lost is the reasons of the nodes that were given up.
func (w *world) lost(r ledger.Run) map[string]string {
	w.t.Helper()
	why := map[string]string{}
	for range 1000 {
		clear(why)
		var failed error
		for f, err := range ledger.Failures(context.Background(), w.ledger, r) {
			if err != nil {
				failed = err
				break
			}
			why[f.ID] = f.Reason
		}
		if failed == nil {
			return why
		}
	}
	w.t.Fatal("the ledger never answered")
	return nil
}

// redrive begins a new epoch; it is the tasks that are to cope with faults.
func (w *world) redrive(p float64) {
	w.t.Helper()
	w.unkind(0)
	_, err := seed.Redrive(context.Background(), w.ledger, w.poster(), "run")
	require.NoError(w.t, err)
	w.unkind(p)
}
