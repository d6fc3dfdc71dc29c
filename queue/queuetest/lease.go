package queuetest

import (
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
)

func deletedForGood(s *suite) {
	s.postBodies(names(30)...)
	if s.AtLeastOnce {
		s.drain() // ends only when the queue is empty
		return
	}
	got := s.take(30, s.lease())
	s.remove(got[:29]...)
	last := s.takeOne(hold) // its lease ran out: so would those of the others have
	require.Equal(s, got[29].Body, last.Body)
	s.remove(last)
	s.none(4 * s.unit)
}

func deleteTwice(s *suite) {
	s.postBodies("once")
	d := s.takeOne(hold)
	s.remove(d)
	s.remove(d)
	s.none(2 * s.unit)
}

func deleteAfterLease(s *suite) {
	s.postBodies("returned")
	d := s.takeOne(hold)
	s.giveBack(d)
	s.remove(d)
	s.none(2 * s.unit)
}

// replaced is two deliveries of one message, of which the second holds it.
func (s *suite) replaced() (stale, holder queue.Delivery) {
	s.Helper()
	s.postBodies("delivered twice")
	stale = s.takeOne(hold)
	s.giveBack(stale)
	return stale, s.takeOne(hold)
}

func deleteStale(s *suite) {
	stale, holder := s.replaced()
	err := retry(s, []queue.Receipt{stale.Receipt}, s.Delete)[0]
	if err != nil {
		require.ErrorIs(s, err, queue.ErrLeaseLost)
	}
	s.none(2 * s.unit) // deleted or held, but not returned
	s.remove(holder)
	s.none(2 * s.unit)
}

func deleteMany(s *suite) {
	n := 3*s.Limits().Batch + 1
	s.postBodies(names(n)...)
	got := s.take(n, hold)
	s.remove(append(got, got[0])...)
	s.none(2 * s.unit)
}

func extendHides(s *suite) {
	lease := s.lease()
	s.postBodies("kept")
	start := time.Now()
	d := s.takeOne(lease)
	if err := s.extend(d, hold); err != nil {
		require.ErrorIs(s, err, queue.ErrLeaseLost)
		require.True(s, s.AtLeastOnce || time.Since(start) >= lease, "a lease was lost before its end")
		s.takeOne(hold) // and the message is not
		return
	}
	s.none(lease + 2*s.unit)
}

func extendFromNow(s *suite) {
	lease := 4 * s.unit
	s.postBodies("shortened")
	d := s.takeOne(hold)
	start := time.Now()
	err := s.extend(d, lease)
	if s.AtLeastOnce && errors.Is(err, queue.ErrLeaseLost) {
		s.takeOne(hold)
		return
	}
	require.NoError(s, err)
	again := s.takeOne(hold)
	require.Equal(s, d.Body, again.Body)
	if !s.AtLeastOnce {
		require.GreaterOrEqual(s, time.Since(start), lease-s.slack(), "the lease ended early")
	}
}

func extendZero(s *suite) {
	s.postBodies(names(12)...)
	for _, d := range s.take(12, hold) {
		s.giveBack(d)
	}
	for _, d := range s.take(12, hold) { // within patience, though hold has not passed
		if !s.AtLeastOnce {
			require.Equal(s, 2, d.Receives)
		}
	}
}

func extendStale(s *suite) {
	stale, holder := s.replaced()
	err := s.extend(stale, 0)
	if !s.AtLeastOnce {
		require.ErrorIs(s, err, queue.ErrLeaseLost)
		s.none(2 * s.unit)
		require.NoError(s, s.extend(holder, hold), "the holder's own lease")
	}
}

func extendReturned(s *suite) {
	s.postBodies("returned", "held")
	extendLost(s, s.giveBack, 1)
}

func extendDeleted(s *suite) {
	s.postBodies("deleted", "held")
	extendLost(s, func(d queue.Delivery) { s.remove(d) }, 0)
}

// extendLost lets go of the first of two messages and extends both. Then so many
// can be received.
func extendLost(s *suite, letGo func(queue.Delivery), left int) {
	s.Helper()
	got := s.take(2, hold)
	letGo(got[0])
	errs := retry(s, []queue.Lease{
		{Receipt: got[0].Receipt, Visibility: hold},
		{Receipt: got[1].Receipt, Visibility: hold},
	}, s.Extend)
	if s.AtLeastOnce {
		return
	}
	require.ErrorIs(s, errs[0], queue.ErrLeaseLost, "the message that was let go")
	require.NoError(s, errs[1], "the message that is held")
	for _, d := range s.take(left, hold) {
		require.Equal(s, got[0].Body, d.Body)
	}
	s.none(s.unit)
}
