package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

// Commands and flags that --help has are in the documentation: a flag by its name, by another
// that it has, or by its variable.
func TestWhatHelpHasIsDocumented(t *testing.T) {
	pages := []string{"../README.md"}
	require.NoError(t, filepath.WalkDir("../docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	}))
	var all strings.Builder
	for _, p := range pages {
		text, err := os.ReadFile(p)
		require.NoError(t, err)
		all.Write(text)
		all.WriteByte('\n')
	}
	named := func(what string) bool {
		return regexp.MustCompile(regexp.QuoteMeta(what) + `\b`).MatchString(all.String())
	}
	var c cli
	parser, err := kong.New(&c, kong.Name("ramify"), kong.DefaultEnvars("RAMIFY"), vars())
	require.NoError(t, err)
	commands := 0
	for _, n := range parser.Model.Leaves(true) {
		if n.Type != kong.CommandNode {
			continue
		}
		commands++
		if path := strings.TrimPrefix(n.FullPath(), "ramify "); !named("ramify "+path) && !named("`"+path) {
			t.Errorf("no page of docs/ names the command %s", path)
		}
		for _, f := range n.Flags {
			found := named("--" + f.Name)
			for _, other := range append(f.Envs, f.Aliases...) {
				found = found || named("--"+other) || strings.HasPrefix(other, "RAMIFY_") && named(other)
			}
			if !found && !f.Hidden {
				t.Errorf("no page of docs/ names --%s of %s: %s", f.Name, n.FullPath(), f.Help)
			}
		}
	}
	require.Greater(t, commands, 20)
}

// The defaults of a server are said by --help as the documentation has them.
func TestHelpSaysDefaults(t *testing.T) {
	code, help, _ := command(t, "serve", "--help")
	require.Equal(t, exitDone, code)
	help = strings.Join(strings.Fields(help), " ")
	for _, want := range []string{
		"Where to listen; without a host, on loopback (default: 127.0.0.1:8008) ($RAMIFY_LISTEN).",
		"Requests a second; 0: no limit (default: 10) ($RAMIFY_RATE).",
		"Bytes of a request's body at most (default: 65536) ($RAMIFY_MAX_BODY).",
	} {
		require.Contains(t, help, want)
	}
	text, err := os.ReadFile("../docs/jobs/http.md")
	require.NoError(t, err)
	for _, row := range []string{"| `--listen HOST:PORT` | `127.0.0.1:8008` |", "| `--rate N`, `--max-body N` | 10, 65536 |"} {
		require.Contains(t, string(text), row)
	}
}
