package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACommandIsMeasured(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	u, err := run(t.Context(), out, []string{"sh", "-c", "echo said; exit 3"})
	require.NoError(t, err)
	require.Equal(t, 3, u.Code)
	require.Positive(t, u.Wall)
	require.Positive(t, u.RSS)
	said, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "said\n", string(said))
}

func TestACommandEndsWithWhoWantedIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := run(ctx, filepath.Join(t.TempDir(), "out"), []string{"cat", "/dev/zero"})
	require.ErrorIs(t, err, context.Canceled)
}

func TestACommandThatIsNotThereIsAnError(t *testing.T) {
	_, err := run(t.Context(), filepath.Join(t.TempDir(), "out"), []string{filepath.Join(t.TempDir(), "none")})
	require.ErrorIs(t, err, os.ErrNotExist)
}
