package hostile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/hostile"
)

// world is a queue under some faults, on a fake clock.
type world struct {
	*testing.T
	*hostile.Queue
}

func in(t *testing.T, f hostile.Faults, test func(w world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q := hostile.New(1, f)
		t.Cleanup(func() { require.NoError(t, q.Close()) })
		test(world{t, q})
	})
}

func (w world) post(bodies ...string) []error {
	entries := make([]queue.Entry, len(bodies))
	for i, b := range bodies {
		entries[i].Body = []byte(b)
	}
	return w.Send(w.Context(), entries)
}

func (w world) get(wait time.Duration) []queue.Delivery {
	got, err := w.Receive(w.Context(), queue.Request{Max: 10, Wait: wait, Visibility: time.Minute})
	require.NoError(w, err)
	return got
}

func (w world) delete(d queue.Delivery) error {
	return w.Delete(w.Context(), []queue.Receipt{d.Receipt})[0]
}

func (w world) extend(d queue.Delivery, by time.Duration) error {
	return w.Extend(w.Context(), []queue.Lease{{Receipt: d.Receipt, Visibility: by}})[0]
}

func TestTwinIsHeldTwiceAtOnce(t *testing.T) {
	in(t, hostile.Faults{Twin: 1}, func(w world) {
		w.post("a")
		got := w.get(0)
		require.Len(w, got, 2)
		require.Equal(w, got[0].Body, got[1].Body)
		for _, d := range got {
			require.NoError(w, w.extend(d, time.Hour), "both receipts are valid")
			require.NoError(w, w.delete(d))
		}
		require.Empty(w, w.get(2*time.Hour), "each copy was deleted; a twin has none of its own")
	})
}

func TestLyingCount(t *testing.T) {
	in(t, hostile.Faults{Lie: 1}, func(w world) {
		w.post("a")
		w.get(0)
		require.Equal(w, 1, w.get(time.Hour)[0].Receives)
		w.Set(hostile.Faults{})
		require.Equal(w, 3, w.get(time.Hour)[0].Receives)
	})
}

func TestReorder(t *testing.T) {
	in(t, hostile.Faults{Reorder: 1}, func(w world) {
		var sent, got []string
		for i := range 10 {
			sent = append(sent, fmt.Sprint(i))
		}
		w.post(sent...)
		for _, d := range w.get(0) {
			got = append(got, string(d.Body))
		}
		require.ElementsMatch(w, sent, got)
		require.NotEqual(w, sent, got)
	})
}

func TestLostSends(t *testing.T) {
	in(t, hostile.Faults{Send: hostile.Loss{Before: 1}}, func(w world) {
		require.ErrorIs(w, w.post("a")[0], hostile.ErrFault)
		require.Empty(w, w.get(time.Minute))
	})
	in(t, hostile.Faults{Send: hostile.Loss{After: 1}}, func(w world) {
		require.ErrorIs(w, w.post("a")[0], hostile.ErrFault)
		require.Len(w, w.get(0), 1)
	})
	in(t, hostile.Faults{Send: hostile.Loss{Half: 1}}, func(w world) {
		errs := w.post("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
		there := map[string]bool{}
		for _, d := range w.get(0) {
			there[string(d.Body)] = true
		}
		require.NotEmpty(w, there)
		require.Less(w, len(there), 10)
		for i, err := range errs {
			require.Equal(w, there[fmt.Sprint(i)], err == nil, "entry %d: %v", i, err)
		}
		require.Equal(w, hostile.Count{Calls: 1, Entries: 10, Faults: 10 - len(there)}, w.Calls().Send)
	})
}

func TestLostDeletes(t *testing.T) {
	in(t, hostile.Faults{Forget: 1}, func(w world) {
		w.post("a")
		require.NoError(w, w.delete(w.get(0)[0]))
		require.Len(w, w.get(2*time.Minute), 1, "it comes back though its delete succeeded")
	})
	in(t, hostile.Faults{Delete: hostile.Loss{After: 1}}, func(w world) {
		w.post("a")
		require.ErrorIs(w, w.delete(w.get(0)[0]), hostile.ErrFault)
		require.Empty(w, w.get(time.Hour), "it was deleted though its delete failed")
	})
	in(t, hostile.Faults{Ghost: 1, LateBy: time.Minute}, func(w world) {
		w.post("a")
		require.NoError(w, w.delete(w.get(0)[0]))
		ghost := w.get(time.Hour)
		require.Len(w, ghost, 1, "it comes back after its delete")
		require.NoError(w, w.delete(ghost[0]))
		require.Empty(w, w.get(time.Hour), "and only once")
	})
}

func TestStaleDelete(t *testing.T) {
	deleted, refused := 0, 0
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			w := world{t, hostile.New(seed, hostile.Faults{Stale: 0.5})}
			defer w.Close()
			w.post("a")
			stale := w.get(0)[0]
			require.NoError(w, w.extend(stale, 0))
			require.Len(w, w.get(0), 1)
			if err := w.delete(stale); err != nil {
				require.ErrorIs(w, err, queue.ErrLeaseLost)
				refused++
			}
			if len(w.get(time.Hour)) == 0 {
				deleted++
			}
		})
	}
	require.InDelta(t, 20, deleted, 15)
	require.InDelta(t, 20, refused, 15)
}

func TestLeases(t *testing.T) {
	in(t, hostile.Faults{Expire: 1}, func(w world) {
		w.post("a")
		start := time.Now()
		d := w.get(0)[0]
		w.get(time.Hour)
		require.Less(w, time.Since(start), time.Minute, "the lease ended early")
		require.ErrorIs(w, w.extend(d, time.Hour), queue.ErrLeaseLost)
	})
	in(t, hostile.Faults{Late: 1, LateBy: time.Hour}, func(w world) {
		start := time.Now()
		w.post("a")
		require.Len(w, w.get(2*time.Hour), 1)
		require.Positive(w, time.Since(start), "it was visible late")
	})
	in(t, hostile.Faults{Deny: 1}, func(w world) {
		w.post("a")
		d := w.get(0)[0]
		require.ErrorIs(w, w.extend(d, time.Hour), queue.ErrLeaseLost)
		w.Set(hostile.Faults{})
		require.NoError(w, w.extend(d, time.Hour), "it was held all the time")
	})
}

func TestEmptyAndLostReceives(t *testing.T) {
	in(t, hostile.Faults{Empty: 1}, func(w world) {
		w.post("a")
		start := time.Now()
		require.Empty(w, w.get(time.Hour))
		require.Zero(w, time.Since(start))
	})
	in(t, hostile.Faults{Receive: hostile.Loss{After: 1}}, func(w world) {
		w.post("a")
		_, err := w.Receive(w.Context(), queue.Request{Max: 1, Visibility: time.Minute})
		require.ErrorIs(w, err, hostile.ErrFault)
		w.Set(hostile.Faults{})
		require.Empty(w, w.get(0), "held by nobody")
		require.Len(w, w.get(time.Hour), 1, "until the lease ends")
	})
}

func TestRetention(t *testing.T) {
	in(t, hostile.Faults{Retention: time.Hour}, func(w world) {
		w.post("a")
		require.Len(w, w.get(0), 1)
		_ = w.extend(w.get(time.Hour)[0], 2*time.Hour)
		require.Empty(w, w.get(3*time.Hour))
		d, err := w.Depth(w.Context())
		require.NoError(w, err)
		require.Zero(w, d.Total())
	})
}

func TestLatencyAndStalls(t *testing.T) {
	in(t, hostile.Faults{Latency: time.Second}, func(w world) {
		start := time.Now()
		w.post("a")
		require.Positive(w, time.Since(start))
		require.LessOrEqual(w, time.Since(start), 2*time.Second)
	})
	in(t, hostile.Faults{Stall: 1, StallFor: time.Hour}, func(w world) {
		ctx, cancel := context.WithTimeout(w.Context(), time.Nanosecond)
		defer cancel()
		errs := w.Send(ctx, []queue.Entry{{Body: []byte("a")}})
		require.ErrorIs(w, errs[0], context.DeadlineExceeded)
	})
}

func TestRefusesWhatTheContractDoesNotAllow(t *testing.T) {
	in(t, hostile.Faults{}, func(w world) {
		many := map[string]string{}
		for i := range 9 {
			many[fmt.Sprint(i)] = "v"
		}
		for _, e := range []queue.Entry{
			{},
			{Body: []byte("\xff")},
			{Body: []byte("a"), Attrs: many},
			{Body: []byte("a"), Delay: -1},
			{Body: []byte("a"), Delay: w.Limits().Delay + 1},
		} {
			err := w.Send(w.Context(), []queue.Entry{e})[0]
			require.Error(w, err, "%+v", e)
			require.NotErrorIs(w, err, queue.ErrTooLarge)
		}
		for _, r := range []queue.Request{{Visibility: 1}, {Max: 1}, {Max: 1, Visibility: w.Limits().Visibility + 1}} {
			_, err := w.Receive(w.Context(), r)
			require.Error(w, err, "%+v", r)
		}
		w.post("a")
		d := w.get(0)[0]
		for _, v := range []time.Duration{-1, w.Limits().Visibility + 1} {
			require.Error(w, w.extend(d, v))
		}
		time.Sleep(30 * time.Second) // on the fake clock
		require.Error(w, w.extend(d, w.Limits().Visibility), "held too long since its receipt")
		require.Error(w, w.delete(queue.Delivery{Receipt: "what?"}))
	})
}

// script is what happens to one caller that sends, receives, extends and deletes.
func script(t *testing.T, seed uint64) (log string) {
	synctest.Test(t, func(t *testing.T) {
		w := world{t, hostile.New(seed, hostile.Unkind(0.2))}
		defer w.Close()
		var b strings.Builder
		start := time.Now()
		for round := range 30 {
			fmt.Fprintln(&b, w.post(fmt.Sprint("a", round), fmt.Sprint("b", round)))
			got, err := w.Receive(w.Context(), queue.Request{Max: 3, Wait: time.Second, Visibility: time.Second})
			fmt.Fprintln(&b, err)
			for _, d := range got {
				fmt.Fprintf(&b, "%s %q %d %v %v\n", d.Body, d.Receipt, d.Receives, w.extend(d, time.Minute), w.delete(d))
			}
			d, err := w.Depth(w.Context())
			fmt.Fprintln(&b, d, err, time.Since(start))
		}
		fmt.Fprintln(&b, w.Calls())
		log = b.String()
	})
	return log
}

func TestSeedReplays(t *testing.T) {
	var logs []string
	for seed := range uint64(20) {
		log := script(t, seed)
		require.Equal(t, log, script(t, seed), "seed %d", seed)
		require.NotContains(t, logs, log, "two seeds, one story")
		logs = append(logs, log)
	}
	require.False(t, slices.Contains(logs, ""))
}
