package gate_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/gate"
)

var errShut = errors.New("shut")

func TestCloseWaitsForWhoIsInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New(errShut)
		require.NoError(t, g.Enter(t.Context()))
		closed := make(chan struct{})
		go func() { g.Close(); close(closed) }()
		synctest.Wait()
		require.ErrorIs(t, g.Enter(t.Context()), errShut)
		select {
		case <-closed:
			t.Fatal("closed with a call inside")
		default:
		}
		g.Leave()
		<-closed
		g.Close()
	})
}

func TestWhoHasGoneDoesNotEnter(t *testing.T) {
	g := gate.New(errShut)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, g.Enter(ctx), context.Canceled)
	g.Close() // there is nobody to wait for
	assert.ErrorIs(t, g.Enter(ctx), errShut)
}
