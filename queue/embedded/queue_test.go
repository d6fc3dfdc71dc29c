package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/embedded"
)

// opened is a queue and its store, and how they end.
type opened struct {
	*embedded.Queue
	store *store.Store
}

func (o opened) close(t *testing.T) {
	t.Helper()
	require.NoError(t, o.Close())
	require.NoError(t, o.store.Close())
}

func open(t *testing.T, path string) opened {
	t.Helper()
	s := openStore(t, path, store.Options{Owner: true})
	return opened{openQueue(t, s), s}
}

func send(t *testing.T, q *embedded.Queue, bodies ...string) {
	t.Helper()
	entries := make([]queue.Entry, len(bodies))
	for i, b := range bodies {
		entries[i].Body = []byte(b)
	}
	allNil(t, q.Send(t.Context(), entries))
}

func receive(t *testing.T, q *embedded.Queue, n int, visibility time.Duration) []queue.Delivery {
	t.Helper()
	got, err := q.Receive(t.Context(), queue.Request{Max: n, Visibility: visibility})
	require.NoError(t, err)
	return got
}

func remove(t *testing.T, q *embedded.Queue, got ...queue.Delivery) {
	t.Helper()
	receipts := make([]queue.Receipt, len(got))
	for i, d := range got {
		receipts[i] = d.Receipt
	}
	allNil(t, q.Delete(t.Context(), receipts))
}

func allNil(t *testing.T, errs []error) {
	t.Helper()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func bodies(got []queue.Delivery) (b []string) {
	for _, d := range got {
		b = append(b, string(d.Body))
	}
	return b
}

func depth(t *testing.T, q *embedded.Queue) queue.Depth {
	t.Helper()
	d, err := q.Depth(t.Context())
	require.NoError(t, err)
	return d
}

func TestNewestFirst(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "run.db"))
	send(t, q.Queue, "1", "2")
	send(t, q.Queue, "3")
	assert.Equal(t, []string{"3", "2", "1"}, bodies(receive(t, q.Queue, 10, time.Hour)))
}

func TestOldestFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	q := open(t, path)
	send(t, q.Queue, "1", "2")
	q.OldestFirst() // also of what is there
	send(t, q.Queue, "3")
	assert.Equal(t, []string{"1", "2"}, bodies(receive(t, q.Queue, 2, time.Hour)))
	send(t, q.Queue, "4")
	q.close(t)
	q = open(t, path)
	q.OldestFirst()
	send(t, q.Queue, "5")
	assert.Equal(t, []string{"1", "2", "3", "4", "5"}, bodies(receive(t, q.Queue, 10, time.Hour)))
}

// inBothOrders runs a test on queues that deliver the newest and the oldest first.
func inBothOrders(t *testing.T, test func(t *testing.T, open func(*testing.T, string) opened)) {
	t.Helper()
	t.Run("newest first", func(t *testing.T) { test(t, open) })
	t.Run("oldest first", func(t *testing.T) {
		test(t, func(t *testing.T, path string) opened {
			q := open(t, path)
			q.OldestFirst()
			return q
		})
	})
}

func TestRestartMakesSuspect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	q := open(t, path)
	send(t, q.Queue, "never received", "received", "deleted")
	got := receive(t, q.Queue, 2, time.Hour)
	remove(t, q.Queue, got[0])
	q.close(t)

	q = open(t, path)
	assert.Equal(t, queue.Depth{Visible: 2}, depth(t, q.Queue), "leases end with their process")
	for _, err := range q.Delete(t.Context(), []queue.Receipt{got[1].Receipt}) {
		require.ErrorIs(t, err, queue.ErrLeaseLost, "a receipt of an earlier opening")
	}
	send(t, q.Queue, "new")
	again := append(receive(t, q.Queue, 1, time.Hour), receive(t, q.Queue, 10, time.Hour)...)
	require.Equal(t, []string{"new", "received", "never received"}, bodies(again))
	assert.Equal(t, 1, again[0].Receives)
	assert.Equal(t, 2, again[1].Receives)
	assert.Equal(t, 2, again[2].Receives)
	assert.NotEqual(t, got[1].Receipt, again[1].Receipt)
	for _, err := range q.Extend(t.Context(), []queue.Lease{{Receipt: got[1].Receipt, Visibility: time.Hour}}) {
		require.ErrorIs(t, err, queue.ErrLeaseLost)
	}
	allNil(t, q.Extend(t.Context(), []queue.Lease{{Receipt: again[1].Receipt}}))
	assert.Equal(t, 3, receive(t, q.Queue, 1, time.Hour)[0].Receives)
	remove(t, q.Queue, again[0], again[2])
	q.close(t)

	q = open(t, path)
	assert.Equal(t, []string{"received"}, bodies(receive(t, q.Queue, 10, time.Hour)))
}

func TestReopeningInOneStoreMakesSuspect(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "run.db"), store.Options{Owner: true})
	q := openQueue(t, s)
	send(t, q, "sent before")
	require.NoError(t, q.Close())
	assert.Equal(t, 2, receive(t, openQueue(t, s), 1, time.Hour)[0].Receives)
}

func TestCrash(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "run.db"))
	send(t, q.Queue, "1", "2", "3")
	remove(t, q.Queue, receive(t, q.Queue, 1, time.Hour)...)
	path := filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(q.store.Path() + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+suffix, b, 0o600))
	}
	c := open(t, path)
	assert.Equal(t, []string{"2", "1"}, bodies(receive(t, c.Queue, 10, time.Hour)))
}

func TestDelaySurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "run.db")
		q := open(t, path)
		allNil(t, q.Send(t.Context(), []queue.Entry{{Body: []byte("late"), Delay: time.Minute}}))
		q.close(t)
		time.Sleep(20 * time.Second) // of the bubble
		q = open(t, path)
		assert.Equal(t, queue.Depth{Delayed: 1}, depth(t, q.Queue))
		start := time.Now()
		got, err := q.Receive(t.Context(), queue.Request{Max: 1, Wait: time.Hour, Visibility: time.Hour})
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.InDelta(t, 40*time.Second, time.Since(start), float64(time.Millisecond))
		assert.Equal(t, 2, got[0].Receives)
	})
}

// A clock that is set back makes no delay longer: each bubble's begins at the same time.
func TestDelayUnderAClockThatWasAhead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour) // of the bubble
		q := open(t, path)
		allNil(t, q.Send(t.Context(), []queue.Entry{{Body: []byte("late"), Delay: time.Minute}}))
		q.close(t)
	})
	synctest.Test(t, func(t *testing.T) {
		q := open(t, path)
		start := time.Now()
		got, err := q.Receive(t.Context(), queue.Request{Max: 1, Wait: time.Hour, Visibility: time.Hour})
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.InDelta(t, time.Minute, time.Since(start), float64(time.Millisecond))
	})
}

// More messages than are kept in memory come back from the file: each once,
// none that is held, and none that was deleted.
func TestMoreThanMemoryHolds(t *testing.T) { inBothOrders(t, testMoreThanMemoryHolds) }

func testMoreThanMemoryHolds(t *testing.T, open func(*testing.T, string) opened) {
	q := open(t, filepath.Join(t.TempDir(), "run.db"))
	const n = 15_000
	seen := map[string]int{}
	sent := 0
	sendMore := func(count int) {
		var all []string
		for range count {
			sent++
			all = append(all, fmt.Sprint(sent))
		}
		send(t, q.Queue, all...)
	}
	sendMore(100)
	kept := receive(t, q.Queue, 50, time.Hour) // held throughout, at the bottom of the file
	for sent < n {
		sendMore(1000)
		for _, d := range receive(t, q.Queue, 30, time.Hour) {
			seen[string(d.Body)]++
			remove(t, q.Queue, d)
		}
	}
	assert.Equal(t, queue.Depth{Visible: int64(sent - len(seen) - 50), InFlight: 50}, depth(t, q.Queue))
	for i := 0; ; i++ {
		got := receive(t, q.Queue, 500, time.Hour)
		if len(got) == 0 {
			break
		}
		for _, d := range got {
			seen[string(d.Body)]++
			assert.Equal(t, 1, d.Receives)
		}
		remove(t, q.Queue, got...)
		if i < 10 {
			sendMore(300) // on top of what was read from the file
		}
	}
	assert.Len(t, seen, sent-50)
	for body, times := range seen {
		require.Equal(t, 1, times, body)
	}
	assert.Equal(t, queue.Depth{InFlight: 50}, depth(t, q.Queue))
	remove(t, q.Queue, kept...)
	assert.Equal(t, queue.Depth{}, depth(t, q.Queue))
}

// Messages are read back from the file in the very transaction that sends more
// than memory holds: none is forgotten.
func TestFillAndOverflowTogether(t *testing.T) { inBothOrders(t, testFillAndOverflowTogether) }

func testFillAndOverflowTogether(t *testing.T, open func(*testing.T, string) opened) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "run.db")
		q := open(t, path)
		send(t, q.Queue, "old")
		q.close(t)
		q = open(t, path)

		in, out := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			assert.NoError(t, q.store.Update(t.Context(), func(*store.Tx) error { close(in); <-out; return nil }))
		})
		<-in
		const n = 6000
		wg.Go(func() {
			entries := make([]queue.Entry, 1000)
			for i := range entries {
				entries[i].Body = []byte("new")
			}
			var all sync.WaitGroup
			for range n / len(entries) {
				all.Go(func() { q.Send(t.Context(), entries) })
			}
			all.Wait()
		})
		synctest.Wait()
		var got []queue.Delivery
		wg.Go(func() { got, _ = q.Receive(t.Context(), queue.Request{Max: n, Visibility: time.Hour}) })
		synctest.Wait()
		close(out)
		wg.Wait()
		total := len(got)
		for {
			got := receive(t, q.Queue, n, time.Hour)
			if len(got) == 0 {
				break
			}
			total += len(got)
		}
		assert.Equal(t, n+1, total)
		assert.Equal(t, queue.Depth{InFlight: n + 1}, depth(t, q.Queue))
	})
}

func TestAMessageThatKeepsComingBackStarvesNobody(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "run.db"))
	send(t, q.Queue, "1", "2", "3", "4", "bad")
	seen := map[string]bool{}
	for range 10 {
		for _, d := range receive(t, q.Queue, 1, time.Hour) {
			seen[string(d.Body)] = true
			if string(d.Body) == "bad" {
				allNil(t, q.Extend(t.Context(), []queue.Lease{{Receipt: d.Receipt}}))
			} else {
				remove(t, q.Queue, d)
			}
		}
	}
	assert.Len(t, seen, 5)
	assert.Equal(t, queue.Depth{Visible: 1}, depth(t, q.Queue))
}

func TestQueuesOfOneFileAreApart(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "run.db"), store.Options{Owner: true})
	main := openQueue(t, s)
	dead, err := embedded.Open(t.Context(), s, "dead")
	require.NoError(t, err)
	defer dead.Close()
	send(t, main, "main")
	send(t, dead, "dead")
	assert.Equal(t, []string{"dead"}, bodies(receive(t, dead, 10, time.Hour)))
	assert.Equal(t, []string{"main"}, bodies(receive(t, main, 10, time.Hour)))

	_, err = embedded.Open(t.Context(), s, "no name; DROP TABLE")
	require.ErrorContains(t, err, "lower-case")
}

func TestAnotherProcessMayLook(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "run.db"))
	other := openQueue(t, openStore(t, q.store.Path(), store.Options{MustExist: true}))
	send(t, q.Queue, "1", "2")
	allNil(t, q.Send(t.Context(), []queue.Entry{{Body: []byte("late"), Delay: time.Minute}}))
	assert.Equal(t, queue.Depth{Visible: 2, Delayed: 1}, depth(t, other))
	_, err := other.Receive(t.Context(), queue.Request{Max: 1, Visibility: time.Hour})
	require.ErrorIs(t, err, embedded.ErrNotOwner)
	for _, err := range other.Send(t.Context(), []queue.Entry{{Body: []byte("x")}}) {
		require.ErrorIs(t, err, embedded.ErrNotOwner)
	}
	assert.Len(t, receive(t, q.Queue, 10, time.Hour), 2)
}

func TestBadEntries(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "run.db"))
	nine := map[string]string{}
	for i := range 9 {
		nine[fmt.Sprint(i)] = ""
	}
	errs := q.Send(t.Context(), []queue.Entry{
		{}, {Body: []byte("x"), Attrs: nine}, {Body: []byte("x"), Delay: time.Hour}, {Body: []byte("good")},
	})
	require.ErrorContains(t, errs[0], "empty")
	require.ErrorContains(t, errs[1], "9 attributes")
	require.ErrorContains(t, errs[2], "delay 1h")
	require.NoError(t, errs[3])
	for _, err := range q.Delete(t.Context(), []queue.Receipt{"nonsense", "1-x"}) {
		require.ErrorContains(t, err, "not one of this queue")
	}
	got := receive(t, q.Queue, 10, time.Hour)
	for _, err := range q.Extend(t.Context(), []queue.Lease{{Receipt: got[0].Receipt, Visibility: 13 * time.Hour}, {Receipt: "?"}}) {
		require.Error(t, err)
	}
	_, err := q.Receive(t.Context(), queue.Request{Max: 0, Visibility: time.Hour})
	require.ErrorContains(t, err, "out of range")
}
