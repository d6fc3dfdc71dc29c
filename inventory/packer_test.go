package inventory_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/inventory"
)

// Small blocks share a member, large ones have one each, and none of one goroutine overtakes
// another.
func TestPacker(t *testing.T) {
	var mu sync.Mutex
	var got [][]byte
	var rows []int64
	p := inventory.NewPacker(inventory.Keys.Layout(), func(_ context.Context, member []byte, n int64) error {
		got, rows = append(got, bytes.Clone(member)), append(rows, n)
		return nil
	})
	small, large := bytes.Repeat([]byte("a\n"), 100), bytes.Repeat([]byte("b\n"), inventory.PackAt/2)
	mu.Lock()
	defer mu.Unlock()
	require.NoError(t, p.Write(t.Context(), &mu, small, 100))
	require.NoError(t, p.Write(t.Context(), &mu, small, 100))
	assert.Empty(t, got)
	require.NoError(t, p.Write(t.Context(), &mu, large, inventory.PackAt/2))
	assert.Equal(t, [][]byte{bytes.Repeat([]byte("a\n"), 200), large}, got)
	assert.Equal(t, []int64{200, inventory.PackAt / 2}, rows)

	for range inventory.PackAt/len(small) + 1 { // what was gathered reaches the size
		require.NoError(t, p.Write(t.Context(), &mu, small, 100))
	}
	require.Len(t, got, 3)
	require.NoError(t, p.Flush(t.Context()))
	assert.Len(t, got, 3)
	require.NoError(t, p.Write(t.Context(), &mu, small, 100))
	p.Forget()
	require.NoError(t, p.Flush(t.Context()))
	assert.Len(t, got, 3)
}

func TestPackerLendsItsLock(t *testing.T) {
	var mu lent
	p := inventory.NewPacker(inventory.Keys.Layout(), func(context.Context, []byte, int64) error { return nil })
	mu.Lock()
	defer mu.Unlock()
	require.NoError(t, p.Write(t.Context(), &mu, make([]byte, inventory.PackAt), 1))
	assert.Equal(t, 1, mu.times)
	require.NoError(t, p.Write(t.Context(), &mu, make([]byte, inventory.PackAt-1), 1))
	assert.Equal(t, 1, mu.times)
}

// lent counts how often it was lent.
type lent struct {
	sync.Mutex
	times int
}

func (l *lent) Unlock() {
	l.Mutex.Unlock()
	l.times++
}

func TestPackerFailsAsItsPut(t *testing.T) {
	var mu sync.Mutex
	full := errors.New("full")
	p := inventory.NewPacker(inventory.Keys.Layout(), func(context.Context, []byte, int64) error { return full })
	mu.Lock()
	defer mu.Unlock()
	require.NoError(t, p.Write(t.Context(), &mu, []byte("a\n"), 1))
	require.ErrorIs(t, p.Write(t.Context(), &mu, make([]byte, inventory.PackAt), 1), full)
}
