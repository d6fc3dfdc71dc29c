// Package queuetest is the contract of package queue as tests: each subtest is a
// sentence of it. Every implementation runs the suite.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
)

// Traits are what an implementation may relax, and how to test it. The zero
// value is a queue in this process that does exactly what its calls say.
type Traits struct {
	// AtLeastOnce: the queue makes use of its freedom to deliver a message more
	// often than its calls explain: to two receivers at a time, before its lease
	// ends, after its delete, with a receive count that does not show it; to
	// answer early and with nothing; and to say that a lease is lost. The suite
	// then asserts only that what was sent arrives, whole, and that a queue which
	// is received from and deleted from gets empty.
	AtLeastOnce bool

	// Lossy: any call may fail for a while, before or after it has acted. The
	// suite then repeats what fails.
	Lossy bool

	// RoughDepth: Depth is near the truth, or was it some time ago. The suite then
	// asserts only that it answers.
	RoughDepth bool

	// Grain is the shortest time that the queue can tell from zero: a second for
	// a server that counts in seconds. 0 is a millisecond.
	Grain time.Duration

	// Synctest: the queue works in a bubble of testing/synctest, so that no time
	// is spent on waiting. Otherwise the suite takes some seconds.
	Synctest bool

	// Except says which sentences a server that is not ours does not keep, though
	// the one it stands for does, and why. Each must fail, in a process of its own:
	// an exception that is no longer needed fails the suite.
	Except map[string]string
}

// Run tests that the queue which open makes keeps the contract. want is its type
// as %T prints it, such as "*embedded.Queue": a suite that was handed another
// queue than the one its name promises has tested nothing, and fails.
//
// open makes an empty queue for each subtest, and leaves it to the suite to
// close it; what else there is to clean up open registers with t.Cleanup.
// Outside a bubble the subtests run in parallel.
func Run(t *testing.T, want string, traits Traits, open func(t *testing.T) queue.Queue) {
	t.Helper()
	checkExceptions(t, traits.Except)
	for _, c := range contract {
		t.Run(c.sentence, func(t *testing.T) {
			if why, ok := traits.Except[c.sentence]; ok && !unexcepted() {
				t.Parallel()
				mustFail(t, why)
				return
			}
			test := func(t *testing.T) {
				s := &suite{T: t, Traits: traits, Queue: opened(t, want, open)}
				s.unit = max(traits.Grain, 50*time.Millisecond)
				c.test(s)
			}
			if traits.Synctest {
				synctest.Test(t, test)
				return
			}
			t.Parallel()
			test(t)
		})
	}
}

type clause struct {
	sentence string
	test     func(*suite)
}

// contract is the sentences and their tests.
var contract = []clause{
	{"Limits is what one request takes and never changes", limitsStay},

	{"Send posts a message that arrives byte for byte", roundTrip},
	{"Send takes a message of exactly Limits.Body bytes", largest},
	{"Send answers ErrTooLarge for one byte more, and posts the others", tooLarge},
	{"Send answers ErrInvalid for what can never be posted, and posts the others", invalid},
	{"Send answers per entry, in order, for more entries than a request carries", manyEntries},
	{"Send does not keep the entries", entriesNotKept},
	{"Send hides a message for its delay, and only that one", delay},
	{"Send of nothing answers nothing", nothing},

	{"Receive returns at most Max messages", atMost},
	{"Receive wakes up when a message is sent", wakesOnSend},
	{"Receive wakes up when a delay has passed", wakesOnDelay},
	{"Receive returns none after Wait", noneAfterWait},
	{"Receive without Wait returns at once", noWait},
	{"Receive hides a message from others until its lease ends", leaseEnds},
	{"Receive counts how often a message was received", receivesCounted},
	{"Receive tells when a message was sent", sentTime},
	{"Receive gives its deliveries away", deliveriesGiven},
	{"Receive names each delivery by a receipt of its own", receiptsDiffer},

	{"Delete removes messages for good", deletedForGood},
	{"Delete of what is gone succeeds", deleteTwice},
	{"Delete with a receipt that no delivery has replaced succeeds after the lease", deleteAfterLease},
	{"Delete with a replaced receipt deletes or not", deleteStale},
	{"Delete answers per entry for more entries than a request carries", deleteMany},

	{"Extend keeps a message hidden", extendHides},
	{"Extend counts from now", extendFromNow},
	{"Extend by zero returns a message at once", extendZero},
	{"Extend answers ErrLeaseLost for a replaced receipt, and leaves the holder alone", extendStale},
	{"Extend answers ErrLeaseLost for a returned message", extendReturned},
	{"Extend answers ErrLeaseLost for a deleted message", extendDeleted},

	{"Depth tells visible, in flight and delayed messages", depth},

	{"Messages that are not deleted are never lost", neverLost},
	{"Methods may be called from many goroutines", load},
	{"A context that has ended ends its call", endedContext},
	{"A context that ends bounds its call alone", contextAlone},
	{"A context that ends a receive loses no message", cancelledReceives},
	{"Close ends calls in progress", closeEndsCalls},
	{"Close makes every method return ErrClosed at once", closed},
}

// patience is how long the suite waits for what must happen.
const patience = 30 * time.Second

// hold is a visibility that outlasts any subtest.
const hold = time.Hour

// suite is one subtest: a queue and what is known about it.
type suite struct {
	*testing.T
	Traits
	queue.Queue
	unit time.Duration // the shortest time that the suite waits for
}

func opened(t *testing.T, want string, open func(*testing.T) queue.Queue) queue.Queue {
	t.Helper()
	q := open(t)
	require.NotNil(t, q, "open returned no queue")
	t.Cleanup(func() {
		if err := q.Close(); err != nil && !errors.Is(err, queue.ErrClosed) {
			t.Errorf("close queue: %v", err)
		}
	})
	require.Equal(t, want, fmt.Sprintf("%T", q), "this is not the queue that was selected")
	return q
}

// slack is how much sooner than promised something may seem to happen, because
// two clocks are read or one is coarse.
func (s *suite) slack() time.Duration { return max(s.Grain, time.Millisecond) }

// lease is a visibility that a message is held for in earnest: long enough to
// act on it in time on a busy machine.
func (s *suite) lease() time.Duration { return max(2*time.Second, 4*s.Grain) }

// lost reports whether an error is one to repeat the call after.
func (s *suite) lost(err error) bool {
	return s.Lossy && err != nil && !errors.Is(err, queue.ErrTooLarge) && !errors.Is(err, queue.ErrInvalid) && !errors.Is(err, queue.ErrLeaseLost) &&
		!errors.Is(err, queue.ErrClosed) && !errors.Is(err, context.Canceled)
}

// retry repeats the entries of a batch that were lost.
func retry[T any](s *suite, entries []T, call func(context.Context, []T) []error) []error {
	s.Helper()
	errs := make([]error, len(entries))
	todo := make([]int, len(entries))
	for i := range todo {
		todo[i] = i
	}
	for range 1000 {
		part := make([]T, len(todo))
		for i, at := range todo {
			part[i] = entries[at]
		}
		answers := call(s.Context(), part)
		if len(answers) != len(part) {
			s.Errorf("%d entries were answered by %d errors", len(part), len(answers))
			return errs
		}
		var again []int
		for i, at := range todo {
			errs[at] = answers[i]
			if s.lost(answers[i]) {
				again = append(again, at)
			}
		}
		if todo = again; len(todo) == 0 {
			return errs
		}
	}
	s.Errorf("entries failed a thousand times: %v", errs)
	return errs
}

// post sends entries that must be taken.
func (s *suite) post(entries ...queue.Entry) {
	s.Helper()
	for i, err := range retry(s, entries, s.Send) {
		require.NoError(s, err, "send entry %d", i)
	}
}

// postBodies sends entries that have nothing but a body.
func (s *suite) postBodies(bodies ...string) {
	s.Helper()
	s.post(entriesOf(bodies)...)
}

// receive is one call of Receive that succeeds.
func (s *suite) receive(r queue.Request) []queue.Delivery {
	s.Helper()
	for range 1000 {
		got, err := s.Receive(s.Context(), r)
		if s.lost(err) {
			continue
		}
		require.NoError(s, err, "receive")
		require.LessOrEqual(s, len(got), r.Max, "messages of one receive")
		return got
	}
	require.Fail(s, "receive failed a thousand times")
	return nil
}

// take receives n different messages and holds them for visibility. Where that
// is short, a message may come again before the last has come; then its newest
// delivery counts.
func (s *suite) take(n int, visibility time.Duration) []queue.Delivery {
	s.Helper()
	got := make([]queue.Delivery, 0, n)
	at := map[string]int{}          // index in got
	since := map[string]time.Time{} // a moment before its lease began
	for end := time.Now().Add(s.limit(visibility)); len(got) < n; {
		start := time.Now()
		require.True(s, start.Before(end), "received %d of %d messages", len(got), n)
		for _, d := range s.receive(queue.Request{Max: n - len(got), Wait: patience, Visibility: visibility}) {
			body := string(d.Body)
			i, again := at[body]
			if again {
				early := time.Since(since[body]) < visibility-s.slack()
				require.True(s, s.AtLeastOnce || !early, "received %.40q twice while it was held", body)
				got[i] = d
			} else {
				at[body] = len(got)
				got = append(got, d)
			}
			since[body] = start
		}
	}
	return got
}

// limit is how long take may need. Where answers are lost and leases run on, a
// message may have to be waited for several times.
func (s *suite) limit(visibility time.Duration) time.Duration {
	if s.AtLeastOnce || s.Lossy {
		return 100*visibility + time.Hour
	}
	return 4 * patience // a server on a busy machine
}

// takeOne receives the one message there is.
func (s *suite) takeOne(visibility time.Duration) queue.Delivery {
	s.Helper()
	return s.take(1, visibility)[0]
}

// none checks that nothing can be received for a while, where the queue delivers
// only what its calls explain.
func (s *suite) none(wait time.Duration) {
	s.Helper()
	if s.AtLeastOnce {
		return
	}
	for _, d := range s.receive(queue.Request{Max: 1, Wait: wait, Visibility: hold}) {
		require.Fail(s, "received what should be hidden or gone", "body %.40q, receives %d", d.Body, d.Receives)
	}
}

// remove deletes deliveries, and says whether all leases were held.
func (s *suite) remove(ds ...queue.Delivery) {
	s.Helper()
	receipts := make([]queue.Receipt, len(ds))
	for i, d := range ds {
		receipts[i] = d.Receipt
	}
	for i, err := range retry(s, receipts, s.Delete) {
		if s.AtLeastOnce && errors.Is(err, queue.ErrLeaseLost) {
			continue
		}
		require.NoError(s, err, "delete entry %d", i)
	}
}

// drain receives and deletes until nothing comes any more.
func (s *suite) drain() {
	s.Helper()
	for quiet := 0; quiet < 20; quiet++ {
		got := s.receive(queue.Request{Max: 10, Wait: 4 * s.unit, Visibility: 2 * s.unit})
		if len(got) > 0 {
			quiet = 0
			s.remove(got...)
		}
		if !s.AtLeastOnce && len(got) == 0 {
			return
		}
	}
}

// extend changes one lease.
func (s *suite) extend(d queue.Delivery, visibility time.Duration) error {
	s.Helper()
	return retry(s, []queue.Lease{{Receipt: d.Receipt, Visibility: visibility}}, s.Extend)[0]
}

// giveBack makes a held message visible.
func (s *suite) giveBack(d queue.Delivery) {
	s.Helper()
	err := s.extend(d, 0)
	if s.AtLeastOnce && errors.Is(err, queue.ErrLeaseLost) {
		return // then its lease must run out
	}
	require.NoError(s, err, "extend by zero")
}

func entriesOf(bodies []string) []queue.Entry {
	entries := make([]queue.Entry, len(bodies))
	for i, b := range bodies {
		entries[i].Body = []byte(b)
	}
	return entries
}

// names are n different bodies.
func names(n int) []string {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprintf("message %d", i)
	}
	return bodies
}
