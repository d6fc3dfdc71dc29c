package task

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ledgerhostile "github.com/ramify/ramify/ledger/hostile"
)

// Two tasks that would have the same flag see each other, and have two once one
// has looked.
func TestTwoTasksWithOneFlag(t *testing.T) {
	board := ledgerhostile.New(1, ledgerhostile.Faults{})
	one := func(id string) *sharing {
		return newSharing(&Task{cfg: Config{ID: id, Board: board, Shared: true, Log: slog.New(slog.DiscardHandler)}})
	}
	a, b := one("a"), one("b")
	b.id = a.id
	require.True(t, a.flag(t.Context(), 16, time.Minute))
	others := b.read(t.Context())
	require.Len(t, others, 1)
	assert.Equal(t, 16, others[0].Slots)
	assert.NotEqual(t, a.id, b.id)

	require.True(t, b.flag(t.Context(), 8, time.Minute))
	require.Len(t, a.read(t.Context()), 1, "its own is not another's")
	require.Len(t, b.read(t.Context()), 1)
	own := b.id
	b.read(t.Context())
	assert.Equal(t, own, b.id, "it keeps what is its own")
}
