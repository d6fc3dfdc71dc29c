package peer

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryToolIsAskedForTheWholeBucket(t *testing.T) {
	for name := range tools {
		tool, err := Find(name)
		require.NoError(t, err)
		args := strings.Join(tool.Args("http://127.0.0.1:1"), " ")
		require.Contains(t, args, "http://127.0.0.1:1", name)
		require.Contains(t, args, Bucket, name)
		require.Contains(t, []string{"s3ls", "s5cmd", "rclone"}, tool.Binary())
		require.NotEmpty(t, tool.About)
	}
}

func TestUnknownToolsAreRefusedByName(t *testing.T) {
	_, err := Find("ls")
	require.ErrorContains(t, err, `"ls"`)
}

func TestKeysAreReadAsPrinted(t *testing.T) {
	s5cmd, err := Find("s5cmd")
	require.NoError(t, err)
	key, err := s5cmd.Key([]byte("s3://bench/a b"))
	require.NoError(t, err)
	require.Equal(t, "a b", string(key))
	_, err = s5cmd.Key([]byte("DIR a/"))
	require.Error(t, err)
	s3ls, err := Find("s3ls")
	require.NoError(t, err)
	key, err = s3ls.Key([]byte(" a\\"))
	require.NoError(t, err)
	require.Equal(t, " a\\", string(key))
}

func TestWhatIsKnownToFailHoldsForAllSettings(t *testing.T) {
	walk, err := Find("rclone-64")
	require.NoError(t, err)
	require.True(t, walk.Fails("awkward"))
	require.False(t, walk.Fails("debian"))
}

// A race with some peers needs the programs of these only.
func TestCopiersAreOfThoseThatRace(t *testing.T) {
	names := func(racing ...string) (all []string) {
		var tools []Tool
		for _, name := range racing {
			tool, err := Find(name)
			require.NoError(t, err)
			tools = append(tools, tool)
		}
		for _, c := range Copiers(tools) {
			all = append(all, c.Name)
		}
		return all
	}
	require.Equal(t, []string{"s5cmd-64", "s5cmd-256"}, names("s5cmd"))
	require.Equal(t, []string{"s5cmd-64", "s5cmd-256", "rclone-64"}, names("s3ls", "s5cmd", "rclone"))
	require.Empty(t, names())
}
