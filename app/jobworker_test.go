package app

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/jobqueue"
	programs "github.com/ramify/ramify/processor/command"
)

// A script is a script, also one that begins as an option of the shell.
func TestScripts(t *testing.T) {
	for script, want := range map[string]string{`echo "$1" $0`: "a b sh\n", `-x 2>/dev/null; echo "$1"`: "a b\n", `+x 2>/dev/null; echo "$1"`: "a b\n"} {
		out := runJob(t.Context(), &programs.Plain{Output: 1 << 10}, "id", jobqueue.Job{Argv: []string{script, "a b"}, Shell: true})
		require.NoError(t, out.Err, script)
		assert.Equal(t, want, out.Stdout, script)
	}
}
