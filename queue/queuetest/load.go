package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
)

func neverLost(s *suite) {
	const n = 100
	s.postBodies(names(n)...)
	for range 3 {
		s.take(n, 10*s.unit)
	}
	all := s.take(n, hold)
	require.Len(s, all, n)
}

// load sends 5,000 messages from 20 goroutines, while 20 others receive and
// delete them.
func load(s *suite) {
	const senders, receivers, each, batch = 20, 20, 250, 25
	ctx, enough := context.WithTimeout(s.Context(), 100*hold)
	defer enough()

	var mu sync.Mutex
	seen := map[string]int{}
	var all sync.WaitGroup
	for r := range receivers {
		all.Go(func() {
			for ctx.Err() == nil {
				got, err := s.Receive(ctx, queue.Request{Max: 1 + r%10, Wait: patience, Visibility: time.Minute})
				if ctx.Err() != nil || s.lost(err) {
					continue
				}
				if err != nil {
					s.Errorf("receive: %v", err)
					enough()
				}
				receipts := make([]queue.Receipt, len(got))
				mu.Lock()
				for i, d := range got {
					receipts[i] = d.Receipt
					seen[string(d.Body)]++
				}
				complete := len(seen) == senders*each
				mu.Unlock()
				for _, err := range retry(s, receipts, s.Delete) {
					assert.True(s, err == nil || s.AtLeastOnce && errors.Is(err, queue.ErrLeaseLost), "delete: %v", err)
				}
				if complete {
					enough()
				}
			}
		})
	}
	for i := range senders {
		all.Go(func() {
			for from := 0; from < each; from += batch {
				entries := make([]queue.Entry, batch)
				for j := range entries {
					entries[j].Body = fmt.Appendf(nil, "message %d of sender %d", from+j, i)
				}
				for _, err := range retry(s, entries, s.Send) {
					assert.NoError(s, err, "send")
				}
			}
		})
	}
	all.Wait()

	require.Len(s, seen, senders*each, "messages received")
	for body, times := range seen {
		require.True(s, times == 1 || s.AtLeastOnce || s.Lossy, "received %d times: %s", times, body)
	}
	s.none(s.unit)
}

func endedContext(s *suite) {
	s.postBodies("held", "waiting")
	held := s.take(1, hold)[0]
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	start := time.Now()
	for _, err := range s.Send(ctx, entriesOf(names(3))) {
		require.ErrorIs(s, err, context.Canceled, "send")
	}
	_, err := s.Receive(ctx, queue.Request{Max: 1, Wait: 4 * patience, Visibility: hold})
	require.ErrorIs(s, err, context.Canceled, "receive")
	for _, err := range s.Delete(ctx, []queue.Receipt{held.Receipt}) {
		require.ErrorIs(s, err, context.Canceled, "delete")
	}
	for _, err := range s.Extend(ctx, []queue.Lease{{Receipt: held.Receipt, Visibility: hold}}) {
		require.ErrorIs(s, err, context.Canceled, "extend")
	}
	_, err = s.Depth(ctx)
	require.ErrorIs(s, err, context.Canceled, "depth")
	require.Less(s, time.Since(start), patience)
}

func contextAlone(s *suite) {
	// Sends of which every second one is given up at some moment: coalesced or
	// not, the others are posted.
	const n = 40
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			ctx, cancel := context.WithCancel(s.Context())
			defer cancel()
			e := []queue.Entry{{Body: fmt.Appendf(nil, "message %d", i)}}
			if i%2 == 0 {
				errs[i] = retry(s, e, s.Send)[0]
				return
			}
			go cancel()
			s.Send(ctx, e)
		})
	}
	all.Wait()
	for i := 0; i < n; i += 2 {
		require.NoError(s, errs[i], "send %d", i)
	}
	seen := map[string]bool{}
	for end := time.Now().Add(s.limit(hold)); ; {
		require.True(s, time.Now().Before(end), "messages are missing")
		for _, d := range s.receive(queue.Request{Max: 10, Wait: time.Second, Visibility: hold}) {
			seen[string(d.Body)] = true
		}
		missing := 0
		for i := 0; i < n; i += 2 {
			if !seen[fmt.Sprintf("message %d", i)] {
				missing++
			}
		}
		if missing == 0 {
			return
		}
	}
}

func cancelledReceives(s *suite) {
	// A receive that is cancelled while it waits returns at once; the one beside
	// it gets what comes.
	ctx, cancel := context.WithCancel(s.Context())
	given := make(chan error, 1)
	go func() {
		_, err := s.Receive(ctx, queue.Request{Max: 1, Wait: 4 * patience, Visibility: 2 * s.unit})
		given <- err
	}()
	if s.AtLeastOnce || s.Lossy {
		cancel()
		err := <-given
		require.True(s, err == nil || errors.Is(err, context.Canceled) || s.lost(err), "receive: %v", err)
		s.postBodies("for the other")
		s.takeOne(hold)
		return
	}
	done := s.receiving(4 * patience)
	start := time.Now()
	cancel()
	require.ErrorIs(s, <-given, context.Canceled)
	require.Less(s, time.Since(start), patience, "it did not notice")
	s.postBodies("for the other")
	a := <-done
	require.NoError(s, a.err)
	require.Len(s, a.got, 1)
	require.Less(s, a.took, 2*patience)

	// Whatever a cancelled receive was about to be given comes back.
	ctx, cancel = context.WithCancel(s.Context())
	defer cancel()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			_, _ = s.Receive(ctx, queue.Request{Max: 1, Wait: patience, Visibility: 2 * s.unit})
		})
	}
	s.postBodies(names(5)...)
	cancel()
	all.Wait()
	s.take(5, hold)
}

func closeEndsCalls(s *suite) {
	var done <-chan answer
	if s.AtLeastOnce || s.Lossy {
		c := make(chan answer, 1)
		go func() {
			got, err := s.Receive(s.Context(), queue.Request{Max: 1, Wait: 4 * patience, Visibility: hold})
			c <- answer{got: got, err: err}
		}()
		done = c
	} else {
		done = s.receiving(4 * patience)
	}
	start := time.Now()
	require.NoError(s, s.Close())
	a := <-done
	require.Less(s, time.Since(start), patience, "Close waited for the receive's end")
	require.Empty(s, a.got)
	if !s.Lossy && a.err != nil {
		require.ErrorIs(s, a.err, queue.ErrClosed)
	}
}

func closed(s *suite) {
	s.postBodies("held")
	d := s.takeOne(hold)
	require.NoError(s, s.Close())
	start := time.Now()
	for _, err := range s.Send(s.Context(), entriesOf(names(2*s.Limits().Batch))) {
		require.ErrorIs(s, err, queue.ErrClosed, "send")
	}
	_, err := s.Receive(s.Context(), queue.Request{Max: 1, Wait: 4 * patience, Visibility: hold})
	require.ErrorIs(s, err, queue.ErrClosed, "receive")
	for _, err := range s.Delete(s.Context(), []queue.Receipt{d.Receipt}) {
		require.ErrorIs(s, err, queue.ErrClosed, "delete")
	}
	for _, err := range s.Extend(s.Context(), []queue.Lease{{Receipt: d.Receipt, Visibility: hold}}) {
		require.ErrorIs(s, err, queue.ErrClosed, "extend")
	}
	_, err = s.Depth(s.Context())
	require.ErrorIs(s, err, queue.ErrClosed, "depth")
	if err := s.Close(); err != nil {
		require.ErrorIs(s, err, queue.ErrClosed, "close")
	}
	require.Less(s, time.Since(start), patience)
}
