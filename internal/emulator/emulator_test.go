package emulator_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/emulator"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/internal/emulator/ministack"
)

// holder says to a process of this test that it starts a server and is killed.
const holder = "RAMIFY_TEST_HOLDER"

func TestServers(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{"elasticmq": elasticmq.URL, "ministack": ministack.URL} {
		t.Run(name, func(t *testing.T) {
			first := url(t)
			require.Equal(t, first, url(t), "one server a test binary")
			resp, err := http.Get(first)
			require.NoError(t, err)
			resp.Body.Close()
		})
	}
	if file, ok := os.LookupEnv(holder); ok {
		require.NoError(t, os.WriteFile(file, []byte(elasticmq.URL(t)+"\n"+ministack.URL(t)), 0o600))
		select {} // until it is killed
	}
}

func TestServersEndWithAKilledTest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "urls")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServers$")
	cmd.Env = append(os.Environ(), holder+"="+file)
	require.NoError(t, cmd.Start())
	var urls []byte
	require.Eventually(t, func() bool {
		urls, _ = os.ReadFile(file)
		return len(urls) > 0
	}, 5*time.Minute, 50*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	for url := range strings.Lines(string(urls)) {
		require.Eventually(t, func() bool {
			resp, err := http.Get(strings.TrimSpace(url))
			if err == nil {
				resp.Body.Close()
			}
			return err != nil
		}, 5*time.Minute, 50*time.Millisecond, "%s still answers", url)
	}
}

func TestServerThatCannotStartSaysWhatItNeeds(t *testing.T) {
	c := emulator.Command{Name: "a server", Need: "something", URL: "http://127.0.0.1:9"}
	c.Args = []string{"no-such-program"}
	_, err := emulator.Start(t.Context(), c)
	require.ErrorContains(t, err, "install something")
	c.Args = []string{"sh", "-c", "echo out of luck; exit 3"}
	_, err = emulator.Start(t.Context(), c)
	require.ErrorContains(t, err, "needs something")
	require.ErrorContains(t, err, "out of luck")
	require.ErrorContains(t, err, "status 3")
}

func TestInstalledOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("go.mod", nil, 0o600))
	broken := errors.New("broken")
	_, err := emulator.Installed("thing-1", func(dir string) error {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "half"), nil, 0o600))
		return broken
	})
	require.ErrorIs(t, err, broken)
	for i := range 2 {
		dir, err := emulator.Installed("thing-1", func(dir string) error {
			assert.Zero(t, i, "installed again")
			assert.NoFileExists(t, filepath.Join(dir, "half"))
			return nil
		})
		require.NoError(t, err)
		require.DirExists(t, dir)
	}
}

// What a server keeps on disk goes with it.
func TestFolderGoesWithTheServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data of it")
	require.NoError(t, os.Mkdir(dir, 0o750))
	c := emulator.Command{Name: "a server", Need: "nothing", Dir: dir, Ready: func(context.Context) error { return errors.New("not yet") }}
	c.Args = []string{"sh", "-c", "exit 3"}
	_, err := emulator.Start(t.Context(), c)
	require.ErrorContains(t, err, "status 3")
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	}, 5*time.Minute, 10*time.Millisecond)
}

// A port is given away once, though nobody listens on it yet.
func TestFreePort(t *testing.T) {
	given := map[int]bool{}
	for range 100 {
		port, err := emulator.FreePort()
		require.NoError(t, err)
		require.False(t, given[port], "port %d was given away before", port)
		given[port] = true
	}
}
