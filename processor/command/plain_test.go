//go:build unix

package command_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/schema"
)

func TestPlain(t *testing.T) {
	p := &command.Plain{Grace: time.Second, Output: 1 << 10, Environ: []string{
		"PATH=/usr/bin:/bin", "SECRET_OF_JOBS=yes", "RAMIFY_SIGNING_KEY=no", "RAMIFY_STATE=no",
	}}
	got, err := p.Run(t.Context(), []string{"sh", "-c", `echo "$1"; env >&2; exit 3`, "sh", "$(a  b)"}, "the-key")
	require.NoError(t, err)
	assert.Equal(t, 3, got.Code)
	assert.Equal(t, "$(a  b)\n", got.Stdout)
	assert.Contains(t, got.Stderr, "SECRET_OF_JOBS=yes\n")
	assert.Contains(t, got.Stderr, "RAMIFY_KEY=the-key\n")
	assert.NotContains(t, got.Stderr, "=no")

	got, err = p.Run(t.Context(), []string{"sh", "-c", "kill -QUIT $$"}, "")
	require.NoError(t, err)
	assert.Equal(t, "SIGQUIT", got.Signal)
	assert.Equal(t, -1, got.Code)

	_, err = p.Run(t.Context(), []string{"no such program"}, "")
	require.ErrorContains(t, err, `"no such program" is not found`)
	_, err = p.Run(t.Context(), nil, "")
	require.Error(t, err)
	got, err = p.Run(t.Context(), []string{"printf", `\377a`}, "")
	require.NoError(t, err)
	assert.Equal(t, "�a", got.Stdout, "what is printed as JSON is UTF-8")
}

// Its time is up: it is asked to end, and then made to.
func TestPlainExpires(t *testing.T) {
	t.Parallel()
	// The shell has to have begun by then, and to have heard of it in the second.
	p := &command.Plain{Timeout: 6 * time.Second, Grace: 6 * time.Second, Output: 1 << 10}
	got, err := p.Run(t.Context(), []string{"sh", "-c", "trap 'echo asked' TERM; while :; do sleep 0.05; done"}, "")
	require.NoError(t, err)
	assert.True(t, got.Expired)
	assert.Equal(t, "SIGKILL", got.Signal)
	assert.Contains(t, got.Stdout, "asked")
}

// Killed, it has no grace.
func TestPlainIsKilled(t *testing.T) {
	p := &command.Plain{Grace: time.Hour, Output: 1 << 10}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	begun := filepath.Join(t.TempDir(), "begun")
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(begun); err == nil {
				cancel(command.ErrKill)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	got, err := p.Run(ctx, []string{"sh", "-c", "trap '' TERM; : > \"$1\"; while :; do sleep 0.05; done", "sh", begun}, "")
	require.ErrorIs(t, err, command.ErrKill)
	assert.Equal(t, "SIGKILL", got.Signal)
}

// A task that works on trees runs no plain job: nothing but what its file of jobs names.
func TestTasksRunNoPlainJobs(t *testing.T) {
	n := &processor.Node{Kind: command.Kind, Args: schema.Args(`{"argv":["true"]}`)}
	err := command.New(command.Options{}).Process(t.Context(), n, nil)
	require.True(t, processor.IsPermanent(err), err)
	require.ErrorContains(t, err, `unknown field "argv"`)
}
