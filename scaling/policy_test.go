package scaling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/scaling"
)

// value is a metric of a look.
func value(t *testing.T, k scaling.Knobs, s scaling.Sample, name string) float64 {
	t.Helper()
	m, _ := scaling.New(k).Look(s)
	v, ok := m.Get(name)
	require.True(t, ok, name)
	return v
}

// The alarm that sends a fleet to sleep looks back five minutes. They must not be
// those before a seed, or it undoes what the seed started.
func TestAFleetAtItsMinimumIsNotIdle(t *testing.T) {
	warm := scaling.Defaults()
	warm.Min = 2
	away := see(0, scaling.Queue{}, 0, 0, 0)
	away.Ledger = nil
	above, bare := see(0, scaling.Queue{}, 3, 0, 3), see(0, scaling.Queue{}, 3, 0, 3)
	above.Ledger, bare.Ledger, bare.Bare = nil, nil, true
	open, paused := see(0, scaling.Queue{}, 3, 0, 3), see(0, scaling.Queue{Unread: 5}, 3, 0, 3)
	open.Ledger.Unsettled = true
	paused.Ledger = &scaling.Ledger{Paused: true}
	for _, c := range []struct {
		name string
		k    scaling.Knobs
		s    scaling.Sample
		want float64
	}{
		{"at the minimum, which is none", scaling.Defaults(), see(0, scaling.Queue{}, 0, 0, 0), 0},
		{"at the minimum of two", warm, see(0, scaling.Queue{}, 2, 0, 2), 0},
		{"at the minimum, the ledger away", scaling.Defaults(), away, 0},
		{"above the minimum", warm, see(0, scaling.Queue{}, 3, 0, 3), 1},
		{"above the minimum, not yet running", scaling.Defaults(), see(0, scaling.Queue{}, 0, 1, 1), 1},
		{"above the minimum, there is no ledger", scaling.Defaults(), bare, 1},
		{"a run is not settled", scaling.Defaults(), open, 0},
		{"one message in flight", scaling.Defaults(), see(0, scaling.Queue{InFlight: 1}, 3, 0, 3), 0},
		{"all that waits is paused", scaling.Defaults(), paused, 1},
	} {
		assert.InDelta(t, c.want, value(t, c.k, c.s, scaling.MetricIdle), 0, c.name)
	}
	m, _ := scaling.New(scaling.Defaults()).Look(above)
	_, known := m.Get(scaling.MetricIdle)
	assert.False(t, known, "the ledger is away: a run may go on whose messages the queue has lost")
}

// What the queue has lost, a task sweeps: without a governor an alarm starts it.
func TestARunWithoutMessagesIsAsleep(t *testing.T) {
	s := see(0, scaling.Queue{}, 0, 0, 0)
	assert.InDelta(t, 0, value(t, scaling.Defaults(), s, scaling.MetricAsleep), 0)
	s.Ledger.Unsettled = true
	assert.InDelta(t, 1, value(t, scaling.Defaults(), s, scaling.MetricAsleep), 0)
	s.Ledger = &scaling.Ledger{Paused: true}
	assert.InDelta(t, 0, value(t, scaling.Defaults(), s, scaling.MetricAsleep), 0, "it waits for people")
}

// While 99 of 100 tasks are launched, target tracking times what the one that runs
// needs, which a minute's average mixes with what runs now, is a hundred times too many.
func TestTheNetCountsLaunches(t *testing.T) {
	k := scaling.Defaults()
	net := scaling.Net(k)
	out := scaling.Queue{Unread: 480_000}
	launching := see(0, out, 1, 99, 100)
	assert.InDelta(t, 1500, value(t, k, launching, scaling.MetricBacklogSeconds), 1e-9)
	assert.InDelta(t, 15, value(t, k, launching, net.Metric), 1e-9)
	assert.Less(t, value(t, k, launching, net.Metric), net.Target, "what is launched is enough")
	for _, running := range []int{0, 1, 7} {
		s := see(0, out, running, 0, running)
		assert.InDelta(t, value(t, k, s, scaling.MetricBacklogSeconds), value(t, k, s, net.Metric), 1e-9, "nothing is launched")
	}
	assert.False(t, net.In, "the governor takes away")
}

func TestTracks(t *testing.T) {
	k := scaling.Defaults()
	perTask := scaling.Tracks(k, scaling.MetricBacklogPerTask, scaling.Guess)
	require.Len(t, perTask, 2)
	assert.InDelta(t, 38_400, perTask[0].Target, 1e-9, "120 s of messages of 0.1 s, 32 at a time")
	assert.Equal(t, scaling.MetricBacklogSeconds, perTask[1].Metric, "what is in flight counts, too")
	seconds := scaling.Tracks(k, scaling.MetricBacklogSeconds, time.Second)
	require.Len(t, seconds, 1)
	assert.InDelta(t, 120, seconds[0].Target, 1e-9)
}

// Whoever was woken, or sent to sleep, needs no alarm to do it again.
func TestAppliedDecisionsQuietAlarms(t *testing.T) {
	for name, s := range map[string]scaling.Sample{
		scaling.MetricAsleep: see(0, scaling.Queue{Unread: 1}, 0, 0, 0), scaling.MetricIdle: see(0, scaling.Queue{}, 1, 0, 1),
	} {
		m, d := scaling.New(scaling.Defaults()).Look(s)
		v, _ := m.Get(name)
		assert.InDelta(t, 1, v, 0, name)
		m.Applied(d)
		v, _ = m.Get(name)
		assert.InDelta(t, 0, v, 0, name)
	}
}
