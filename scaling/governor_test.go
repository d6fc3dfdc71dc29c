package scaling_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/scaling"
)

// counted is a look at which the ledger has counted so much.
func counted(seconds int, settled int64, busy time.Duration) scaling.Sample {
	s := see(seconds, scaling.Queue{Unread: 48_000}, 1, 0, 1)
	s.Ledger = &scaling.Ledger{Settled: settled, Busy: busy, Unsettled: true}
	return s
}

func TestTimeOfAMessage(t *testing.T) {
	type look struct {
		at      int
		settled int64
		busy    time.Duration
		want    float64 // seconds a message
	}
	cases := []struct {
		name  string
		looks []look
	}{
		{"nothing settled yet: a guess", []look{{0, 0, 0, 0.1}, {10, 0, 30 * time.Second, 0.1}}},
		{"one look tells no difference", []look{{0, 1_000, time.Hour, 0.1}}},
		{"measured", []look{{0, 0, 0, 0.1}, {10, 100, 50 * time.Second, 0.5}}},
		{"those that run count, too", []look{{0, 0, 0, 0.1}, {10, 1, 320 * time.Second, 320}}},
		{"over five minutes", []look{{0, 0, 0, 0.1}, {10, 100, 100 * time.Second, 1}, {160, 200, 400 * time.Second, 2}, {310, 300, 700 * time.Second, 3}, {330, 300, 700 * time.Second, 3}}},
		{"nothing settles: as it was", []look{{0, 0, 0, 0.1}, {10, 100, 50 * time.Second, 0.5}, {400, 100, 50 * time.Second, 0.5}, {800, 100, 50 * time.Second, 0.5}}},
		{"a run that is over takes its counts along", []look{{0, 0, 0, 0.1}, {10, 100, 50 * time.Second, 0.5}, {20, 10, 20 * time.Second, 0.5}, {30, 20, 40 * time.Second, 70. / 110}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := scaling.New(scaling.Defaults())
			for _, l := range c.looks {
				m, _ := g.Look(counted(l.at, l.settled, l.busy))
				v, _ := m.Get(scaling.MetricSecondsPerMessage)
				assert.InDelta(t, l.want, v, 1e-9, "at %d s", l.at)
			}
		})
	}

	g := scaling.New(scaling.Defaults())
	g.Look(counted(0, 0, 0))
	m, d := g.Look(counted(10, 500, 100*time.Second))
	v, ok := m.Get(scaling.MetricSettledPerSecond)
	assert.True(t, ok)
	assert.InDelta(t, 50, v, 1e-9)
	assert.Equal(t, 20, d.Desired, "48,000 messages of 0.2 s, 32 at a time, in 15 s")
	s := counted(20, 0, 0)
	s.Ledger = nil
	_, d = g.Look(s)
	assert.Equal(t, 20, d.Desired, "the ledger is away: the last measure holds")
}

// A schedule that is late is no reason to know nothing: a rate is what it is over the
// time there was.
func TestALateLook(t *testing.T) {
	g := scaling.New(scaling.Defaults())
	for _, l := range []struct {
		at      int
		settled int64
		want    float64
	}{{90, 900, 10}, {180, 900, 0}, {190, 950, 5}, {200, 1150, 12.5}} {
		if l.at == 90 {
			g.Look(counted(0, 0, 0))
		}
		m, _ := g.Look(counted(l.at, l.settled, time.Duration(l.settled)*time.Second/10))
		v, ok := m.Get(scaling.MetricSettledPerSecond)
		assert.True(t, ok, "at %d s", l.at)
		assert.InDelta(t, l.want, v, 1e-9, "at %d s", l.at)
	}
}

func TestMessagesLongerThanTheTarget(t *testing.T) {
	g := scaling.New(scaling.Defaults())
	slow := func(at int, settled int64, busy time.Duration) scaling.Sample {
		s := see(at, scaling.Queue{Unread: 68, InFlight: 32}, 1, 0, 1)
		s.Ledger.Settled, s.Ledger.Busy = settled, busy
		return s
	}
	g.Look(slow(0, 0, 0))
	_, d := g.Look(slow(10, 1, 5*time.Minute))
	assert.Equal(t, 4, d.Desired, "100 messages keep 4 tasks busy, however long they take")
}

func TestExpect(t *testing.T) {
	for _, c := range []struct {
		leaves int64
		done   float64
		want   int64
	}{
		{0, 0, 0},
		{0, 0.5, 0},
		{10, 0, 0}, // leaves without a share: not known
		{100, 0.5, 100},
		{100, 0.01, 9_900},
		{100, 1, 0},
		{100, 1.1, 0},
		{100, math.NaN(), 0},
		{math.MaxInt64, 1e-19, 1e15},
	} {
		assert.Equal(t, c.want, scaling.Expect(c.leaves, c.done), "%d leaves are %v", c.leaves, c.done)
	}
}

// 3,840,000 messages of 0.1 s keep 100 tasks for the two minutes that are
// acceptable.
func TestWhatIsExpected(t *testing.T) {
	cases := []struct {
		name     string
		rule     scaling.Rule
		unread   int64
		expected int64
		want     int
	}{
		{"no expectation", scaling.Size, 144_000, 0, 30},
		{"more is expected", scaling.Size, 144_000, 3_840_000, 100},
		{"less is expected than waits", scaling.Size, 144_000, 100, 30},
		{"four times the backlog's at most", scaling.Size, 144_000, 1 << 40, 120},
		{"no more than can be busy", scaling.Size, 32, 1 << 40, 1},
		{"no more than max", scaling.Size, 480_000, 1 << 40, 200},
		{"the other rule", scaling.Backlog, 144_000, 3_840_000, 30},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := scaling.Defaults()
			k.Rule = c.rule
			s := see(0, scaling.Queue{Unread: c.unread}, 1, 0, 1)
			s.Ledger.Expected = c.expected
			_, d := scaling.New(k).Look(s)
			assert.Equal(t, c.want, d.Desired)
		})
	}
	s := see(0, scaling.Queue{}, 5, 0, 5)
	s.Ledger.Expected, s.Ledger.Unsettled = 1<<40, true
	_, d := scaling.New(scaling.Defaults()).Look(s)
	assert.Equal(t, 5, d.Desired, "nothing is launched for what is not outstanding")
}

func TestStandingBacklog(t *testing.T) {
	type change func(i int, s *scaling.Sample)
	cases := []struct {
		name     string
		change   change
		reason   scaling.Reason
		desired  int
		lastLook int
	}{
		{"it stands for a minute", nil, scaling.Stands, 6, 60},
		{"not yet a minute", nil, scaling.Enough, 4, 50},
		{"it was empty once", func(i int, s *scaling.Sample) {
			if i == 3 {
				s.Queue.Unread = 0
			}
		}, scaling.Enough, 4, 60},
		{"less than half a task's slots", func(_ int, s *scaling.Sample) { s.Queue.Unread = 15 }, scaling.Enough, 4, 60},
		{"half a task's slots", func(_ int, s *scaling.Sample) { s.Queue.Unread = 16 }, scaling.Stands, 5, 60},
		{"at most twice as many", func(_ int, s *scaling.Sample) { s.Queue.Unread = 3_000 }, scaling.Stands, 8, 60},
		{"tasks are on their way", func(_ int, s *scaling.Sample) { s.Service.Running, s.Service.Pending = 3, 1 }, scaling.Enough, 4, 60},
		{"it is worked off as fast", func(i int, s *scaling.Sample) { s.Queue.Unread = 400 - 60*int64(i) }, scaling.Enough, 4, 60},
		{"a look has seen nothing", func(i int, s *scaling.Sample) {
			if i == 3 {
				s.Queue = nil
			}
		}, scaling.Stands, 6, 60},
		{"nothing was seen for long", func(i int, s *scaling.Sample) {
			if i > 0 && i < 12 {
				s.Queue = nil
			}
		}, scaling.Enough, 4, 120},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := scaling.New(scaling.Defaults())
			var d scaling.Decision
			for i := 0; 10*i <= c.lastLook; i++ {
				s := see(10*i, scaling.Queue{Unread: 64, InFlight: 128}, 4, 0, 4)
				if c.change != nil {
					c.change(i, &s)
				}
				_, d = g.Look(s)
			}
			assert.Equal(t, c.reason, d.Reason)
			assert.Equal(t, c.desired, d.Desired)
		})
	}
}

// What must hold whatever is seen.
func TestGovernorProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := scaling.Defaults()
		k.Min = rapid.IntRange(0, 20).Draw(t, "min")
		k.Max = rapid.IntRange(max(k.Min, 1), 500).Draw(t, "max")
		k.Concurrency = rapid.IntRange(1, 128).Draw(t, "concurrency")
		g := scaling.New(k)
		now, settled, busy := 0, int64(0), time.Duration(0)
		count := rapid.OneOf(rapid.Just[int64](0), rapid.Int64Range(0, 100), rapid.Int64Range(0, 10_000_000))
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			now += rapid.SampledFrom([]int{1, 10, 10, 10, 60}).Draw(t, "after")
			settled += count.Draw(t, "settled")
			busy += time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "busy"))
			running, pending := rapid.IntRange(0, 600).Draw(t, "running"), rapid.SampledFrom([]int{0, 0, 1, 50}).Draw(t, "pending")
			q := scaling.Queue{Unread: count.Draw(t, "unread"), InFlight: count.Draw(t, "in flight"), Delayed: count.Draw(t, "delayed")}
			s := see(now, q, running, pending, running+pending)
			s.Ledger = &scaling.Ledger{Settled: settled, Busy: busy, Unsettled: rapid.Bool().Draw(t, "unsettled"), Expected: count.Draw(t, "expected")}
			known := rapid.SampledFrom([]string{"all", "all", "all", "no queue", "no service", "no ledger"}).Draw(t, "known")
			switch known {
			case "no queue":
				s.Queue = nil
			case "no service":
				s.Service = nil
			case "no ledger":
				s.Ledger = nil
			}
			_, d := g.Look(s)
			if s.Queue == nil || s.Service == nil {
				if d.Change {
					t.Fatalf("%v with %s", d, known)
				}
				continue
			}
			desired, out := s.Service.Desired, q.Outstanding()
			width := int(min((out+int64(k.Concurrency)-1)/int64(k.Concurrency), int64(k.Max)))
			stray := s.Ledger != nil && !s.Ledger.Unsettled
			switch {
			case d.Desired < k.Min || d.Desired > k.Max:
				t.Fatalf("%v, want %d to %d", d, k.Min, k.Max)
			case d.Change != (d.Desired != desired):
				t.Fatalf("%v, change is %v with %d desired", d, d.Change, desired)
			case stray && d.Desired > max(1, k.Min, min(desired, k.Max)):
				t.Fatalf("%v for messages of no run", d)
			case d.Desired < desired && d.Desired < width && !stray:
				t.Fatalf("%v, but %d tasks may be busy", d, width)
			case out > 0 && d.Desired < 1:
				t.Fatalf("%v with %d outstanding", d, out)
			case out == 0 && (s.Ledger == nil || s.Ledger.Unsettled) && d.Desired < min(desired, k.Max) && (d.Reason != scaling.Elsewhere || d.Desired < 1):
				t.Fatalf("%v, but not all is known to be settled", d)
			case d.Reason == scaling.Woken && (running > 0 || d.Change && desired <= k.Max):
				t.Fatalf("%v with %d running", d, running)
			case out == 0 && s.Ledger != nil && !s.Ledger.Unsettled && d.Desired != k.Min &&
				(running > 0 || desired <= k.Max && d.Reason != scaling.Woken): // a wake above the maximum is cut to it
				t.Fatalf("%v with nothing to do", d)
			}
		}
	})
}

// Messages of runs that are paused wait for people: no task is kept for them, and
// no alarm wakes one.
func TestPausedRunsKeepNoTask(t *testing.T) {
	s := see(0, scaling.Queue{Unread: 48_000, InFlight: 64}, 7, 0, 7)
	s.Ledger = &scaling.Ledger{Paused: true}
	m, d := scaling.New(scaling.Defaults()).Look(s)
	assert.Equal(t, scaling.Decision{Change: true, Reason: scaling.Waits}, d)
	for name, want := range map[string]float64{
		scaling.MetricUnread: 48_000, scaling.MetricOutstanding: 48_064,
		scaling.MetricBacklogPerTask: 0, scaling.MetricBacklogSeconds: 0, scaling.MetricAsleep: 0, scaling.MetricWanted: 0,
	} {
		v, ok := m.Get(name)
		assert.True(t, ok, name)
		assert.InDelta(t, want, v, 1e-9, name)
	}
	s.Ledger.Unsettled = true
	_, d = scaling.New(scaling.Defaults()).Look(s)
	assert.Equal(t, 11, d.Desired, "another run goes on: all that is outstanding may be its")
}

// Who posts a root asks for a task at once. A look just after that may see neither the
// message nor the run, for both are told of later: it must not take the task away.
func TestAWakeIsNotUndoneByTheNextLook(t *testing.T) {
	g := scaling.New(scaling.Defaults())
	g.Look(see(0, scaling.Queue{}, 0, 0, 0))
	_, d := g.Look(see(60, scaling.Queue{}, 0, 1, 1))
	assert.Equal(t, scaling.Decision{Desired: 1, Reason: scaling.Woken}, d)
	_, d = g.Look(see(70, scaling.Queue{}, 0, 1, 1))
	assert.Equal(t, 0, d.Desired, "nothing has come")

	g = scaling.New(scaling.Defaults())
	_, d = g.Look(see(0, scaling.Queue{}, 0, 1, 1))
	assert.Equal(t, 1, d.Desired, "it has seen nothing before")
	_, d = g.Look(see(10, scaling.Queue{}, 1, 0, 1))
	assert.Equal(t, 0, d.Desired)
	_, d = scaling.New(scaling.Defaults()).Look(see(0, scaling.Queue{}, 1, 0, 1))
	assert.Equal(t, 0, d.Desired, "one that runs was asked for long ago")
}

// A run whose messages are lost is swept by a task.
func TestARunThatIsStuckGetsOneTask(t *testing.T) {
	s := see(0, scaling.Queue{}, 0, 0, 0)
	s.Ledger.Unsettled = true
	_, d := scaling.New(scaling.Defaults()).Look(s)
	assert.Equal(t, 1, d.Desired)
	assert.Equal(t, scaling.Stuck, d.Reason)
	s.Ledger = nil
	_, d = scaling.New(scaling.Defaults()).Look(s)
	assert.Equal(t, 0, d.Desired, "it is not known to be")
}

// What a run waits for may wait on another queue for hours: one task looks after it, and
// those that had work here before go. A message that comes is worth all that it was.
func TestARunThatGoesOnElsewhereKeepsOneTask(t *testing.T) {
	g := scaling.New(scaling.Defaults())
	look := func(at int, out int64, running int) scaling.Decision {
		s := see(at, scaling.Queue{Unread: out}, running, 0, running)
		s.Ledger.Unsettled = true
		_, d := g.Look(s)
		return d
	}
	look(0, 1, 50)
	for at := 10; at < 310; at += 10 {
		assert.Equal(t, scaling.Decision{Desired: 50, Reason: scaling.Unsettled}, look(at, 0, 50), "at %d s", at)
	}
	assert.Equal(t, scaling.Decision{Desired: 1, Change: true, Reason: scaling.Elsewhere}, look(310, 0, 50))
	assert.Equal(t, scaling.Decision{Desired: 1, Reason: scaling.Unsettled}, look(320, 0, 1))
	assert.Greater(t, look(330, 100_000, 1).Desired, 1)
	assert.Equal(t, scaling.Unsettled, look(340, 0, 50).Reason, "the minutes begin anew")
}

// Whoever may send to the queue can make no fleet of messages that belong to no run: one
// task refuses them. A queue without a ledger knows no runs.
func TestMessagesOfNoRunAreWorthOneTask(t *testing.T) {
	stray := func(seconds, running int) scaling.Sample {
		s := see(seconds, scaling.Queue{Unread: 1_000_000}, running, 0, running)
		s.Ledger = &scaling.Ledger{}
		return s
	}
	k := scaling.Defaults()
	g := scaling.New(k)
	m, d := g.Look(stray(0, 0))
	assert.Equal(t, scaling.Decision{Desired: 1, Change: true, Wanted: 1, Width: 1, Reason: scaling.Strays}, d)
	v, _ := m.Get(scaling.MetricAsleep)
	assert.InDelta(t, 1, v, 0, "an alarm may wake the one")
	for at := 10; at <= 300; at += 10 {
		m, d = g.Look(stray(at, 1))
		assert.Equal(t, 1, d.Desired, "nor for a backlog that stands, at %d s", at)
		v, _ = m.Get(scaling.Net(k).Metric)
		assert.Less(t, v, scaling.Net(k).Target, "the net stays where it is, too")
		v, _ = m.Get(scaling.MetricUnread)
		assert.InDelta(t, 1_000_000, v, 0, "the count is the truth")
	}
	for _, track := range scaling.Tracks(k, scaling.MetricBacklogPerTask, 100*time.Millisecond) {
		v, _ = m.Get(track.Metric)
		assert.Greater(t, v, 0., "the one is not sent home")
		assert.LessOrEqual(t, v, track.Target)
	}
	away := stray(310, 1)
	away.Ledger = nil
	_, d = g.Look(away)
	assert.Equal(t, 1, d.Desired, "what it last said holds while it is away")

	bare := stray(0, 1)
	bare.Ledger, bare.Bare = nil, true
	_, d = scaling.New(k).Look(bare)
	assert.Equal(t, 200, d.Desired)
}

// A list of runs may lag behind what has just been written: a fleet is not sent home
// between one run and the next.
func TestARunThatIsNotYetListedKeepsItsFleet(t *testing.T) {
	g := scaling.New(scaling.Defaults())
	look := func(seconds int, live bool) scaling.Decision {
		s := see(seconds, scaling.Queue{Unread: 48_000}, 10, 0, 10)
		s.Ledger.Unsettled = live
		_, d := g.Look(s)
		return d
	}
	assert.Equal(t, 10, look(0, true).Desired)
	assert.Equal(t, 10, look(10, false).Desired, "not yet")
	assert.Equal(t, 10, look(20, true).Desired)
	for at := 30; at <= 80; at += 10 {
		assert.Equal(t, 10, look(at, false).Desired)
	}
	assert.Equal(t, 1, look(90, false).Desired, "for more than a minute no run has gone on")
}

// At a cold start with the ledger away nobody knows how long messages take: the count
// stays, but for one task where there is none, and for those that cannot be busy.
func TestNothingIsDecidedOnAGuess(t *testing.T) {
	for _, c := range []struct {
		unread     int64
		desired, d int
	}{{1_000_000, 0, 1}, {1_000_000, 7, 7}, {64, 7, 2}, {320, 200, 10}} {
		s := see(0, scaling.Queue{Unread: c.unread}, c.desired, 0, c.desired)
		s.Ledger = nil
		m, d := scaling.New(scaling.Defaults()).Look(s)
		assert.Equal(t, c.d, d.Desired, "%d messages, %d tasks", c.unread, c.desired)
		for _, name := range []string{scaling.MetricBacklogSeconds, scaling.MetricBacklogSecondsSoon, scaling.MetricWanted} {
			_, known := m.Get(name)
			assert.False(t, known, name)
		}
	}
	launching := see(0, scaling.Queue{Unread: 3_200}, 50, 150, 200)
	launching.Ledger = nil
	_, d := scaling.New(scaling.Defaults()).Look(launching)
	assert.Equal(t, 200, d.Desired, "that it collapsed is a guess")
	_, d = scaling.New(scaling.Defaults()).Look(see(0, scaling.Queue{Unread: 48_000}, 0, 0, 0))
	assert.Equal(t, 10, d.Desired, "a ledger that says nothing yet is one that is there")
}
