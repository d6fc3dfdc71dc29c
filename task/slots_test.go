package task

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWaitingUnitsComeBeforeBorrowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(2)
		require.NoError(t, s.acquire(t.Context()))
		require.True(t, s.borrow())
		require.False(t, s.borrow(), "none is idle")
		assert.False(t, s.wanted(), "nobody waits")

		got := make(chan error)
		go func() { got <- s.acquire(t.Context()) }()
		synctest.Wait()
		assert.True(t, s.wanted(), "a unit waits")
		loan := &loan{slots: s}
		loan.Return()
		loan.Return() // has no further effect
		require.NoError(t, <-got)
		assert.False(t, s.borrow())
		taken, capacity := s.use()
		assert.Equal(t, []int{2, 2}, []int{taken, capacity})
	})
}

func TestSlotsChangeWhileTheyAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1)
		require.NoError(t, s.acquire(t.Context()))
		got := make(chan error)
		go func() { got <- s.acquire(t.Context()) }()
		synctest.Wait()
		s.resize(2)
		require.NoError(t, <-got, "a larger capacity lets the waiting one in")
		s.resize(1)
		assert.True(t, s.wanted(), "one slot too many is taken")
		s.release()
		assert.False(t, s.wanted())
		assert.False(t, s.borrow())
	})
}

func TestAWaiterThatGivesUpLosesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1)
		require.NoError(t, s.acquire(t.Context()))
		ctx, cancel := context.WithCancelCause(t.Context())
		got := make(chan error)
		go func() { got <- s.acquire(ctx) }()
		synctest.Wait()
		cancel(ErrDrained)
		require.ErrorIs(t, <-got, ErrDrained)
		s.release()
		assert.True(t, s.borrow(), "the slot is free again")
	})
}
