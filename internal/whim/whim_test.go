package whim_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/whim"
)

var errShut = errors.New("shut")

func slow() whim.Delays {
	return whim.Delays{Latency: 10 * time.Millisecond, Stall: 0.5, StallFor: time.Minute}
}

func nothing() error { return nil }

// A seed replays; that of another stream is another.
func TestSeed(t *testing.T) {
	draw := func(seed, stream uint64) (times []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			m := whim.New(seed, stream, errShut)
			for range 20 {
				began := time.Now()
				require.NoError(t, m.Call(t.Context(), slow, nothing))
				times = append(times, time.Since(began))
			}
		})
		return times
	}
	first := draw(1, 2)
	assert.Equal(t, first, draw(1, 2))
	assert.NotEqual(t, first, draw(1, 3))
	assert.NotEqual(t, first, draw(2, 2))
}

func TestNoChanceIsNotDrawn(t *testing.T) {
	drawn, left := whim.New(1, 2, errShut), whim.New(1, 2, errShut)
	assert.False(t, drawn.Chance(0))
	assert.False(t, drawn.Happens("Never", 0))
	assert.Zero(t, drawn.UpTo(0))
	assert.Equal(t, left.Uint64(), drawn.Uint64())
	assert.True(t, drawn.Happens("Always", 1))
	drawn.Note("Always")
	assert.Equal(t, map[string]int{"Always": 2}, drawn.Happened())
}

func TestCloseEndsCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := whim.New(1, 2, errShut)
		ended := make(chan error, 1)
		hour := func() whim.Delays { return whim.Delays{Latency: 100 * time.Hour} }
		go func() { ended <- m.Call(t.Context(), hour, nothing) }()
		synctest.Wait()
		require.NoError(t, m.Close())
		require.ErrorIs(t, <-ended, errShut)
		require.ErrorIs(t, m.Call(t.Context(), hour, nothing), errShut)
		require.ErrorIs(t, m.Close(), errShut)
	})
}

// What a call has done stays done where its answer is lost, and a refusal is no lost answer.
func TestCallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := whim.New(1, 2, errShut)
		ctx, cancel := context.WithCancel(t.Context())
		acted := false
		err := m.Call(ctx, slow, func() error {
			acted = true
			cancel()
			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
		require.True(t, acted)
		require.ErrorIs(t, m.Call(ctx, slow, nothing), context.Canceled)
		refused := errors.New("refused")
		require.ErrorIs(t, m.Call(t.Context(), slow, func() error { return refused }), refused)
	})
}
