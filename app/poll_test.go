package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/hostile"
)

func receive(ctx context.Context, q queue.Queue) (int, error) {
	got, err := q.Receive(ctx, queue.Request{Max: 1, Visibility: time.Hour})
	return len(got), err
}

// An empty queue is asked seldom, however many ask; a full one as often as they do.
func TestAnEmptyQueueIsAskedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := hostile.New(1, hostile.Faults{})
		q := newSeldom(inner, 6)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		for range 8 {
			go func() {
				for ctx.Err() == nil {
					_, _ = receive(ctx, q)
				}
			}()
		}
		<-ctx.Done()
		synctest.Wait()
		asked := inner.Calls().Receive.Calls
		assert.LessOrEqual(t, asked, 8+60)
		assert.GreaterOrEqual(t, asked, 50)
	})
}

func TestAMessageEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := hostile.New(1, hostile.Faults{})
		q := newSeldom(inner, 1)
		n, err := receive(t.Context(), q)
		require.NoError(t, err)
		require.Zero(t, n)
		for range 5 {
			require.NoError(t, inner.Send(t.Context(), []queue.Entry{{Body: []byte("x")}})[0])
		}
		begun := time.Now()
		for range 4 {
			n, err := receive(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		assert.Equal(t, time.Minute, time.Since(begun), "only the first waits")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = receive(t.Context(), q)
		_, _ = receive(t.Context(), q) // nothing: from now on, seldom
		_, err = receive(ctx, q)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
