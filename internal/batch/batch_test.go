package batch_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	linger  = 5 * time.Millisecond
	latency = 10 * time.Millisecond
)

// service answers each request after latency: an error to odd numbers.
type service struct {
	mu       sync.Mutex
	requests [][]int
	now      int // requests at a time
	most     int
}

func (s *service) options() batch.Options[int] {
	return batch.Options[int]{Entries: 10, Requests: 4, Linger: linger, Do: s.do}
}

func (s *service) do(ctx context.Context, entries []int) []error {
	s.mu.Lock()
	s.requests = append(s.requests, slices.Clone(entries))
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	select {
	case <-time.After(latency):
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	errs := make([]error, len(entries))
	for i, e := range entries {
		if errs[i] = ctx.Err(); errs[i] == nil && e%2 == 1 {
			errs[i] = odd(e)
		}
	}
	return errs
}

type odd int

func (o odd) Error() string { return fmt.Sprintf("%d is odd", int(o)) }

func numbers(from, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = from + i
	}
	return all
}

// answered checks that each entry has the answer to itself.
func answered(t *testing.T, entries []int, errs []error) {
	t.Helper()
	require.Len(t, errs, len(entries))
	for i, e := range entries {
		if e%2 == 0 {
			assert.NoError(t, errs[i])
		} else {
			assert.Equal(t, odd(e), errs[i])
		}
	}
}

func TestCallersShareRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		b := batch.New(s.options())
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				for j := range 20 {
					e := []int{1000*i + j}
					answered(t, e, b.Do(t.Context(), e))
				}
			})
		}
		all.Wait()
		b.Close()
		assert.LessOrEqual(t, len(s.requests), 110, "of 1,000 entries")
		assert.LessOrEqual(t, s.most, 4)
	})
}

// Where requests take long, and now and then very long, callers are out of step.
func TestCallersOutOfStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests, entries atomic.Int32
		b := batch.New(batch.Options[int]{
			Entries: 10, Requests: 32, Linger: linger,
			Do: func(_ context.Context, e []int) []error {
				n := requests.Add(1)
				entries.Add(int32(len(e)))
				time.Sleep(100*time.Millisecond + time.Duration(n*37%200)*time.Millisecond)
				return make([]error, len(e))
			},
		})
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 20 {
					b.Do(t.Context(), []int{0})
				}
			})
		}
		all.Wait()
		b.Close()
		assert.EqualValues(t, 1000, entries.Load())
		assert.LessOrEqual(t, requests.Load(), int32(120))
	})
}

func TestManyEntriesOfOneCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		b := batch.New(s.options())
		start := time.Now()
		answered(t, numbers(0, 95), b.Do(t.Context(), numbers(0, 95)))
		assert.Len(t, s.requests, 10)
		assert.Equal(t, 3*latency, time.Since(start), "ten requests, four at a time, none lingers")
		b.Close()
	})
}

func TestLoneCallerDoesNotLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		b := batch.New(s.options())
		start := time.Now()
		for i := range 10 {
			answered(t, []int{i}, b.Do(t.Context(), []int{i}))
		}
		assert.Equal(t, 10*latency, time.Since(start))
		b.Close()
	})
}

func TestLingersForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		b := batch.New(s.options())
		var all sync.WaitGroup
		all.Go(func() { b.Do(t.Context(), []int{0}) })
		synctest.Wait()
		start := time.Now()
		all.Go(func() { b.Do(t.Context(), []int{2}) })
		time.Sleep(linger / 2)
		b.Do(t.Context(), []int{4})
		assert.Equal(t, linger+latency, time.Since(start))
		all.Wait()
		assert.Equal(t, [][]int{{0}, {2, 4}}, s.requests)
		b.Close()
	})
}

func TestRequestsAreBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		o := s.options()
		o.Bytes, o.Size = 100, func(e int) int { return e }
		b := batch.New(o)
		entries := []int{60, 40, 2, 98, 100, 300, 50, 50, 2}
		for _, err := range b.Do(t.Context(), entries) {
			require.NoError(t, err)
		}
		assert.ElementsMatch(t, [][]int{{60, 40}, {2, 98}, {100}, {300}, {50, 50}, {2}}, s.requests)
		b.Close()
	})
}

func TestContextBoundsItsCallAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		b := batch.New(s.options())
		first, cancelFirst := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { // alone in a request, which ends with it
			errs := b.Do(first, []int{0})
			assert.ErrorIs(t, errs[0], context.Canceled)
		})
		synctest.Wait()
		second, cancelSecond := context.WithTimeout(t.Context(), linger/2)
		defer cancelSecond()
		all.Go(func() { // gone before its request
			errs := b.Do(second, []int{2})
			assert.ErrorIs(t, errs[0], context.DeadlineExceeded)
		})
		third, cancelThird := context.WithTimeout(t.Context(), linger+latency/2)
		defer cancelThird()
		all.Go(func() { // gone during a request that another waits for
			errs := b.Do(third, []int{4})
			assert.ErrorIs(t, errs[0], context.DeadlineExceeded)
		})
		all.Go(func() { answered(t, []int{6, 7}, b.Do(t.Context(), []int{6, 7})) })
		synctest.Wait()
		start := time.Now()
		cancelFirst()
		synctest.Wait()
		assert.Zero(t, time.Since(start))
		s.mu.Lock()
		assert.Zero(t, s.now, "nobody waits for the first request")
		s.mu.Unlock()
		all.Wait()
		require.Len(t, s.requests, 2)
		assert.ElementsMatch(t, []int{4, 6, 7}, s.requests[1])
		b.Close()
	})
}

func TestShortAnswer(t *testing.T) {
	b := batch.New(batch.Options[int]{Entries: 10, Requests: 1, Do: func(context.Context, []int) []error {
		return []error{nil}
	}})
	errs := b.Do(t.Context(), numbers(0, 3))
	require.NoError(t, errs[0])
	require.Error(t, errs[1])
	require.Error(t, errs[2])
	b.Close()
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		b := batch.New(s.options())
		var all sync.WaitGroup
		for i := range 7 {
			all.Go(func() { answered(t, []int{i}, b.Do(t.Context(), []int{i})) })
		}
		synctest.Wait()
		start := time.Now()
		b.Close()
		assert.Equal(t, latency, time.Since(start), "what lingered left at once")
		all.Wait()
		for _, err := range b.Do(t.Context(), []int{1, 2}) {
			require.ErrorIs(t, err, batch.ErrClosed)
		}
		b.Close()
	})
}

func TestNothing(t *testing.T) {
	b := batch.New((&service{}).options())
	assert.Empty(t, b.Do(t.Context(), nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.Do(ctx, []int{1})[0], context.Canceled)
	b.Close()
}
