package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/file"
	"github.com/ramify/ramify/sink/sinktest"
	"github.com/ramify/ramify/sink/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	var given bytes.Buffer // outlives every crash, as what a pipe has taken does
	sinktest.Run(t, sinktest.Subject{
		Name: "*stream.Sink",
		Open: func(t *testing.T, home string) sink.Sink {
			st, err := store.Open(filepath.Join(home, "run.db"), store.Options{})
			require.NoError(t, err)
			inner, err := file.Open(t.Context(), st, file.Options{Layout: inventory.Keys.Layout()})
			require.NoError(t, err)
			s := stream.New(&given, inner)
			t.Cleanup(func() {
				assert.NoError(t, s.Close())
				assert.NoError(t, st.Close())
			})
			return s
		},
		Row:         func(text string) []byte { return []byte(text + "\n") },
		Rows:        func(*testing.T, string) []string { return strings.Split(given.String(), "\n") },
		AtLeastOnce: true,
		SmallUnits:  2000,
	})
}

func open(t *testing.T, s sink.Sink) sink.Part {
	p, err := s.Open(t.Context(), sink.Attempt{})
	require.NoError(t, err)
	return p
}

func TestBlocksAreNotTornApart(t *testing.T) {
	r, w := io.Pipe() // a write into it is read in pieces
	s := stream.New(w, sink.Discard{})
	var writers sync.WaitGroup
	for n := range 8 {
		writers.Go(func() {
			p := open(t, s)
			for i := range 50 {
				block := strings.Repeat(fmt.Sprintf("%d.%02d\n", n, i), 100)
				assert.NoError(t, p.Write(t.Context(), sink.Rows, []byte(block), 100))
			}
		})
	}
	go func() {
		writers.Wait()
		w.Close()
	}()
	all, err := io.ReadAll(r)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(all), "\n"), "\n")
	require.Len(t, lines, 8*50*100)
	for i := 0; i < len(lines); i += 100 {
		for j := range 100 {
			require.Equal(t, lines[i], lines[i+j])
		}
	}
}

func TestBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	s := stream.New(w, sink.Discard{})
	p := open(t, s)
	require.NoError(t, p.Write(t.Context(), sink.Rows, []byte("read\n"), 1))
	require.NoError(t, r.Close())
	for range 2 { // and so it stays
		err = p.Write(t.Context(), sink.Rows, []byte("not read\n"), 1)
		require.ErrorIs(t, err, stream.ErrClosed)
		require.ErrorIs(t, err, syscall.EPIPE)
		require.ErrorIs(t, err, sink.ErrFull, "retrying does not help")
	}
	require.NoError(t, p.Write(t.Context(), sink.Prefixes, []byte("x"), 1), "other streams go on")
}

// After half a block nothing may follow.
func TestFailedWriteEndsTheStream(t *testing.T) {
	w := &short{}
	s := stream.New(w, sink.Discard{})
	p := open(t, s)
	require.ErrorIs(t, p.Write(t.Context(), sink.Rows, []byte("abcdef\n"), 1), errShort)
	err := p.Write(t.Context(), sink.Rows, []byte("next\n"), 1)
	require.ErrorIs(t, err, errShort)
	require.NotErrorIs(t, err, stream.ErrClosed)
	assert.Equal(t, "abc", w.String())
}

var errShort = errors.New("disk quota")

type short struct{ bytes.Buffer }

func (s *short) Write(b []byte) (int, error) {
	n, _ := s.Buffer.Write(b[:len(b)/2])
	return n, errShort
}

// A reader that does not read must not keep a task from stopping.
func TestWaitingForTheWriterEndsWithTheContext(t *testing.T) {
	r, w := io.Pipe()
	s := stream.New(w, sink.Discard{})
	p := open(t, s)
	var first sync.WaitGroup
	first.Go(func() { assert.NoError(t, p.Write(t.Context(), sink.Rows, []byte("first\n"), 1)) })
	var one [1]byte
	_, err := io.ReadFull(r, one[:]) // the first write is under way
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.Write(ctx, sink.Rows, []byte("second\n"), 1), context.Canceled)
	rest := make([]byte, len("irst\n"))
	_, err = io.ReadFull(r, rest)
	require.NoError(t, err)
	first.Wait()
	assert.Equal(t, "irst\n", string(rest))
}
