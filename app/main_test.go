package app

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNobodyReadsOn: a command that only shows something ends well where its reader has
// seen enough, as `| head`, and says nothing of it.
func TestNobodyReadsOn(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	defer w.Close()
	said, err := os.CreateTemp(t.TempDir(), "said")
	require.NoError(t, err)
	defer said.Close()
	assert.Zero(t, realMain([]string{"schema"}, streams{out: w, err: said}))
	text, err := os.ReadFile(said.Name())
	require.NoError(t, err)
	assert.Empty(t, string(text))
}
