package embedded_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/jobqueue/embedded"
	"github.com/ramify/ramify/jobqueue/jobqueuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string, o embedded.Options) *embedded.Queues {
	t.Helper()
	s, err := store.Open(path, store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	q, err := embedded.Open(t.Context(), s, o)
	require.NoError(t, err)
	return q
}

func TestQueues(t *testing.T) {
	jobqueuetest.Run(t, func(t *testing.T) jobqueuetest.Subject {
		q := open(t, filepath.Join(t.TempDir(), "jobs.db"), embedded.Options{})
		return jobqueuetest.Subject{Queues: q, Past: q}
	})
}

// Two processes have the file open: each message comes to one of them, and a waiting
// receive of one sees what the other sends.
func TestSeveralProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	a, b := open(t, path, embedded.Options{}), open(t, path, embedded.Options{})
	const n = 200
	got := make(chan string, 2*n)
	done := make(chan struct{})
	for _, q := range []*embedded.Queues{a, b} {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				all, err := q.Receive(t.Context(), "q", jobqueue.Request{Max: 7, Wait: time.Second, Visibility: time.Minute})
				if err != nil || len(all) == 0 {
					return
				}
				for _, d := range all {
					got <- string(d.Body)
					if q.Delete(t.Context(), "q", d.Receipt) != nil {
						return
					}
				}
			}
		}()
		for range n / 2 {
			require.NoError(t, q.Send(t.Context(), []jobqueue.Posting{{Queue: "q", Failed: "q_failed", Body: []byte("x")}})[0].Err)
		}
	}
	<-done
	<-done
	require.Len(t, got, n)
}

// A job may be tried as often as its queue allows, and the failed queue keeps it.
func TestTries(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "jobs.db"), embedded.Options{Tries: 3})
	require.NoError(t, q.Send(t.Context(), []jobqueue.Posting{{Queue: "q", Failed: "q_failed", Body: []byte("x")}})[0].Err)
	for i := range 3 {
		got, err := q.Receive(t.Context(), "q", jobqueue.Request{Max: 1, Visibility: time.Minute})
		require.NoError(t, err)
		require.Len(t, got, 1, "try %d", i+1)
		require.Equal(t, i+1, got[0].Receives)
		require.NoError(t, q.Extend(t.Context(), "q", got[0].Receipt, 0))
		require.ErrorIs(t, q.Extend(t.Context(), "q", got[0].Receipt, time.Minute), jobqueue.ErrLeaseLost)
	}
	got, err := q.Receive(t.Context(), "q", jobqueue.Request{Max: 1, Visibility: time.Minute})
	require.NoError(t, err)
	require.Empty(t, got)
	for range 5 {
		got, err = q.Receive(t.Context(), "q_failed", jobqueue.Request{Max: 1, Visibility: time.Minute})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.NoError(t, q.Extend(t.Context(), "q_failed", got[0].Receipt, 0))
	}
}

// What is asked for to hurry returns at once.
func TestHurry(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "jobs.db"), embedded.Options{})
	require.NoError(t, q.Send(t.Context(), []jobqueue.Posting{{Queue: "q", Body: []byte("x"), Delay: time.Minute}})[0].Err)
	hurry := make(chan struct{})
	close(hurry)
	got, err := q.Receive(t.Context(), "q", jobqueue.Request{Max: 1, Wait: time.Hour, Visibility: time.Minute, Hurry: hurry})
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestQuiet(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "jobs.db"), embedded.Options{})
	began := time.Now()
	require.NoError(t, q.Send(t.Context(), []jobqueue.Posting{{Queue: "q", Failed: "q_failed", Body: []byte("x")}})[0].Err)
	quiet := func(since time.Time) bool {
		t.Helper()
		is, err := q.Quiet(t.Context(), "q", since)
		require.NoError(t, err)
		return is
	}
	require.False(t, quiet(began))
	require.False(t, quiet(time.Now()), "something is in it")
	got, err := q.Receive(t.Context(), "q", jobqueue.Request{Max: 1, Visibility: time.Minute})
	require.NoError(t, err)
	require.NoError(t, q.Delete(t.Context(), "q", got[0].Receipt))
	require.False(t, quiet(began))
	require.True(t, quiet(time.Now()))
}
