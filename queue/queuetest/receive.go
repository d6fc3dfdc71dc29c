package queuetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
)

func atMost(s *suite) {
	s.postBodies(names(25)...)
	left := 25
	for _, n := range []int{1, 3, 10, 100} {
		got := s.receive(queue.Request{Max: n, Wait: patience, Visibility: hold}) // checks Max
		left -= len(got)
		if !s.AtLeastOnce {
			require.NotEmpty(s, got, "at most %d of %d messages", n, left)
		}
	}
	if !s.AtLeastOnce {
		s.take(left, hold)
	}
}

// answer of a Receive that runs beside the test.
type answer struct {
	got  []queue.Delivery
	err  error
	took time.Duration
}

// receiving starts a Receive and waits until it has been under way for a while.
// Nothing may be visible.
func (s *suite) receiving(wait time.Duration) <-chan answer {
	s.Helper()
	done := make(chan answer, 1)
	go func() {
		start := time.Now()
		got, err := s.Receive(s.Context(), queue.Request{Max: 1, Wait: wait, Visibility: hold})
		done <- answer{got, err, time.Since(start)}
	}()
	s.receive(queue.Request{Max: 1, Wait: 2 * s.unit, Visibility: hold})
	return done
}

func wakesOnSend(s *suite) {
	if s.AtLeastOnce { // nothing says which receive is given a message, or when
		s.postBodies("wake up")
		s.takeOne(hold)
		return
	}
	done := s.receiving(4 * patience)
	s.postBodies("wake up")
	a := <-done
	require.NoError(s, a.err)
	require.Len(s, a.got, 1)
	require.Equal(s, "wake up", string(a.got[0].Body))
	require.Less(s, a.took, 2*patience, "the receive waited for its end, not for the message")
}

func wakesOnDelay(s *suite) {
	start := time.Now()
	s.post(queue.Entry{Body: []byte("late"), Delay: 2 * s.unit})
	s.takeOne(hold)
	took := time.Since(start)
	require.GreaterOrEqual(s, took, 2*s.unit-s.slack())
	if !s.AtLeastOnce {
		require.Less(s, took, patience, "the receive waited for its end, not for the message")
	}
}

func noneAfterWait(s *suite) {
	if s.AtLeastOnce {
		s.none(0)
		return
	}
	wait := 4 * s.unit
	start := time.Now()
	got := s.receive(queue.Request{Max: 1, Wait: wait, Visibility: hold})
	require.Empty(s, got)
	require.GreaterOrEqual(s, time.Since(start), wait-s.slack(), "it returned early")
	require.Less(s, time.Since(start), wait+patience, "it returned late")
}

func noWait(s *suite) {
	start := time.Now()
	require.Empty(s, s.receive(queue.Request{Max: 10, Visibility: hold}))
	if !s.Lossy {
		require.Less(s, time.Since(start), patience)
	}
	s.postBodies("there")
	if !s.AtLeastOnce {
		got := s.receive(queue.Request{Max: 10, Visibility: hold})
		require.Len(s, got, 1, "a message that is visible")
	}
}

func leaseEnds(s *suite) {
	lease := 4 * s.unit
	s.postBodies("leased")
	start := time.Now()
	first := s.takeOne(lease)
	second := s.takeOne(hold)
	require.Equal(s, first.Body, second.Body)
	if !s.AtLeastOnce {
		require.GreaterOrEqual(s, time.Since(start), lease-s.slack(), "received by a second receiver while it was held")
		s.none(2 * s.unit)
	}
}

func receivesCounted(s *suite) {
	s.postBodies("counted")
	for i := 1; i <= 5; i++ {
		d := s.takeOne(2 * s.unit)
		require.Positive(s, d.Receives)
		if !s.AtLeastOnce {
			require.Equal(s, i, d.Receives)
		}
	}
}

func sentTime(s *suite) {
	before := time.Now()
	s.postBodies("when")
	after := time.Now()
	sent := s.takeOne(hold).Sent
	require.False(s, sent.Before(before.Add(-s.slack())), "sent at %s, not before %s", sent, before)
	require.False(s, sent.After(after.Add(s.slack())), "sent at %s, not after %s", sent, after)
}

func deliveriesGiven(s *suite) {
	s.post(queue.Entry{Body: []byte("as it was"), Attrs: map[string]string{"a": "1"}})
	first := s.takeOne(2 * s.unit)
	copy(first.Body, "scribbled")
	first.Attrs["a"], first.Attrs["b"] = "2", "3"
	second := s.takeOne(hold)
	require.Equal(s, "as it was", string(second.Body))
	require.Equal(s, map[string]string{"a": "1"}, second.Attrs)
}

func receiptsDiffer(s *suite) {
	s.postBodies(names(5)...)
	seen := map[queue.Receipt]bool{}
	for range 3 {
		for _, d := range s.take(5, hold) {
			require.NotEmpty(s, d.Receipt)
			require.False(s, seen[d.Receipt], "receipt %q names two deliveries", d.Receipt)
			seen[d.Receipt] = true
			s.giveBack(d)
		}
	}
}
