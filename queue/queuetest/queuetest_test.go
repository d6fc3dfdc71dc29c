package queuetest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/queue/queuetest"
)

// mutant is a kind queue with one thing wrong.
type mutant struct {
	*hostile.Queue
	send    func(context.Context, []queue.Entry) []error
	receive func(context.Context, queue.Request) ([]queue.Delivery, error)
	remove  func(context.Context, []queue.Receipt) []error
	extend  func(context.Context, []queue.Lease) []error
	depth   func(context.Context) (queue.Depth, error)
	close   func() error
}

func (m *mutant) Send(ctx context.Context, e []queue.Entry) []error { return m.send(ctx, e) }
func (m *mutant) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	return m.receive(ctx, r)
}
func (m *mutant) Delete(ctx context.Context, r []queue.Receipt) []error { return m.remove(ctx, r) }
func (m *mutant) Extend(ctx context.Context, l []queue.Lease) []error   { return m.extend(ctx, l) }
func (m *mutant) Depth(ctx context.Context) (queue.Depth, error)        { return m.depth(ctx) }
func (m *mutant) Close() error                                          { return m.close() }

func newMutant() *mutant {
	q := hostile.New(1, hostile.Faults{})
	return &mutant{q, q.Send, q.Receive, q.Delete, q.Extend, q.Depth, q.Close}
}

// delivered changes every delivery.
func (m *mutant) delivered(change func(*queue.Delivery)) {
	m.receive = func(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
		got, err := m.Queue.Receive(ctx, r)
		for i := range got {
			change(&got[i])
		}
		return got, err
	}
}

// answered changes every answer to a delete.
func (m *mutant) answered(change func(error) error) {
	m.remove = func(ctx context.Context, r []queue.Receipt) []error {
		errs := m.Queue.Delete(ctx, r)
		for i := range errs {
			errs[i] = change(errs[i])
		}
		return errs
	}
}

// sent changes every entry on a copy.
func (m *mutant) sent(change func(*queue.Entry)) {
	m.send = func(ctx context.Context, entries []queue.Entry) []error {
		entries = slices.Clone(entries)
		for i := range entries {
			change(&entries[i])
		}
		return m.Queue.Send(ctx, entries)
	}
}

// asked changes every request.
func (m *mutant) asked(change func(*queue.Request)) {
	m.receive = func(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
		change(&r)
		return m.Queue.Receive(ctx, r)
	}
}

// leased changes every lease on a copy.
func (m *mutant) leased(change func(*queue.Lease)) {
	m.extend = func(ctx context.Context, leases []queue.Lease) []error {
		leases = slices.Clone(leases)
		for i := range leases {
			change(&leases[i])
		}
		return m.Queue.Extend(ctx, leases)
	}
}

var mutants = map[string]struct {
	caught string // the sentence that it breaks
	breaks func(*mutant)
}{
	"drops attributes":    {"Send posts a message that arrives byte for byte", func(m *mutant) { m.sent(func(e *queue.Entry) { e.Attrs = nil }) }},
	"trims bodies":        {"Send posts a message that arrives byte for byte", func(m *mutant) { m.sent(func(e *queue.Entry) { e.Body = bytes.TrimSpace(e.Body) }) }},
	"ignores delays":      {"Send hides a message for its delay, and only that one", func(m *mutant) { m.sent(func(e *queue.Entry) { e.Delay = 0 }) }},
	"delays everything":   {"Receive wakes up when a message is sent", func(m *mutant) { m.sent(func(e *queue.Entry) { e.Delay = 15 * time.Minute }) }},
	"takes what is large": {"Send answers ErrTooLarge for one byte more, and posts the others", takesLarge},
	"refuses the whole batch": {"Send answers ErrTooLarge for one byte more, and posts the others", func(m *mutant) {
		m.send = func(ctx context.Context, entries []queue.Entry) []error {
			errs := m.Queue.Send(ctx, entries)
			if err := errors.Join(errs...); err != nil {
				return slices.Repeat([]error{queue.ErrTooLarge}, len(errs))
			}
			return errs
		}
	}},
	"has no word for what is invalid": {"Send answers ErrInvalid for what can never be posted, and posts the others", func(m *mutant) {
		send := m.send
		m.send = func(ctx context.Context, entries []queue.Entry) []error {
			errs := send(ctx, entries)
			for i := range errs {
				if errors.Is(errs[i], queue.ErrInvalid) {
					errs[i] = errors.New("refused")
				}
			}
			return errs
		}
	}},
	"counts no attributes": {"Send answers ErrTooLarge for one byte more, and posts the others", func(m *mutant) {
		m.sent(func(e *queue.Entry) {
			if len(e.Body) == m.Limits().Body {
				e.Attrs = nil
			}
		})
	}},
	"answers in another order": {"Send answers per entry, in order, for more entries than a request carries", func(m *mutant) {
		m.send = func(ctx context.Context, entries []queue.Entry) []error {
			errs := m.Queue.Send(ctx, entries)
			slices.SortStableFunc(errs, func(a, b error) int {
				switch {
				case a == nil && b != nil:
					return -1
				case a != nil && b == nil:
					return 1
				}
				return 0
			})
			return errs
		}
	}},
	"loses a message in fifty": {"Messages that are not deleted are never lost", losesSome},
	"gives one too many":       {"Receive returns at most Max messages", func(m *mutant) { m.asked(func(r *queue.Request) { r.Max++ }) }},
	"polls only at the end":    {"Receive wakes up when a message is sent", pollsAtEnd},
	"does not wait":            {"Receive returns none after Wait", func(m *mutant) { m.asked(func(r *queue.Request) { r.Wait = 0 }) }},
	"waits too long":           {"Receive without Wait returns at once", func(m *mutant) { m.asked(func(r *queue.Request) { r.Wait += time.Hour }) }},
	"halves visibilities":      {"Receive hides a message from others until its lease ends", func(m *mutant) { m.asked(func(r *queue.Request) { r.Visibility /= 2 }) }},
	"never counts":             {"Receive counts how often a message was received", func(m *mutant) { m.delivered(func(d *queue.Delivery) { d.Receives = 1 }) }},
	"has no time":              {"Receive tells when a message was sent", func(m *mutant) { m.delivered(func(d *queue.Delivery) { d.Sent = time.Time{} }) }},
	"reuses receipts":          {"Receive names each delivery by a receipt of its own", func(m *mutant) { m.delivered(func(d *queue.Delivery) { d.Receipt = "1/1" }) }},
	"deletes nothing": {"Delete removes messages for good", func(m *mutant) {
		m.remove = func(_ context.Context, r []queue.Receipt) []error { return make([]error, len(r)) }
	}},
	"deletes one of a batch": {"Delete answers per entry for more entries than a request carries", func(m *mutant) {
		m.remove = func(ctx context.Context, r []queue.Receipt) []error { return m.Queue.Delete(ctx, r[:1]) }
	}},
	"finds deleted messages missing": {"Delete of what is gone succeeds", func(m *mutant) {
		gone := map[queue.Receipt]bool{}
		m.remove = func(ctx context.Context, r []queue.Receipt) []error {
			errs := m.Queue.Delete(ctx, r)
			for i := range r {
				if gone[r[i]] {
					errs[i] = queue.ErrLeaseLost
				}
				gone[r[i]] = true
			}
			return errs
		}
	}},
	"has an error of its own": {"Delete with a replaced receipt deletes or not", func(m *mutant) {
		m.answered(func(err error) error {
			if err != nil {
				err = errors.New("stale")
			}
			return err
		})
	}},
	"extends nothing": {"Extend keeps a message hidden", func(m *mutant) {
		m.extend = func(_ context.Context, l []queue.Lease) []error { return make([]error, len(l)) }
	}},
	"extends by half":    {"Extend counts from now", func(m *mutant) { m.leased(func(l *queue.Lease) { l.Visibility /= 2 }) }},
	"returns no message": {"Extend by zero returns a message at once", func(m *mutant) { m.leased(func(l *queue.Lease) { l.Visibility += time.Hour }) }},
	"extends for anybody": {"Extend answers ErrLeaseLost for a replaced receipt, and leaves the holder alone", func(m *mutant) {
		m.extend = func(ctx context.Context, l []queue.Lease) []error {
			m.Queue.Extend(ctx, l)
			return make([]error, len(l))
		}
	}},
	"is always empty": {"Depth tells visible, in flight and delayed messages", func(m *mutant) {
		m.depth = func(context.Context) (queue.Depth, error) { return queue.Depth{}, nil }
	}},
	"delivers twice": {"Methods may be called from many goroutines", func(m *mutant) {
		m.Set(hostile.Faults{Twin: 0.001})
	}},
	"ignores contexts": {"A context that has ended ends its call", func(m *mutant) {
		m.send = func(ctx context.Context, e []queue.Entry) []error {
			return m.Queue.Send(context.WithoutCancel(ctx), e)
		}
	}},
	"receives without a context": {"A context that ends a receive loses no message", func(m *mutant) {
		m.receive = func(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
			return m.Queue.Receive(context.WithoutCancel(ctx), r)
		}
	}},
	"shares contexts": {"A context that ends bounds its call alone", func(m *mutant) {
		ended := func() error { return nil } // the error of the last context
		m.send = func(ctx context.Context, e []queue.Entry) []error {
			if err := ended(); len(e) == 1 && err != nil {
				return []error{err}
			}
			ended = ctx.Err
			return m.Queue.Send(ctx, e)
		}
	}},
	"waits before it closes": {"Close ends calls in progress", func(m *mutant) {
		m.close = func() error {
			time.Sleep(time.Hour) // on the fake clock
			return m.Queue.Close()
		}
	}},
	"never closes": {"Close makes every method return ErrClosed at once", func(m *mutant) { m.close = func() error { return nil } }},
	"keeps entries": {"Send does not keep the entries", func(m *mutant) {
		kept := map[string][]byte{}
		m.send = func(ctx context.Context, entries []queue.Entry) []error {
			for _, e := range entries {
				kept[string(e.Body)] = e.Body
			}
			return m.Queue.Send(ctx, entries)
		}
		m.delivered(func(d *queue.Delivery) { d.Body = bytes.Clone(kept[string(d.Body)]) })
	}},
	"shares deliveries": {"Receive gives its deliveries away", func(m *mutant) {
		shared := map[string]map[string]string{}
		m.delivered(func(d *queue.Delivery) {
			if shared[string(d.Body)] == nil {
				shared[string(d.Body)] = d.Attrs
			}
			d.Attrs = shared[string(d.Body)]
		})
	}},
}

func takesLarge(m *mutant) {
	m.send = func(ctx context.Context, entries []queue.Entry) []error {
		return slices.Repeat([]error{nil}, len(m.Queue.Send(ctx, entries)))
	}
}

func losesSome(m *mutant) {
	n := 0
	m.send = func(ctx context.Context, entries []queue.Entry) []error {
		var rest []queue.Entry
		for _, e := range entries {
			if n++; n%50 != 0 {
				rest = append(rest, e)
			}
		}
		return append(m.Queue.Send(ctx, rest), make([]error, len(entries)-len(rest))...)
	}
}

func pollsAtEnd(m *mutant) {
	m.receive = func(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
		select {
		case <-time.After(r.Wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		r.Wait = 0
		return m.Queue.Receive(ctx, r)
	}
}

// variable names the mutant that a process of this test runs the suite on.
const variable = "RAMIFY_TEST_MUTANT"

// TestMutant is run by TestSuiteCatches, in a process of its own.
func TestMutant(t *testing.T) {
	name, ok := os.LookupEnv(variable)
	if !ok {
		return // nothing to see: TestSuiteCatches runs it
	}
	want := "*queuetest_test.mutant"
	if name == "another type" {
		want = "*sqs.Queue"
	}
	queuetest.Run(t, want, queuetest.Traits{Synctest: true}, func(*testing.T) queue.Queue {
		m := newMutant()
		if breaks := mutants[name].breaks; breaks != nil {
			breaks(m)
		}
		return m
	})
}

// TestSuiteCatches runs the suite on queues with one thing wrong each. A suite
// that lets one of them pass does not test what its sentence says.
func TestSuiteCatches(t *testing.T) {
	fails := func(t *testing.T, name, sentence string) {
		t.Parallel()
		sub := "--- FAIL: TestMutant/" + strings.ReplaceAll(sentence, " ", "_")
		pattern := "^TestMutant$/^" + strings.ReplaceAll(sentence, " ", "_") + "$"
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.timeout=60s")
		cmd.Env = append(os.Environ(), variable+"="+name)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, "the suite passes a queue that %s", name)
		require.Contains(t, string(out), sub)
	}
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) { fails(t, name, m.caught) })
	}
	t.Run("another type", func(t *testing.T) {
		fails(t, "another type", "Limits is what one request takes and never changes")
	})
}
