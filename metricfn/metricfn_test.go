package metricfn_test

import (
	"context"
	"maps"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schema"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}

// What is published at every look of an idle fleet: zeros are.
var always = []string{
	"Unread", "InFlight", "Delayed", "Outstanding", "OldestAge", "Running", "Pending", "Desired", "SettledPerSecond",
	"SecondsPerMessage", "BacklogPerTask", "BacklogSeconds", "BacklogSecondsSoon", "Asleep", "Wanted", "Idle", "Surplus", "LookErrors", "Failures",
}

func TestAnIdleFleetPublishesZerosOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		fn := f.function()
		for range 3 {
			began := time.Now()
			require.NoError(t, fn.Minute(t.Context(), nil))
			assert.Zero(t, time.Since(began), "it looks once")
			got := f.published(t)
			assert.ElementsMatch(t, always, slices.Collect(maps.Keys(got)))
			for name, v := range got {
				want := map[string]float64{"SecondsPerMessage": 0.1}[name]
				assert.InDelta(t, want, v, 0, name)
			}
			time.Sleep(time.Minute)
		}
		assert.Len(t, f.puts, 3)
		assert.Empty(t, f.updates)
		assert.Zero(t, f.calls["Lease"], "an idle fleet is charged nothing for leases")
		assert.Zero(t, f.calls["Oldest"], "nor for ages")
	})
}

func TestABusyFleetIsLookedAtEveryTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.queue = scaling.Queue{Unread: 48_000}
		f.run("r", time.Now())
		fn := f.function()
		began := time.Now()
		var at []time.Duration
		require.NoError(t, fn.Minute(t.Context(), func(r metricfn.Report) { at = append(at, r.At.Sub(began)) }))
		assert.Equal(t, []time.Duration{0, 10e9, 20e9, 30e9, 40e9, 50e9}, at)
		assert.Equal(t, []int{10}, f.updates, "only where the number changes: 48,000 messages of 0.1 s, 32 at a time, in 15 s")
		fast := map[string]bool{}
		for _, d := range f.puts[0] {
			fast[d.Name] = d.Fast
		}
		assert.True(t, fast["Asleep"], "its alarm looks every ten seconds")
		assert.False(t, fast["BacklogPerTask"])
	})
}

func TestItEndsBeforeItIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.queue.Unread = 1
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.NoError(t, f.function().Minute(ctx, nil))
		require.NoError(t, ctx.Err())
		assert.Len(t, f.puts, 3, "at 0, 10 and 20 s")
	})
}

// A run from its seed to its end: up, down to what can be busy, and to the minimum.
func TestARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		fn := f.function()
		look := func() metricfn.Report { r := fn.Look(t.Context()); time.Sleep(10 * time.Second); return r }

		f.run("r", time.Now())
		f.queue.Unread = 1
		look()
		assert.Equal(t, []int{1}, f.updates, "one message wakes one task")

		f.queue = scaling.Queue{Unread: 9_000, InFlight: 600}
		time.Sleep(10 * time.Second)
		f.report("r", "a", ledger.Worker{Started: time.Now().Add(-10 * time.Second), Units: 100, Leaves: 50, Busy: 20 * time.Second, Share: schema.Whole / 4, Requests: map[string]int64{"list": 7}})
		r := look()
		assert.Equal(t, []int{1, 4}, f.updates, "9,600 messages of 0.2 s each")
		got := f.published(t)
		assert.InDelta(t, 0.2, got["SecondsPerMessage"], 1e-9)
		assert.InDelta(t, 5, got["SettledPerSecond"], 1e-9, "100 in 20 s")
		assert.InDelta(t, 0.25, got["r/FractionDone"], 1e-9)
		assert.InDelta(t, 0, got["r/Failures"], 0)
		assert.InDelta(t, 0.06+0.1+0.07, got["r/Cost"], 1e-9, "a minute of a task at least, 100 messages, 7 requests")
		assert.False(t, r.Rest)

		f.queue = scaling.Queue{InFlight: 40}
		look()
		assert.Equal(t, []int{1, 4, 2}, f.updates, "40 messages keep two tasks busy")
		f.queue = scaling.Queue{InFlight: 1}
		look()
		assert.Equal(t, []int{1, 4, 2, 1}, f.updates, "the last task is busy though nothing is unread")
		f.queue = scaling.Queue{}
		look()
		assert.Equal(t, []int{1, 4, 2, 1}, f.updates, "the ledger says that it is not over")
		assert.InDelta(t, 0, f.published(t)["Idle"], 0)

		f.run("r", time.Time{}, func(r *ledger.Run) {
			r.State, r.Finished, r.Totals.Failures = ledger.Failed, time.Now(), 3
		})
		look()
		assert.Equal(t, []int{1, 4, 2, 1, 0}, f.updates)
		got = f.published(t)
		assert.InDelta(t, 1, got["r/FractionDone"], 0)
		assert.InDelta(t, 3, got["r/Failures"], 0)
		assert.InDelta(t, 3, got["Failures"], 0, "those of all runs")
		r = look()
		assert.True(t, r.Rest)
		assert.NotContains(t, f.published(t), "r/FractionDone", "its end is published once")
		assert.InDelta(t, 0, f.published(t)["Idle"], 0, "it is where it goes to sleep")
	})
}

// Where the count was set, no alarm has to set it: it would start one task more, or
// send home the one that has come.
func TestAlarmsRestWhereTheCountWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.queue.Unread = 1
		f.broken["SetDesired"] = errAway
		fn, other := f.function(), f.function()
		fn.Look(t.Context())
		assert.InDelta(t, 1, f.published(t)["Asleep"], 0, "nobody has woken it")
		delete(f.broken, "SetDesired")
		fn.Look(t.Context())
		assert.Equal(t, []int{1}, f.updates)
		assert.InDelta(t, 0, f.published(t)["Asleep"], 0, "it is awake")
		f.service.Desired = 0 // as the other has seen it before
		other.Look(t.Context())
		assert.Equal(t, []int{1}, f.updates)
		assert.InDelta(t, 0, f.published(t)["Asleep"], 0, "whoever has the lease has woken it")

		f = newFleet()
		f.service = scaling.Service{Running: 3, Desired: 3}
		fn = f.function()
		f.broken["SetDesired"] = errAway
		fn.Look(t.Context())
		assert.InDelta(t, 1, f.published(t)["Idle"], 0, "an alarm sends it to sleep if nobody else does")
		delete(f.broken, "SetDesired")
		fn.Look(t.Context())
		assert.InDelta(t, 0, f.published(t)["Idle"], 0)
	})
}

// A lease of a clock that was an hour ahead is none: nobody would govern for so long.
func TestALeaseThatIsTooLongIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for ahead, want := range map[time.Duration][]int{time.Hour: {1}, 5 * time.Second: nil} {
			f := newFleet()
			f.queue.Unread = 1
			until := time.Now().Add(ahead + 10*time.Second)
			f.leases["metric:test"] = ledger.Lease{Name: "metric:test", Owner: "laptop", Until: until}
			r := f.function().Look(t.Context())
			assert.Equal(t, want, f.updates, ahead)
			assert.Empty(t, r.Failures)
		}
	})
}

func TestPartsThatFail(t *testing.T) {
	cases := []struct {
		call, part string
		missing    []string // of what is always published
		updates    []int
		well       []int // updates, once it is well again
	}{
		{"Depth", "queue", []string{"Unread", "InFlight", "Delayed", "Outstanding", "BacklogPerTask", "BacklogSeconds", "BacklogSecondsSoon", "Asleep", "Wanted", "Idle", "Surplus"}, nil, []int{10}},
		{"Counts", "service", []string{"Running", "Pending", "Desired", "BacklogPerTask", "BacklogSeconds", "BacklogSecondsSoon", "Asleep", "Wanted", "Idle", "Surplus"}, nil, []int{10}},
		{"Oldest", "age", []string{"OldestAge"}, []int{10}, []int{10}},
		{"Runs", "ledger", []string{"SettledPerSecond", "SecondsPerMessage", "BacklogSeconds", "BacklogSecondsSoon", "Wanted", "r/FractionDone", "r/Failures", "Failures", "r/Cost"}, []int{1}, []int{1, 10}},
		{"Workers", "ledger", []string{"SettledPerSecond", "SecondsPerMessage", "BacklogSeconds", "BacklogSecondsSoon", "Wanted", "r/FractionDone", "r/Failures", "Failures", "r/Cost"}, []int{1}, []int{1, 10}},
		{"Lease", "ledger", nil, []int{10}, []int{10}},
		{"SetDesired", "update", nil, nil, []int{10}},
	}
	for _, c := range cases {
		t.Run(c.call, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				fn := f.function()
				fn.Look(t.Context()) // it has seen an empty fleet
				time.Sleep(time.Minute)
				f.queue = scaling.Queue{Unread: 48_000}
				f.age, f.aged = 30*time.Second, time.Now()
				f.run("r", time.Now())
				f.report("r", "a", ledger.Worker{Started: time.Now()})
				f.broken[c.call] = errAway
				r := fn.Look(t.Context())
				require.Len(t, r.Failures, 1)
				assert.Equal(t, c.part, string(r.Failures[0].Part))
				require.ErrorIs(t, r.Failures[0].Error, errAway)
				want := append(slices.Clone(always), "r/FractionDone", "r/Failures", "r/Cost", "LookErrors@"+c.part)
				want = slices.DeleteFunc(want, func(name string) bool { return slices.Contains(c.missing, name) })
				got := f.published(t)
				assert.ElementsMatch(t, want, slices.Collect(maps.Keys(got)))
				assert.InDelta(t, 1, got["LookErrors"], 0)
				assert.Equal(t, c.updates, f.updates)

				delete(f.broken, c.call)
				time.Sleep(10 * time.Second)
				fn.Look(t.Context())
				got = f.published(t)
				assert.InDelta(t, 0, got["LookErrors"], 0, "it is well again")
				assert.Equal(t, c.well, f.updates)
			})
		})
	}
}

func TestAnEmptyQueueIsNoReasonToSleepWithoutTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.service = scaling.Service{Running: 5, Desired: 5}
		f.broken["Runs"] = errAway
		f.function().Look(t.Context())
		assert.Empty(t, f.updates)
		f = newFleet()
		f.service = scaling.Service{Running: 5, Desired: 5}
		f.function(func(o *metricfn.Options) { o.Ledger, o.Leases = nil, nil }).Look(t.Context())
		assert.Empty(t, f.updates, "there is none: the alarm sleeps")
		assert.NotContains(t, f.published(t), "SettledPerSecond")
		assert.NotContains(t, f.published(t), "Failures")
		assert.InDelta(t, 0, f.published(t)["LookErrors"], 0)
	})
}

func TestNothingPublishedIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.broken["Put"] = errAway
		require.ErrorIs(t, f.function().Minute(t.Context(), nil), errAway)
		assert.Equal(t, 6, f.calls["Put"], "it is tried again")
	})
}

func TestWithoutGoverningNothingIsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.run("r", time.Now())
		f.queue.Unread = 48_000
		r := f.function(func(o *metricfn.Options) { o.Govern = false }).Look(t.Context())
		assert.Empty(t, f.updates)
		assert.Equal(t, 10, r.Decision.Desired)
		assert.InDelta(t, 10, f.published(t)["Wanted"], 0)
	})
}

func TestTheCountStaysWithinMinAndMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.run("r", time.Now())
		f.queue.Unread = 10_000_000
		fn := f.function(func(o *metricfn.Options) { o.Knobs.Min, o.Knobs.Max = 2, 7 })
		fn.Look(t.Context())
		f.queue.Unread = 0
		f.run("r", time.Time{}, func(r *ledger.Run) { r.State = ledger.Finished })
		fn.Look(t.Context())
		assert.Equal(t, []int{7, 2}, f.updates)
	})
}

// Two that look at the same time change the count once, and where both do it is the
// same number.
func TestOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.run("r", time.Now())
		f.queue.Unread = 48_000
		one, two := f.function(), f.function()
		one.Look(t.Context())
		f.service.Desired = 0 // two has asked before one changed it
		r := two.Look(t.Context())
		assert.Equal(t, []int{10}, f.updates)
		assert.False(t, r.Applied)
		assert.Empty(t, r.Failures)
		time.Sleep(10 * time.Second)
		two.Look(t.Context())
		assert.Equal(t, []int{10, 10}, f.updates, "the lease has run out")
		assert.InDelta(t, 10, f.published(t)["Wanted"], 0)
	})
}

func TestTwoMinutesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.run("r", time.Now())
		f.queue.Unread = 48_000
		for _, fn := range []*metricfn.Function{f.function(), f.function()} {
			go func() { _ = fn.Minute(t.Context(), nil) }()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []int{10}, f.updates)
		assert.Len(t, f.puts, 12, "both publish")
	})
}

// A cold start knows the time of a message from what the run has counted so far.
func TestColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.queue.Unread = 48_000
		f.service = scaling.Service{Running: 1, Desired: 1}
		f.run("r", time.Now().Add(-time.Hour))
		f.report("r", "a", ledger.Worker{Started: time.Now().Add(-time.Hour), Units: 1_000_000, Busy: 5 * time.Hour})
		f.function().Look(t.Context())
		got := f.published(t)
		assert.InDelta(t, 0.018, got["SecondsPerMessage"], 1e-9)
		assert.NotContains(t, got, "SettledPerSecond", "one look tells no rate")
		assert.Equal(t, []int{2}, f.updates, "27 task-seconds in 15 s")
	})
}

// Whoever may send to the queue could make a fleet of what no run knows.
func TestMessagesOfNoRunStartOneTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.queue.Unread = 1_000_000
		f.run("old", time.Now().Add(-time.Hour), func(r *ledger.Run) { r.State = ledger.Finished })
		fn := f.function()
		for range 3 {
			require.NoError(t, fn.Minute(t.Context(), nil))
			time.Sleep(10 * time.Second)
		}
		assert.Equal(t, []int{1}, f.updates)
		assert.Less(t, f.published(t)["BacklogSecondsSoon"], 120., "nor does the net")
		f.run("r", time.Now())
		fn.Look(t.Context())
		assert.Equal(t, []int{1, 200}, f.updates, "a run has begun")

		f = newFleet()
		f.queue.Unread = 1_000_000
		f.function(func(o *metricfn.Options) { o.Ledger, o.Leases = nil, nil }).Look(t.Context())
		assert.Equal(t, []int{200}, f.updates, "without a ledger nothing is known of runs")
		assert.Contains(t, f.published(t), "BacklogSeconds")
	})
}

func TestAColdStartWithoutTheLedgerKeepsTheCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.queue.Unread = 1_000_000
		f.service = scaling.Service{Running: 7, Desired: 7}
		f.broken["Runs"] = errAway
		fn := f.function()
		fn.Look(t.Context())
		assert.Empty(t, f.updates)
		assert.NotContains(t, f.published(t), "BacklogSeconds", "it would be a guess")
		f.queue.Unread = 0
		fn.Look(t.Context())
		assert.Empty(t, f.updates)
		assert.NotContains(t, f.published(t), "Idle", "a run may go on")
	})
}

func TestPausedRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.queue.Unread = 48_000
		f.service = scaling.Service{Running: 3, Desired: 3}
		f.run("r", time.Now(), func(r *ledger.Run) { r.Paused = true })
		fn := f.function()
		fn.Look(t.Context())
		assert.Equal(t, []int{0}, f.updates)
		assert.InDelta(t, 0, f.published(t)["Asleep"], 0, "nobody wakes it")
		assert.InDelta(t, 48_000, f.published(t)["Unread"], 0)
		assert.True(t, fn.Look(t.Context()).Rest)
		f.run("r", time.Time{}, func(r *ledger.Run) { r.Paused = false })
		fn.Look(t.Context())
		assert.Equal(t, []int{0, 10}, f.updates)
	})
}
