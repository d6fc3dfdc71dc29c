package metricfn_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schema"
)

// settled are messages that workers have counted, of one second each.
func settled(n int64) ledger.Worker {
	return ledger.Worker{Units: n, Busy: time.Duration(n) * time.Second, Share: schema.Share(n)}
}

// What a redrive brings back was not settled now, nor is what an ended run takes away
// unsettled.
func TestRatesOverRunsThatComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		fn := f.function()
		f.queue.Unread = 100
		start := time.Now()
		rate := func() float64 {
			fn.Look(t.Context())
			time.Sleep(10 * time.Second)
			return f.published(t)["SettledPerSecond"]
		}
		f.run("old", start.Add(-24*time.Hour), func(r *ledger.Run) { r.State, r.Finished = ledger.Failed, start.Add(-time.Hour) })
		f.report("old", "z", settled(1_000_000))
		f.run("a", start)
		f.report("a", "x", settled(0))
		rate()
		f.report("a", "x", settled(100))
		assert.InDelta(t, 10, rate(), 1e-9)

		// A run that begins between two lists of all, and one that goes on from long ago.
		f.run("b", time.Now())
		f.report("b", "x", settled(30))
		f.run("old", time.Time{}, func(r *ledger.Run) { r.State, r.Finished, r.Epoch = ledger.Running, time.Time{}, 1 })
		f.report("a", "x", settled(200))
		assert.InDelta(t, 10, rate(), 1e-9)
		for range 3 {
			rate()
		}
		f.report("b", "x", settled(180))
		f.report("old", "z", settled(1_000_060))
		assert.InDelta(t, (200.+180)/60, rate(), 1e-9, "all lists are made: 200 of a, 180 of b, and a million that are old")
		f.report("old", "z", settled(1_000_120))
		assert.InDelta(t, (100.+180+60)/60, rate(), 1e-9)

		// An end: its last counts are taken along, once.
		f.report("a", "x", settled(260))
		f.run("a", time.Time{}, func(r *ledger.Run) { r.State, r.Finished = ledger.Finished, time.Now() })
		assert.InDelta(t, (180.+60+60)/60, rate(), 1e-9)
		sum := 0.0
		for range 12 {
			sum += rate()
			assert.NotContains(t, f.published(t), "a/FractionDone")
		}
		assert.Less(t, sum, 12*5.01)
		assert.InDelta(t, 0, rate(), 1e-9)
	})
}

func TestARunThatWasNeverSeenAliveIsSeenToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		fn := f.function()
		fn.Look(t.Context())
		time.Sleep(20 * time.Second)
		f.run("short", time.Now().Add(-15*time.Second), func(r *ledger.Run) { r.State, r.Finished = ledger.Finished, time.Now() })
		f.report("short", "x", settled(60))
		time.Sleep(40 * time.Second)
		fn.Look(t.Context())
		got := f.published(t)
		assert.InDelta(t, 1, got["short/FractionDone"], 0)
		assert.InDelta(t, 1, got["SettledPerSecond"], 1e-9)
		time.Sleep(time.Minute)
		fn.Look(t.Context())
		assert.NotContains(t, f.published(t), "short/FractionDone")
	})
}

func TestAListIsMadeOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		fn := f.function(func(o *metricfn.Options) { o.Govern = false })
		f.queue.Unread = 1
		f.run("r", time.Now())
		for range 3 {
			_ = fn.Minute(t.Context(), nil)
			time.Sleep(10 * time.Second)
		}
		assert.Equal(t, 3, f.calls["Runs"], "18 looks: a table may have thousands of runs that are over")
		f.service.Desired = 1
		f.queue.Unread = 0
		for range 3 {
			fn.Look(t.Context())
		}
		assert.Equal(t, 6, f.calls["Runs"], "before nothing is taken to be left")
	})
}

// A run that is seeded beside a paused one is seen by the next look, though a list was
// made seconds ago: its task stays.
func TestARunBesideAPausedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		fn := f.function()
		f.run("waits", time.Now(), func(r *ledger.Run) { r.Paused = true })
		f.queue.Unread = 1000
		fn.Look(t.Context())
		time.Sleep(10 * time.Second)
		f.run("new", time.Now())
		f.queue.Unread++
		f.service = scaling.Service{Desired: 1, Pending: 1} // by its seed
		r := fn.Look(t.Context())
		assert.NotEqual(t, scaling.Waits, r.Decision.Reason)
		assert.GreaterOrEqual(t, f.service.Desired, 1)
		assert.Contains(t, f.published(t), "new/FractionDone")
	})
}

func TestNothingCostsLessThanNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.run("r", time.Now())
		f.report("r", "a", ledger.Worker{Units: -5_000_000, Busy: -time.Hour, Requests: map[string]int64{"list": -1000}})
		f.function().Look(t.Context())
		assert.InDelta(t, 0.06, f.published(t)["r/Cost"], 1e-9, "a minute of a task")
	})
}

func TestProgressIsBelowOneUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.run("r", time.Now())
		f.report("r", "a", ledger.Worker{Share: schema.Whole, Done: schema.Account{Failures: 2}})
		f.report("r", "b", ledger.Worker{Share: schema.Whole / 2, Done: schema.Account{Failures: -3}})
		f.function().Look(t.Context())
		got := f.published(t)
		assert.Less(t, got["r/FractionDone"], 1.0)
		assert.Greater(t, got["r/FractionDone"], 0.999)
		assert.InDelta(t, 0, got["r/Failures"], 0, "a redrive has healed them")
	})
}

// A task that works on two runs is split by the time they took.
func TestCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		now := time.Now()
		f.run("a", now.Add(-2*time.Hour))
		f.run("b", now.Add(-time.Hour))
		f.report("a", "x", ledger.Worker{Started: now.Add(-3 * time.Hour), Busy: 3 * time.Hour, Units: 10})
		f.report("b", "x", ledger.Worker{Started: now.Add(-3 * time.Hour), Busy: time.Hour, Requests: map[string]int64{"list": 5, "throttled": 9}})
		f.report("b", "y", ledger.Worker{Started: now.Add(-30 * time.Minute)})
		f.function().Look(t.Context())
		got := f.published(t)
		assert.InDelta(t, 2*3.6*0.75+0.01, got["a/Cost"], 1e-9)
		assert.InDelta(t, 1*3.6*0.25+0.5*3.6+0.05, got["b/Cost"], 1e-9)
	})
}

// A seeder's clock takes no time of tasks away, and adds none where it is right.
func TestASeedersClockThatIsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		now := time.Now()
		began := now.Add(-30 * time.Minute)
		f.run("ahead", began.Add(4*time.Hour))
		f.report("ahead", "x", ledger.Worker{Started: began, Busy: 25 * time.Minute * 32, Slots: 32})
		f.report("ahead", "y", ledger.Worker{Started: began.Add(-time.Hour)}) // it says nothing of when it began this run
		f.run("right", began)
		f.report("right", "z", ledger.Worker{Started: began.Add(-time.Hour), Busy: 25 * time.Minute * 32, Slots: 32})
		f.function().Look(t.Context())
		got := f.published(t)
		assert.InDelta(t, 2*25*0.06, got["ahead/Cost"], 1e-9, "two tasks, as long at least as the slots of one were taken")
		assert.InDelta(t, 30*0.06, got["right/Cost"], 1e-9)
	})
}

// Nor does one that is behind take away the first messages.
func TestASeedersClockThatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		fn := f.function()
		fn.Look(t.Context())
		time.Sleep(time.Minute)
		f.queue.Unread = 100
		f.run("r", time.Now().Add(-time.Hour))
		f.report("r", "x", settled(600))
		fn.Look(t.Context())
		assert.InDelta(t, 10, f.published(t)["SettledPerSecond"], 1e-9)
	})
}

// One task at a time is on demand; who does many nodes inline writes more for a message.
func TestSplit(t *testing.T) {
	now := time.Now()
	p := metricfn.Prices{TaskHour: 1, FirstHour: 2, Message: 0.1, Inline: 0.3}
	runs := []ledger.Run{{ID: "a", Created: now.Add(-4 * time.Hour)}, {ID: "b", Created: now.Add(-4 * time.Hour)}}
	task := func(id string, from, to time.Duration) ledger.Worker {
		return ledger.Worker{ID: id, Started: now.Add(from), At: now.Add(to)}
	}
	costs := p.Split(runs, [][]ledger.Worker{
		{task("x", -4*time.Hour, -2*time.Hour), task("y", -3*time.Hour, -2*time.Hour)}, {task("z", -time.Hour, 0)},
	})
	// Four hours of tasks, and in three of them any.
	assert.InDelta(t, 3*1+3.0/4*3*2, costs[0], 1e-9)
	assert.InDelta(t, 1*1+1.0/4*3*2, costs[1], 1e-9)

	w := task("x", -time.Minute, 0)
	w.Units, w.Done.Nodes = 10, 10
	one := p.Split(runs[:1], [][]ledger.Worker{{w}})[0]
	w.Done.Nodes = 9000
	many := p.Split(runs[:1], [][]ledger.Worker{{w}})[0]
	assert.InDelta(t, 10*(0.3-0.1), many-one, 1e-9)
	assert.Equal(t, []float64{0, 0}, p.Split(runs, make([][]ledger.Worker, 2)))
}

// The age comes late from CloudWatch: it is asked once a minute, and what it says is
// not believed where the queue was empty since.
func TestOldestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		fn := f.function(func(o *metricfn.Options) { o.Govern = false })
		look := func() (float64, bool) {
			fn.Look(t.Context())
			time.Sleep(10 * time.Second)
			v, known := f.published(t)["OldestAge"]
			return v, known
		}
		f.queue.Unread = 1
		_, known := look()
		assert.False(t, known, "CloudWatch has nothing yet")
		time.Sleep(time.Minute)
		f.age, f.aged = 5*time.Minute, time.Now()
		for range 6 {
			age, _ := look()
			assert.InDelta(t, 300, age, 0)
		}
		assert.Equal(t, 2, f.calls["Oldest"])
		f.queue.Unread = 0
		age, known := look()
		assert.True(t, known)
		assert.InDelta(t, 0, age, 0)
		f.queue.Unread = 1
		age, _ = look()
		assert.InDelta(t, 10, age, 0, "it was empty ten seconds ago")
		time.Sleep(10 * time.Minute)
		_, known = look()
		assert.False(t, known, "too long ago to be true")
	})
}

func TestSizeIsExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.queue.Unread = 4_000
		f.service = scaling.Service{Running: 1, Desired: 1}
		f.run("r", time.Now())
		f.report("r", "a", ledger.Worker{Units: 200, Leaves: 100, Busy: 20 * time.Second, Share: schema.Whole / 1000})
		f.function().Look(t.Context())
		assert.Equal(t, []int{3}, f.updates, "99,900 leaves of 0.1 s are expected: 312 task-seconds, in 120 s")
	})
}
