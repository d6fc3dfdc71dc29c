package file_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/file"
)

// Who has time for a little is not made to wait for much of which he takes nothing: the page
// of a run of a million prefixes never caught up on a busy machine.
func TestFollowReadsLittleAtFirst(t *testing.T) {
	const all = 1000
	home := t.TempDir()
	s := open(t, home, file.Options{Layout: inventory.CSV.Layout()})
	p, err := s.Open(t.Context(), sink.Attempt{Run: "r", PID: schema.PID{1}, ID: 1})
	require.NoError(t, err)
	for range all {
		require.NoError(t, p.Write(t.Context(), sink.Prefixes, bytes.Repeat([]byte("x"), 1<<10), 1))
	}
	_, err = p.Commit(t.Context(), true, schema.Account{Nodes: 1})
	require.NoError(t, err)
	st, err := store.Open(filepath.Join(home, "run.db"), store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, st.Close()) })

	read := func(ctx context.Context, first func()) (n int, err error) {
		for _, err := range file.Follow(st).Since(ctx, sink.Prefixes, "") {
			if err != nil {
				return n, err
			}
			if n++; n == 1 {
				first()
			}
		}
		return n, nil
	}
	n, err := read(t.Context(), func() {})
	require.NoError(t, err)
	assert.Equal(t, all, n)

	ctx, cancel := context.WithCancel(t.Context())
	n, err = read(ctx, cancel) // what was read by then still comes
	require.ErrorIs(t, err, context.Canceled)
	assert.LessOrEqual(t, n, 100)
}
