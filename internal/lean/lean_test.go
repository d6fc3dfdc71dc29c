package lean

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOtherCode: a new version of kong is not built unless what is changed of it is
// where it was.
func TestOtherCode(t *testing.T) {
	edits := []edit{{"t.Method(i)", "nothing", 1}}
	text, err := apply("a t.Method(i) b", edits)
	require.NoError(t, err)
	assert.Equal(t, "a nothing b", text)
	for _, other := range []string{"a b", "t.Method(i) t.Method(i)"} {
		_, err := apply(other, edits)
		assert.ErrorContains(t, err, "t.Method(i)")
	}
}

// TestAgain: builds that run at the same time find each other's files whole.
func TestAgain(t *testing.T) {
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			first, err := Modfile(t.Context())
			require.NoError(t, err)
			second, err := Modfile(t.Context())
			require.NoError(t, err)
			assert.Equal(t, first, second)
			assert.FileExists(t, first)
		})
	}
}
