package task_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	"github.com/ramify/ramify/task"
)

// process is a processor made of a function.
type process func(context.Context, *processor.Node, processor.Out) error

func (p process) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	return p(ctx, n, out)
}

// one runs a tree of processors to its end on one task.
func one(t *testing.T, p process, options ledger.Options, change ...func(*task.Config)) (*world, ledger.Run) {
	t.Helper()
	w := newWorld(t, 1, processor.Set{"k": p})
	w.options = options
	w.seed("k")
	w.task(change...)
	r := w.wait(0)
	w.stop()
	return w, r
}

func TestALongNodeIsHeldToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		_, r := one(t, func(ctx context.Context, _ *processor.Node, _ processor.Out) error {
			calls.Add(1)
			select {
			case <-time.After(3 * time.Hour):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}, ledger.Options{}, func(c *task.Config) { c.Visibility = 30 * time.Second })
		assert.Equal(t, ledger.Finished, r.State)
		assert.EqualValues(t, 1, calls.Load(), "attempts")
	})
}

func TestALostLeaseEndsTheUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost atomic.Int64
		w := newWorld(t, 1, processor.Set{"k": process(func(ctx context.Context, _ *processor.Node, _ processor.Out) error {
			select {
			case <-time.After(5 * time.Minute):
				return nil
			case <-ctx.Done():
				if errors.Is(context.Cause(ctx), task.ErrLeaseLost) {
					lost.Add(1)
				}
				return ctx.Err()
			}
		})})
		w.options.Retries = 0 // a lost lease uses up no retry
		w.seed("k")
		w.main.Set(queuehostile.Faults{Deny: 1})
		w.task()
		time.Sleep(10 * time.Minute)
		assert.Positive(t, lost.Load())
		w.main.Set(queuehostile.Faults{})
		assert.Equal(t, ledger.Finished, w.wait(0).State)
	})
}

func TestFailuresAreRetriedWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		w, r := one(t, func(context.Context, *processor.Node, processor.Out) error {
			at = append(at, time.Now())
			return errors.New("no luck")
		}, ledger.Options{Retries: 4}, func(c *task.Config) { c.Backoff = time.Second })
		assert.Equal(t, ledger.Failed, r.State)
		require.Len(t, at, 5, "attempts: the first and four retries")
		for i := 1; i < len(at); i++ {
			pause, full := at[i].Sub(at[i-1]), time.Second<<(i-1)
			assert.GreaterOrEqual(t, pause, full/2, "pause %d", i)
			assert.LessOrEqual(t, pause, full+time.Second, "pause %d", i)
		}
		for f, err := range ledger.Failures(t.Context(), w.ledger, r) {
			require.NoError(t, err)
			assert.Equal(t, "no luck", f.Reason)
		}
	})
}

func TestWhatNoRetryMendsIsGivenUpAtOnce(t *testing.T) {
	for name, p := range map[string]process{
		"permanent": func(context.Context, *processor.Node, processor.Out) error {
			return processor.Permanent(errors.New("it never works"))
		},
		"bad child": func(_ context.Context, _ *processor.Node, out processor.Out) error {
			return out.Child(processor.Child{ID: "x", Args: []byte("{oops}")})
		},
		"too deep": func(_ context.Context, n *processor.Node, out processor.Out) error {
			return out.Child(processor.Child{ID: n.ID}) // for ever
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, r := one(t, p, ledger.Options{Retries: 5, Inline: 500})
				assert.Equal(t, ledger.Failed, r.State)
				assert.EqualValues(t, 1, r.Totals.Failures)
			})
		})
	}
}

func TestAnUnknownKindFailsItsNodeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := one(t, func(_ context.Context, n *processor.Node, out processor.Out) error {
			if n.Depth > 0 {
				return nil
			}
			return errors.Join(out.Child(processor.Child{ID: "fine"}), out.Child(processor.Child{ID: "odd", Kind: "odd"}))
		}, ledger.Options{Retries: 5})
		assert.EqualValues(t, 2, r.Totals.Nodes)
		for f, err := range ledger.Failures(t.Context(), w.ledger, r) {
			require.NoError(t, err)
			assert.Contains(t, f.Reason, `kind "odd"`)
		}
	})
}

func TestAPanicFailsItsNodeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r := one(t, func(_ context.Context, n *processor.Node, out processor.Out) error {
			if n.ID == "0.1" {
				panic("at the disco")
			}
			for i := range 3 {
				if n.Depth == 0 {
					if err := out.Child(processor.Child{ID: fmt.Sprintf("0.%d", i)}); err != nil {
						return err
					}
				}
			}
			return nil
		}, ledger.Options{Inline: 10})
		assert.Equal(t, ledger.Failed, r.State)
		assert.EqualValues(t, 3, r.Totals.Nodes)
		assert.EqualValues(t, 1, r.Totals.Failures)
	})
}

func TestConcurrencyIsKeptAndCanChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		w := newWorld(t, 1, processor.Set{"k": process(func(_ context.Context, n *processor.Node, out processor.Out) error {
			if n.Depth == 0 {
				for i := range 200 {
					if err := out.Child(processor.Child{ID: fmt.Sprint(i)}); err != nil {
						return err
					}
				}
				return nil
			}
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(10 * time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		})})
		w.seed("k")
		engine := w.task(func(c *task.Config) { c.Concurrency = 5 })
		time.Sleep(time.Minute)
		mu.Lock()
		assert.Equal(t, 5, most)
		mu.Unlock()
		engine.SetConcurrency(20)
		time.Sleep(time.Minute)
		mu.Lock()
		assert.Equal(t, 20, most)
		mu.Unlock()
		engine.SetConcurrency(1)
		time.Sleep(time.Minute) // what was begun ends
		mu.Lock()
		most = 0
		mu.Unlock()
		time.Sleep(time.Minute) // not now: one may just have ended
		mu.Lock()
		assert.Equal(t, 1, most)
		mu.Unlock()
		w.wait(0)
	})
}

// A unit with much to do inline shares it as soon as another task is idle.
func TestIdleSlotsAreGivenWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := forest{depth: 6, fanout: 6}.grown(300)
		w := newWorld(t, 1, processor.Set{"k": process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
			time.Sleep(10 * time.Millisecond)
			return f.Process(ctx, n, out)
		})})
		w.options.Inline = 1_000_000
		w.seed("k")
		began := time.Now()
		w.task(func(c *task.Config) { c.Concurrency = 16; c.Checkpoint = time.Hour })
		for !w.record().State.Over() {
			time.Sleep(100 * time.Millisecond)
		}
		took := time.Since(began)
		w.stop()
		sum, _, _ := f.truth()
		alone := time.Duration(sum.Nodes) * 10 * time.Millisecond
		assert.Less(t, took, alone/4, "%d nodes on 16 slots", sum.Nodes)
		w.audit(f, w.record())
	})
}

func TestBorrowedSlotsAreGivenBackToUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var borrowed, wanted atomic.Int64
		_, r := one(t, func(ctx context.Context, n *processor.Node, out processor.Out) error {
			switch {
			case n.Depth == 0:
				return errors.Join(out.Child(processor.Child{ID: "long"}), out.Child(processor.Child{ID: "late"}))
			case n.ID == "late":
				return nil
			}
			var slots []processor.Slot
			for {
				s, ok := out.Borrow()
				if !ok {
					break
				}
				slots = append(slots, s)
			}
			borrowed.Store(int64(len(slots)))
			for i := range 600 {
				time.Sleep(100 * time.Millisecond)
				if len(slots) > 0 && slots[0].Wanted() {
					wanted.Add(1)
					slots[0].Return()
					slots = slots[1:]
				}
				if i == 300 && !strings.Contains(n.ID, "child") {
					if err := out.Child(processor.Child{ID: "child", Kind: "k"}); err != nil {
						return err
					}
				}
			}
			for _, s := range slots {
				s.Return()
			}
			return ctx.Err()
		}, ledger.Options{}, func(c *task.Config) { c.Concurrency = 4 })
		assert.Equal(t, ledger.Finished, r.State)
		assert.Positive(t, borrowed.Load())
		assert.Less(t, borrowed.Load(), int64(4), "a unit keeps its own")
	})
}

// sick is a queue whose medium fails for some calls from some moment on.
type sick struct {
	*queuehostile.Queue
	send, receive atomic.Bool
}

var errSick = errors.New("the disk is gone")

func (q *sick) Send(ctx context.Context, entries []queue.Entry) []error {
	if !q.send.Load() {
		return q.Queue.Send(ctx, entries)
	}
	errs := make([]error, len(entries))
	for i := range errs {
		errs[i] = errSick
	}
	return errs
}

func (q *sick) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	if q.receive.Load() {
		return nil, errSick
	}
	return q.Queue.Receive(ctx, r)
}

// Whoever runs the task decides what waiting does not mend; so it must hear of a
// queue that takes or gives nothing any more, though each call is repeated.
func TestTroubleIsToldOfTheQueue(t *testing.T) {
	for _, what := range []string{"send", "receive"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told atomic.Int64
				w := newWorld(t, 1, processor.Set{"k": &forest{depth: 2, fanout: 3, chain: true}})
				w.seed("k")
				q := &sick{Queue: w.main}
				q.send.Store(what == "send")
				q.receive.Store(what == "receive")
				w.task(func(c *task.Config) {
					c.Queue = q
					c.Trouble = func(err error) {
						if errors.Is(err, errSick) {
							told.Add(1)
						}
					}
				})
				time.Sleep(time.Minute)
				assert.Positive(t, told.Load())
				q.send.Store(false)
				q.receive.Store(false)
				assert.Equal(t, ledger.Finished, w.wait(0).State)
			})
		})
	}
}

// More slots are of use at once, not when a unit that may take hours has ended.
func TestMoreConcurrencyWhileAllSlotsAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		w := newWorld(t, 1, processor.Set{"k": process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
			if n.Depth == 0 {
				return errors.Join(out.Child(processor.Child{ID: "a"}), out.Child(processor.Child{ID: "b"}), out.Child(processor.Child{ID: "c"}))
			}
			now.Add(1)
			select {
			case <-time.After(time.Hour):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})})
		w.seed("k")
		engine := w.task(func(c *task.Config) { c.Concurrency = 1 })
		time.Sleep(time.Minute)
		assert.EqualValues(t, 1, now.Load())
		engine.SetConcurrency(3)
		time.Sleep(time.Minute)
		assert.EqualValues(t, 3, now.Load())
	})
}

// forgetful is a sink that cannot open an attempt's results at first.
type forgetful struct {
	*memory
	pid      schema.PID
	refusals atomic.Int64 // left
}

func (f *forgetful) Open(ctx context.Context, a sink.Attempt) (sink.Part, error) {
	if a.PID == f.pid && f.refusals.Add(-1) >= 0 {
		return nil, errors.New("the disk is busy")
	}
	return f.memory.Open(ctx, a)
}

// careless is a processor that reads no error of what it writes, or, frank,
// reports one without wrapping it.
type careless struct{ frank bool }

func (c careless) Process(_ context.Context, _ *processor.Node, out processor.Out) error {
	return c.write(out, "node\n")
}

func (c careless) write(out processor.Out, row string) error {
	if err := out.Write(sink.Rows, []byte(row), 1); err != nil && c.frank {
		return processor.Permanent(fmt.Errorf("no luck: %v", err)) //nolint:errorlint // it is careless: that is what is tested
	}
	return nil
}

type carelessReducer struct{ careless }

func (c carelessReducer) Process(_ context.Context, n *processor.Node, out processor.Out) error {
	if n.Depth > 0 {
		return nil
	}
	return out.Child(processor.Child{ID: "child", Kind: "child"})
}

func (c carelessReducer) Reduce(_ context.Context, _ *processor.Node, _ schema.Account, out processor.Out) error {
	return c.write(out, "reduce\n")
}

// Where results are not taken the attempt does not count, and the node is not to
// blame, whatever its processor makes of the error.
func TestResultsThatAreNotTaken(t *testing.T) {
	for _, frank := range []bool{false, true} {
		for what, p := range map[string]processor.Processor{
			"node":   careless{frank},
			"reduce": carelessReducer{careless{frank}},
		} {
			t.Run(fmt.Sprintf("%s/frank=%v", what, frank), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1, processor.Set{"k": p, "child": process(func(context.Context, *processor.Node, processor.Out) error { return nil })})
					w.options.Retries = 0
					s := &forgetful{memory: w.sink, pid: schema.PIDOf("run", schema.Place{})}
					if what == "reduce" {
						s.pid = schema.ReducePID(s.pid)
					}
					s.refusals.Store(1)
					w.seed("k")
					w.task(func(c *task.Config) {
						c.Sink = func(context.Context, ledger.Run) (sink.Sink, error) { return s, nil }
					})
					r := w.wait(0)
					w.stop()
					assert.Equal(t, ledger.Finished, r.State)
					rows := 0
					for u, err := range ledger.Units(t.Context(), w.ledger, r) {
						require.NoError(t, err)
						rows += len(w.sink.rows(u.PID, u.Attempt, u.Leaf))
					}
					assert.Equal(t, 1, rows)
				})
			})
		}
	}
}

// silent is a queue that stops to answer deletes and extensions.
type silent struct {
	*queuehostile.Queue
	now atomic.Bool
}

func (q *silent) Delete(ctx context.Context, receipts []queue.Receipt) []error {
	if !q.now.Load() {
		return q.Queue.Delete(ctx, receipts)
	}
	<-ctx.Done()
	return slices.Repeat([]error{ctx.Err()}, len(receipts))
}

func (q *silent) Extend(ctx context.Context, leases []queue.Lease) []error {
	if !q.now.Load() {
		return q.Queue.Extend(ctx, leases)
	}
	<-ctx.Done()
	return slices.Repeat([]error{ctx.Err()}, len(leases))
}

// A task that is told to stop has seconds, however much it holds and however
// little the queue answers: after that it is killed.
func TestStopWhileTheQueueIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil)
		q := &silent{Queue: w.main}
		var done atomic.Int64
		w.set = processor.Set{"k": process(func(ctx context.Context, n *processor.Node, out processor.Out) error {
			if n.Depth == 0 {
				for i := range 256 {
					if err := out.Child(processor.Child{ID: fmt.Sprint(i)}); err != nil {
						return err
					}
				}
				return nil
			}
			if done.Add(1) <= 60 {
				q.now.Store(done.Load() > 20) // some deletes wait for an answer
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})}
		w.seed("k")
		engine := w.task(func(c *task.Config) { c.Queue, c.Concurrency, c.Grace = q, 50, 10*time.Second })
		time.Sleep(10 * time.Second)
		began := time.Now()
		engine.Stop(t.Context())
		assert.Less(t, time.Since(began), 36*time.Second)
	})
}

// What is as large as a message can be has no room for a reason. It must leave
// the queue all the same, and not be received for ever.
func TestTheLargestMessageThatCannotBeReadIsRejectedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, processor.Set{"k": process(func(context.Context, *processor.Node, processor.Out) error { return nil })})
		body := bytes.Repeat([]byte("x"), w.main.Limits().Body)
		require.NoError(t, w.main.Send(t.Context(), []queue.Entry{{Body: body}})[0])
		w.task()
		time.Sleep(time.Minute)
		w.stop()
		depth, err := w.main.Depth(t.Context())
		require.NoError(t, err)
		assert.Zero(t, depth.Total())
		got, err := w.dead.Receive(t.Context(), queue.Request{Max: 10, Visibility: time.Minute})
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.NotEmpty(t, got[0].Attrs[task.AttrReason])
		assert.Contains(t, got[0].Attrs[task.AttrCut], "of 1048576 bytes")
		assert.True(t, bytes.HasPrefix(body, got[0].Body))
	})
}
