package scaling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schema"
)

func TestKnobs(t *testing.T) {
	require.NoError(t, scaling.Defaults().Check())
	cases := []struct {
		field, value string
		set          func(k *scaling.Knobs)
	}{
		{"min", "-1", func(k *scaling.Knobs) { k.Min = -1 }},
		{"max", "0", func(k *scaling.Knobs) { k.Max = 0 }},
		{"max", "3", func(k *scaling.Knobs) { k.Min, k.Max = 4, 3 }},
		{"max", "3126", func(k *scaling.Knobs) { k.Max = 3126 }}, // 32 slots each: 100,032 messages
		{"concurrency", "0", func(k *scaling.Knobs) { k.Concurrency = 0 }},
		{"target", "0s", func(k *scaling.Knobs) { k.Target = 0 }},
		{"launch", "-1s", func(k *scaling.Knobs) { k.Launch = -time.Second }},
		{"acceptable", "0s", func(k *scaling.Knobs) { k.Acceptable = 0 }},
		{"rule", "guess", func(k *scaling.Knobs) { k.Rule = "guess" }},
	}
	for _, c := range cases {
		k := scaling.Defaults()
		c.set(&k)
		var field *schema.FieldError
		require.ErrorAs(t, k.Check(), &field, c.field)
		assert.Equal(t, c.field, field.Field)
		assert.Equal(t, c.value, field.Value)
	}
	k := scaling.Defaults()
	k.Max = 1562
	require.NoError(t, k.Check(), "all tasks do 50,000 things at a time")
	k.Max++
	require.Error(t, k.Check())
}

// at is a time of a test.
func at(seconds int) time.Time { return time.Unix(1_800_000_000+int64(seconds), 0) }

// see is one look at a fleet of which all is known.
func see(seconds int, q scaling.Queue, running, pending, desired int) scaling.Sample {
	return scaling.Sample{
		At: at(seconds), Queue: &q, Service: &scaling.Service{Running: running, Pending: pending, Desired: desired},
		Ledger: &scaling.Ledger{Unsettled: q.Outstanding() > 0},
	}
}

// A message is guessed to take 0.1 s, and a task has 32 slots: 320 of them are a
// task-second, 4,800 keep a task for the target of 15 s.
func TestOneLook(t *testing.T) {
	unread := func(n int64) scaling.Queue { return scaling.Queue{Unread: n} }
	flying := func(n int64) scaling.Queue { return scaling.Queue{InFlight: n} }
	cases := []struct {
		name                      string
		queue                     scaling.Queue
		running, pending, desired int
		wanted, want              int
		reason                    scaling.Reason
	}{
		{"nothing at all", unread(0), 0, 0, 0, 0, 0, scaling.Finished},
		{"one message, no task", unread(1), 0, 0, 0, 1, 1, scaling.More},
		{"one delayed message, no task", scaling.Queue{Delayed: 1}, 0, 0, 0, 1, 1, scaling.More},
		{"no task runs: the whole backlog counts", unread(48_000), 0, 0, 0, 10, 10, scaling.More},
		{"just what one task does in time", unread(4_800), 1, 0, 1, 1, 1, scaling.Enough},
		{"one more", unread(4_801), 1, 0, 1, 2, 2, scaling.More},
		{"in flight counts as much", flying(4_801), 151, 0, 151, 2, 151, scaling.Enough},
		{"all three count", scaling.Queue{Unread: 1_600, InFlight: 1_600, Delayed: 1_601}, 1, 0, 1, 2, 2, scaling.More},
		{"launches count as desired", unread(48_000), 1, 9, 10, 10, 10, scaling.Enough},
		{"no more than max", unread(10_000_000), 1, 0, 1, 200, 200, scaling.More},
		{"at max", unread(10_000_000), 200, 0, 200, 200, 200, scaling.Enough},
		{"less backlog keeps what can be busy", unread(3_200), 100, 0, 100, 1, 100, scaling.Enough},
		{"fewer slots are busy", flying(3_168), 100, 0, 100, 1, 99, scaling.Fewer},
		{"a slot more keeps the last task", flying(3_169), 100, 0, 100, 1, 100, scaling.Enough},
		{"the last message, nothing unread", flying(1), 10, 0, 10, 1, 1, scaling.Fewer},
		{"the last message on the last task", flying(1), 1, 0, 1, 1, 1, scaling.Enough},
		{"not fewer while tasks are launched", flying(3_168), 95, 5, 100, 1, 99, scaling.Collapsed},
		{"launches are called off after a collapse", unread(320), 50, 150, 200, 1, 10, scaling.Collapsed},
		{"but not before it wants half", scaling.Queue{Unread: 1_000}, 1, 1, 2, 1, 2, scaling.Enough},
		{"all done", unread(0), 200, 0, 200, 0, 0, scaling.Finished},
		{"all done, launches pending", unread(0), 20, 180, 200, 0, 0, scaling.Finished},
		{"more desired than max", unread(10_000_000), 300, 0, 300, 200, 200, scaling.OutOfRange},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, d := scaling.New(scaling.Defaults()).Look(see(0, c.queue, c.running, c.pending, c.desired))
			assert.Equal(t, c.want, d.Desired)
			assert.Equal(t, c.wanted, d.Wanted)
			assert.Equal(t, c.reason, d.Reason)
			assert.Equal(t, c.want != c.desired, d.Change)
		})
	}
}

func TestMinimum(t *testing.T) {
	k := scaling.Defaults()
	k.Min = 3
	_, d := scaling.New(k).Look(see(0, scaling.Queue{}, 0, 0, 0))
	assert.Equal(t, 3, d.Desired)
	assert.Equal(t, scaling.OutOfRange, d.Reason)
	_, d = scaling.New(k).Look(see(0, scaling.Queue{InFlight: 1}, 9, 0, 9))
	assert.Equal(t, 3, d.Desired, "not below the minimum")
	_, d = scaling.New(k).Look(see(0, scaling.Queue{}, 9, 0, 9))
	assert.Equal(t, 3, d.Desired, "back to the minimum")
}

func TestWhatIsNotKnown(t *testing.T) {
	busy, idle := see(0, scaling.Queue{Unread: 48_000}, 1, 0, 1), see(0, scaling.Queue{}, 5, 0, 5)
	cases := []struct {
		name    string
		sample  scaling.Sample
		forget  func(s *scaling.Sample)
		reason  scaling.Reason
		desired int
		missing []string
	}{
		{
			"queue", busy, func(s *scaling.Sample) { s.Queue = nil }, scaling.Unknown, 0,
			[]string{scaling.MetricUnread, scaling.MetricInFlight, scaling.MetricDelayed, scaling.MetricOutstanding, scaling.MetricBacklogPerTask, scaling.MetricBacklogSeconds, scaling.MetricBacklogSecondsSoon, scaling.MetricAsleep, scaling.MetricIdle, scaling.MetricWanted, scaling.MetricSurplus},
		},
		{
			"service", busy, func(s *scaling.Sample) { s.Service = nil }, scaling.Unknown, 0,
			[]string{scaling.MetricRunning, scaling.MetricPending, scaling.MetricDesired, scaling.MetricBacklogPerTask, scaling.MetricBacklogSeconds, scaling.MetricBacklogSecondsSoon, scaling.MetricAsleep, scaling.MetricIdle, scaling.MetricWanted, scaling.MetricSurplus},
		},
		{
			"ledger, with a backlog", busy, func(s *scaling.Sample) { s.Ledger = nil }, scaling.Unmeasured, 1,
			[]string{scaling.MetricSecondsPerMessage, scaling.MetricBacklogSeconds, scaling.MetricBacklogSecondsSoon, scaling.MetricWanted},
		},
		{"ledger, with none", idle, func(s *scaling.Sample) { s.Ledger = nil }, scaling.Unsettled, 5, []string{scaling.MetricSecondsPerMessage, scaling.MetricIdle}},
		{"there is no ledger", busy, func(s *scaling.Sample) { s.Ledger, s.Bare = nil, true }, scaling.More, 10, []string{scaling.MetricSecondsPerMessage}},
		{"nothing is unsettled", idle, func(*scaling.Sample) {}, scaling.Finished, 0, nil},
		{"a run is not settled", idle, func(s *scaling.Sample) { s.Ledger.Unsettled = true }, scaling.Unsettled, 5, nil},
		{"age", busy, func(s *scaling.Sample) { s.Oldest = nil }, scaling.More, 10, []string{scaling.MetricOldestAge}},
	}
	every := []string{
		scaling.MetricUnread, scaling.MetricInFlight, scaling.MetricDelayed, scaling.MetricOutstanding, scaling.MetricOldestAge,
		scaling.MetricRunning, scaling.MetricPending, scaling.MetricDesired, scaling.MetricSecondsPerMessage,
		scaling.MetricBacklogPerTask, scaling.MetricBacklogSeconds, scaling.MetricBacklogSecondsSoon, scaling.MetricAsleep, scaling.MetricIdle,
		scaling.MetricWanted, scaling.MetricSurplus,
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			age := time.Minute
			s := c.sample
			ledger := *s.Ledger
			s.Oldest, s.Ledger = &age, &ledger
			c.forget(&s)
			m, d := scaling.New(scaling.Defaults()).Look(s)
			assert.Equal(t, c.reason, d.Reason)
			assert.Equal(t, c.desired, d.Desired)
			assert.False(t, d.Change && c.reason == scaling.Unknown, "a change without knowing")
			for _, name := range every {
				_, known := m.Get(name)
				assert.Equal(t, !contains(c.missing, name), known, name)
			}
		})
	}
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func TestMetrics(t *testing.T) {
	age := 90 * time.Second
	get := func(s scaling.Sample, name string) float64 {
		m, _ := scaling.New(scaling.Defaults()).Look(s)
		v, ok := m.Get(name)
		require.True(t, ok, name)
		return v
	}
	s := see(0, scaling.Queue{Unread: 640, InFlight: 64, Delayed: 16}, 2, 1, 3)
	s.Oldest = &age
	for name, want := range map[string]float64{
		scaling.MetricUnread: 640, scaling.MetricInFlight: 64, scaling.MetricDelayed: 16, scaling.MetricOutstanding: 720,
		scaling.MetricOldestAge: 90, scaling.MetricRunning: 2, scaling.MetricPending: 1, scaling.MetricDesired: 3,
		scaling.MetricSecondsPerMessage: 0.1, scaling.MetricBacklogPerTask: 320, scaling.MetricBacklogSeconds: 1.125,
		scaling.MetricBacklogSecondsSoon: 0.75, scaling.MetricAsleep: 0, scaling.MetricIdle: 0, scaling.MetricWanted: 1, scaling.MetricSurplus: 0,
	} {
		assert.InDelta(t, want, get(s, name), 1e-9, name)
	}
	// No task running counts as the whole backlog, and wakes only where none is desired.
	s = see(0, scaling.Queue{Unread: 640}, 0, 0, 0)
	assert.InDelta(t, 640, get(s, scaling.MetricBacklogPerTask), 1e-9)
	assert.InDelta(t, 2, get(s, scaling.MetricBacklogSeconds), 1e-9)
	assert.InDelta(t, 1, get(s, scaling.MetricAsleep), 1e-9)
	assert.InDelta(t, 0, get(see(0, scaling.Queue{Unread: 640}, 0, 1, 1), scaling.MetricAsleep), 1e-9)
	// Zeros are published.
	s = see(0, scaling.Queue{}, 0, 0, 0)
	for _, name := range []string{scaling.MetricUnread, scaling.MetricOutstanding, scaling.MetricBacklogPerTask, scaling.MetricBacklogSeconds, scaling.MetricBacklogSecondsSoon, scaling.MetricAsleep, scaling.MetricIdle, scaling.MetricWanted, scaling.MetricSurplus} {
		assert.Zero(t, get(s, name), name)
	}
}
