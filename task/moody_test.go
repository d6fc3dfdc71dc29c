package task_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	ledgerhostile "github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/processor"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sweep"
)

// moody is a tree that changes while it is walked: each attempt on a node finds
// other children and other rows, or fails. What must hold is that one attempt
// counts, wholly.
type moody struct {
	mu     sync.Mutex
	dice   *rand.Rand
	depth  int
	fanout int
	fail   float64
	silent float64 // attempts that write nothing
	lame   float64 // attempts that take longer than a lease
	calls  int
}

func (m *moody) roll() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dice.Float64()
}

func (m *moody) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	m.mu.Lock()
	m.calls++
	call := m.calls
	m.mu.Unlock()
	if m.roll() >= m.silent {
		for i := range 1 + int(m.roll()*3) {
			if err := out.Write(sink.Rows, []byte(fmt.Sprintf("%s %d %d\n", n.ID, call, i)), 1); err != nil {
				return err
			}
			out.Count(1, 0)
		}
	}
	if m.roll() < m.lame {
		select {
		case <-time.After(time.Duration(m.roll() * float64(90*time.Second))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if strings.Count(n.ID, ".") < m.depth && m.roll() < 0.8 {
		for i := range int(m.roll() * float64(m.fanout+1)) {
			if err := out.Child(processor.Child{ID: n.ID + "." + strconv.Itoa(i)}); err != nil {
				return err
			}
		}
	}
	if m.roll() < m.fail {
		return errors.New("in a bad mood")
	}
	return nil
}

// moodyReducer reduces as it processes.
type moodyReducer struct{ *moody }

func (m moodyReducer) Reduce(_ context.Context, n *processor.Node, _ schema.Account, out processor.Out) error {
	m.mu.Lock()
	m.calls++
	call := m.calls
	m.mu.Unlock()
	if m.roll() >= m.silent {
		if err := out.Write(sink.Rows, fmt.Appendf(nil, "reduce-%s %d 0\n", n.ID, call), 1); err != nil {
			return err
		}
		out.Count(1, 0)
	}
	if m.roll() < m.fail {
		return errors.New("in a bad mood")
	}
	return nil
}

func (w *world) auditMoody(r ledger.Run, silent bool) {
	w.t.Helper()
	w.main.Set(queuehostile.Faults{})
	w.ledger.Set(ledgerhostile.Faults{})
	rows, attempts := int64(0), map[string]string{}
	seen := map[string]bool{}
	for u, err := range ledger.Units(context.Background(), w.ledger, r) {
		require.NoError(w.t, err)
		for _, row := range w.sink.rows(u.PID, u.Attempt, u.Leaf) {
			f := strings.Fields(row)
			assert.False(w.t, seen[row], "row twice: %s", row)
			seen[row] = true
			if a, ok := attempts[f[0]]; ok {
				assert.Equal(w.t, a, f[1], "two attempts on %s count", f[0])
			}
			attempts[f[0]] = f[1]
			rows++
		}
	}
	assert.Equal(w.t, rows, r.Totals.Objects, "rows and objects")
	if !silent {
		assert.EqualValues(w.t, len(attempts), r.Totals.Nodes, "nodes")
	}
	for p := range attempts {
		if i := strings.LastIndexByte(p, '.'); i > 0 && !silent {
			assert.Contains(w.t, attempts, p[:i], "parent of %s", p)
		}
	}
	failed := int64(0)
	for _, err := range ledger.Failures(context.Background(), w.ledger, r) {
		require.NoError(w.t, err)
		failed++
	}
	assert.Equal(w.t, failed, r.Totals.Failures, "failures")
}

// Tasks die at any moment, queue and ledger misbehave, the tree changes under
// the walk, and what failed is redriven: what counts is one attempt of each node,
// in the totals as in the rows.
func TestATreeThatChangesIsCountedAsItsRowsSay(t *testing.T) {
	for _, c := range []struct {
		inline  int
		silent  float64
		p       float64
		retries int
		reduce  bool
	}{
		{0, 0, 0.05, 2, false},
		{15, 0, 0.05, 2, false},
		{0, 0.5, 0.05, 3, false},
		{15, 0.5, 0.05, 3, false},
		{0, 0, 0.15, 1, false},
		{15, 0, 0.15, 1, false},
		{0, 0.5, 0.05, 2, true},
		{15, 0.5, 0.1, 1, true},
	} {
		for n := range uint64(12) {
			t.Run(fmt.Sprintf("inline=%d/silent=%v/p=%v/reduce=%v/%d", c.inline, c.silent, c.p, c.reduce, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := &moody{dice: rand.New(rand.NewPCG(n, 7)), depth: 4, fanout: 5, fail: 0.15, silent: c.silent, lame: 0.1}
					var p processor.Processor = m
					if c.reduce {
						p = moodyReducer{m}
					}
					w := newWorld(t, n, processor.Set{"tree": p})
					w.options.Inline, w.options.Retries = c.inline, c.retries
					w.seed("tree")
					w.unkind(c.p)
					for epoch := 0; ; epoch++ {
						for i := range 400 {
							for len(w.tasks) < 3 {
								w.task()
							}
							time.Sleep(time.Duration(m.roll() * float64(2*time.Minute)))
							if i%3 == 0 { // like a crash: what it was doing ends at once
								victim := w.tasks[0]
								w.tasks = w.tasks[1:]
								dead, cancel := context.WithCancel(context.Background())
								cancel()
								victim.Stop(dead)
							}
							if i%20 == 19 {
								_, _ = sweep.Run(t.Context(), w.ledger, w.poster(), "run")
							}
							if w.record().State.Over() && w.record().Epoch == epoch {
								break
							}
						}
						r := w.record()
						require.True(t, r.State.Over(), "over: %+v", r)
						w.auditMoody(r, c.silent > 0)
						if r.State != ledger.Failed || epoch == 3 {
							break
						}
						_, err := seed.Redrive(t.Context(), w.ledger, w.poster(), "run")
						require.NoError(t, err)
						w.unkind(c.p)
					}
					w.stop()
				})
			})
		}
	}
}
