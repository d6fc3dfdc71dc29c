package plan_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/plan"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/schema"
)

// ask is a plan of a model on a fleet that nobody has tuned.
func ask(t testing.TB, model string) plan.Ask {
	t.Helper()
	m, err := plan.ParseModel(model)
	require.NoError(t, err)
	m.Message = [2]time.Duration{} // TestMessagesTakeTime
	return plan.Ask{
		Model: func(uint64) *plan.Model { return m }, Fleet: plan.DefaultFleet(), Prices: plan.DefaultPrices(),
		Size: plan.Size{VCPU: 1, GB: 2, PublicIP: true}, Seeds: 5,
	}
}

func estimate(t testing.TB, a plan.Ask) *plan.Estimate {
	t.Helper()
	e, err := a.Estimate(context.Background())
	require.NoError(t, err)
	return e
}

func dollars(t *testing.T, e *plan.Estimate, service string) plan.Interval {
	t.Helper()
	for _, s := range e.Cost {
		if s.Service == service {
			return s.Dollars
		}
	}
	t.Fatalf("no %s in %v", service, e.Cost)
	return plan.Interval{}
}

// One task that runs for exactly an hour of 3600 nodes, one after the other: each
// service can be reckoned by hand.
func TestCostByHand(t *testing.T) {
	a := ask(t, "tree:nodes=3600,fanout=1,time=1s,inline=0,lists=2")
	a.Fleet.Scaling, a.Fleet.Warm, a.Fleet.Knobs.Max = plan.Fixed, true, 1
	e := estimate(t, a)
	hours := e.TaskHours.Mid
	assert.InDelta(t, 1, hours, 0.01)
	assert.InEpsilon(t, hours*(0.04048+2*0.004445), dollars(t, e, "Fargate").Mid, 1e-9)
	assert.InEpsilon(t, hours*0.005, dollars(t, e, "public IPv4").Mid, 1e-9)
	assert.InEpsilon(t, (3600*0.31+hours*360)*0.4e-6, dollars(t, e, "SQS").Mid, 1e-9)
	// Each settles, and each but the last has a plan of a kilobyte.
	assert.InEpsilon(t, (3600+3599+hours*900)*0.625e-6, dollars(t, e, "DynamoDB").Mid, 1e-9)
	assert.InEpsilon(t, 7200*0.000005, dollars(t, e, "S3").Mid, 1e-9)
	sum := 0.0
	for _, s := range e.Cost {
		sum += s.Dollars.Mid
	}
	assert.InEpsilon(t, sum, e.Dollars.Mid, 1e-9)

	private := a
	private.Size.PublicIP = false
	assert.Zero(t, dollars(t, estimate(t, private), "public IPv4").High)
	disk := a
	disk.Size.Disk = 120
	assert.InEpsilon(t, hours*(0.04048+2*0.004445+100*0.000111), dollars(t, estimate(t, disk), "Fargate").Mid, 1e-9)

	arm := a
	arm.Size.ARM = true
	assert.InEpsilon(t, hours*(0.03238+2*0.00356), dollars(t, estimate(t, arm), "Fargate").Mid, 1e-9)

	spot := a
	spot.Size.Spot = 1
	s := dollars(t, estimate(t, spot), "Fargate")
	full := dollars(t, e, "Fargate").Mid
	assert.Less(t, s.Low, s.High, "the price of Spot moves")
	assert.True(t, s.Low >= 0.3*full && s.High <= 0.5*full, "%v of %v", s, full)

	// One task is on demand where not all are on Spot: of one task, all of it.
	spot.Size.Spot = 0.8
	s = dollars(t, estimate(t, spot), "Fargate")
	assert.InEpsilon(t, full, s.Mid, 0.01)

	inline := ask(t, "tree:nodes=3600,fanout=1,time=1s,inline=1000")
	inline.Fleet = a.Fleet
	assert.Less(t, dollars(t, estimate(t, inline), "DynamoDB").Mid, dollars(t, e, "DynamoDB").Mid)
}

func TestIntervalsAndLimits(t *testing.T) {
	e := estimate(t, ask(t, "tree:nodes=1e6,fanout=8"))
	for _, i := range []plan.Interval{e.Seconds, e.FirstTask, e.Dollars, e.TaskHours} {
		assert.True(t, i.Low < i.Mid && i.Mid < i.High, "%v", i)
	}
	assert.Empty(t, e.Limit)
	assert.Equal(t, 5, e.Finished)
	assert.GreaterOrEqual(t, e.FirstTask.Low, 30.0)
	assert.LessOrEqual(t, e.FirstTask.High, 45.0)

	// A message a node: one write unit to settle each and one for the plan of each of
	// 1,111,111 that have children; 4,000 a second at first. All tasks could do 320,000
	// nodes a second.
	a := ask(t, "tree:nodes=5e6,time=20ms,inline=0")
	e = estimate(t, a)
	assert.Contains(t, e.Limit, "DynamoDB")
	assert.InDelta(t, (5e6+1_111_111)/4000, e.Seconds.Mid, 70)
	assert.Greater(t, e.Throttled.Mid, 0.8*e.Seconds.Mid)

	// Pages of a bucket: 5,500 LISTs a second, a tenth of them wasted.
	a.Model = func(uint64) *plan.Model { return plan.Crawl(2e9, 50*time.Millisecond) }
	a.Fleet.Knobs.Concurrency = 64
	e = estimate(t, a)
	assert.Contains(t, e.Limit, "S3")
	assert.InDelta(t, 2e6*1.1/5500, e.Seconds.Mid, 90)
	assert.InEpsilon(t, 2e6*1.1*0.000005, dollars(t, e, "S3").Mid, 0.01)
}

// Fractions of nodes that rounding loses over a long, throttled run are not waited
// for.
func TestLongThrottledRunEnds(t *testing.T) {
	a := ask(t, "tree:nodes=1")
	a.Seeds = 1
	a.Model = func(uint64) *plan.Model { return plan.Crawl(5e11, time.Millisecond) }
	e := estimate(t, a)
	assert.Equal(t, 1, e.Finished)
	assert.InEpsilon(t, 5e8*1.1/5500, e.Seconds.Mid, 0.01)
}

// Where a figure is not certain, the plan is not.
func TestUncertainModels(t *testing.T) {
	a := ask(t, "tree:nodes=1")
	a.Seeds = 20
	a.Model = func(seed uint64) *plan.Model { return plan.Crawl(1e8*float64(1+seed), 50*time.Millisecond) }
	e := estimate(t, a)
	assert.Greater(t, e.Nodes.High, 5*e.Nodes.Low)
	assert.Greater(t, dollars(t, e, "S3").High, 5*dollars(t, e, "S3").Low)
}

func TestNotFinished(t *testing.T) {
	a := ask(t, "tree:nodes=1e9,time=100s")
	a.Fleet.Knobs.Max, a.Seeds = 1, 1
	e := estimate(t, a)
	assert.Zero(t, e.Finished)
	var b strings.Builder
	require.NoError(t, e.WriteText(&b))
	assert.Contains(t, b.String(), "did not finish within 30 days")
	const most = 30 * 24 * 36 * 32 // nodes of 100 s in 32 slots
	assert.LessOrEqual(t, dollars(t, e, "SQS").High, 1.5*most*1e-6, "of what was done, not of 10⁹ nodes")
}

func TestCancelledPlan(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := ask(t, "tree:nodes=10").Estimate(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}

// A billion nodes cost what a thousand do: a minute at most (BenchmarkBillion says how
// long) and 1 GiB.
func TestBillion(t *testing.T) {
	a := ask(t, "tree:nodes=1e9,time=20ms")
	a.Seeds = 2
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e := estimate(t, a)
	runtime.ReadMemStats(&after)
	assert.InDelta(t, 3250, e.Seconds.Mid, 60)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<30), "all that was ever allocated")
}

func BenchmarkBillion(b *testing.B) {
	a := ask(b, "tree:nodes=1e9,time=20ms")
	a.Seeds = 1
	for b.Loop() {
		estimate(b, a)
	}
}

// Nor do more, whatever the model: one that lasts long is looked at less closely, else
// this would take hours.
func TestBillionOfAnyModel(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"tree:nodes=1e9,long=0.001@24h":       30 * 24 * time.Hour, // and is not finished
		"tree:nodes=1e9,fanout=1.01,time=1ms": 0,                   // by what the table bears

		"tree:nodes=1e8,time=1ms,long=0.01@10m":              23*time.Hour + 12*time.Minute,
		"tree:nodes=1e9,fanout=1.003,time=1ms,long=0.5@1s":   0,
		"tree:levels=1e5x10000,time=3s,inline=0,message=0ms": 131 * time.Hour,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			a := ask(t, text)
			a.Seeds = 1
			e := estimate(t, a)
			if want > 0 {
				assert.InEpsilon(t, want.Seconds(), e.Seconds.Mid, 0.01)
			} else {
				assert.Equal(t, 1, e.Finished)
			}
		})
	}
}

func TestPictures(t *testing.T) {
	e := estimate(t, ask(t, "tree:nodes=1e6,fanout=8"))
	var text, svg bytes.Buffer
	require.NoError(t, e.WriteText(&text))
	for _, want := range []string{"nodes         1M\n", "duration      3m", "peak tasks", "  Fargate     $0.", "  DynamoDB"} {
		assert.Contains(t, text.String(), want)
	}
	assert.NotContains(t, text.String(), "S3", "it costs nothing")

	var plot bytes.Buffer
	require.NoError(t, e.Plot(&plot, 40))
	lines := strings.Split(plot.String(), "\n")
	assert.Equal(t, "tasks running, at most "+strings.Fields(lines[0])[4], lines[0])
	assert.Len(t, lines, 12)
	for _, l := range lines[1:5] {
		assert.LessOrEqual(t, len([]rune(l)), 42)
	}
	assert.Contains(t, plot.String(), "█")

	require.NoError(t, e.SVG(&svg, `<tree> & "more"`))
	dec := xml.NewDecoder(&svg)
	for {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	empty := &plan.Estimate{}
	require.NoError(t, empty.Plot(io.Discard, 40))
	require.NoError(t, empty.SVG(io.Discard, ""))
}

func TestCheck(t *testing.T) {
	for _, s := range []plan.Size{{VCPU: 0.25, GB: 0.5}, {VCPU: 1, GB: 2, Spot: 1}, {VCPU: 16, GB: 120, ARM: true}} {
		require.NoError(t, s.Check(), "%v", s)
	}
	for field, s := range map[string]plan.Size{
		"cpu": {VCPU: 3, GB: 8}, "disk": {VCPU: 1, GB: 2, Disk: 19}, "memory": {VCPU: 1, GB: 9}, "spot": {VCPU: 1, GB: 2, Spot: 1.1},
	} {
		var bad *schema.FieldError
		if assert.ErrorAs(t, s.Check(), &bad) {
			assert.Equal(t, field, bad.Field)
		}
	}
	f := plan.DefaultFleet()
	require.NoError(t, f.Check())
	f.Scaling = "cpu"
	require.Error(t, f.Check())
	f = plan.DefaultFleet()
	f.Knobs.Concurrency = 0
	require.Error(t, f.Check())
}

// Target tracking is what the study says of it: slow on recursive trees, which is
// why it is the net and not the rule.
func TestTrackingIsSlower(t *testing.T) {
	a := ask(t, "tree:nodes=1e6,fanout=8")
	governed := estimate(t, a).Seconds.Mid
	for _, metric := range []string{scaling.MetricBacklogSeconds, scaling.MetricBacklogPerTask} {
		a.Fleet.Scaling = plan.TargetTracking
		a.Fleet.Tracks = scaling.Tracks(a.Fleet.Knobs, metric, 100*time.Millisecond)
		assert.Greater(t, estimate(t, a).Seconds.Mid, 2.5*governed, metric)
	}
}

// A message holds its slot for queue and ledger, too: between what was said, another
// time for each seed. Of a message that does many nodes it is little for each.
func TestMessagesTakeTime(t *testing.T) {
	chain := func(fields string) *plan.Estimate {
		m, err := plan.ParseModel("tree:nodes=1000,fanout=1,time=20ms," + fields)
		require.NoError(t, err)
		a := ask(t, "tree:nodes=1")
		a.Model = func(uint64) *plan.Model { return m }
		a.Fleet.Scaling, a.Fleet.Warm, a.Fleet.Knobs.Max, a.Seeds = plan.Fixed, true, 1, 40
		return estimate(t, a)
	}
	assert.InDelta(t, 20, chain("inline=0,message=0s").Seconds.Mid, 1e-3)
	assert.InDelta(t, 30, chain("inline=0,message=10ms").Seconds.Mid, 1e-3)
	e := chain("inline=0")
	assert.True(t, e.Seconds.Low >= 25 && e.Seconds.Low < 27 && e.Seconds.High > 36 && e.Seconds.High <= 40, "%v", e.Seconds)
	assert.InDelta(t, 20, chain("inline=1000").Seconds.High, 0.1)
}

// A budget pauses a run: what was begun ends, tasks go home, and what is not done is not
// paid for.
func TestBudget(t *testing.T) {
	a := ask(t, "tree:nodes=1e7,time=100ms")
	a.Seeds = 20
	whole := estimate(t, a)
	assert.Zero(t, whole.Paused)
	assert.Equal(t, plan.Interval{Low: 1, Mid: 1, High: 1}, whole.Done)

	a.Budget = whole.Counted.Low / 2
	half := estimate(t, a)
	assert.Equal(t, 20, half.Paused)
	assert.Zero(t, half.Finished)
	assert.True(t, half.Done.Low > 0.2 && half.Done.High < 0.7, "%v", half.Done)
	assert.Less(t, half.Seconds.High, whole.Seconds.Low)
	assert.Less(t, half.Dollars.High, 0.75*whole.Dollars.Low)
	assert.GreaterOrEqual(t, half.Counted.Low, a.Budget)
	assert.Less(t, half.Counted.High, 1.6*a.Budget, "tasks that were launched are paid for")
	var text strings.Builder
	require.NoError(t, half.WriteText(&text))
	assert.Contains(t, text.String(), "pauses 20 of 20 runs of the model, with ")
	assert.NotContains(t, text.String(), "30 days")

	a.Budget = 2 * whole.Counted.High
	enough := estimate(t, a)
	assert.Zero(t, enough.Paused)
	assert.Equal(t, whole.Seconds, enough.Seconds)
}

// Alarms remember the minutes before a seed, in which there was nothing to do. They do
// not take away what it has started; one that goes off at the minimum would.
func TestIdleMinutesBeforeTheSeed(t *testing.T) {
	first := func(f plan.Fleet) (latest time.Duration) {
		for seed := range uint64(60) {
			o := f.Run(plan.Grow(1000, 10, 100*time.Millisecond), seed)
			latest = max(latest, o.First)
		}
		return latest
	}
	ours := plan.DefaultFleet()
	assert.GreaterOrEqual(t, ours.Before, 16*60, "fifteen periods of scale-in")
	assert.LessOrEqual(t, first(ours), 46*time.Second)

	others := plan.DefaultFleet()
	others.Other = &plan.Other{Every: 60, Alarms: true}
	assert.Greater(t, first(others), time.Minute)
	others.Before = 0
	assert.LessOrEqual(t, first(others), 46*time.Second, "it was the idle minutes")
}

// The function looks once in an idle minute, wherever in it the seed comes: where nobody
// wakes the fleet, it does within that minute and a launch.
func TestNobodyWakesTheFleet(t *testing.T) {
	f := plan.DefaultFleet()
	f.Seeded = 0
	soonest, latest := time.Hour, time.Duration(0)
	for seed := range uint64(200) {
		o := f.Run(plan.Grow(1000, 10, 100*time.Millisecond), seed)
		soonest, latest = min(soonest, o.First), max(latest, o.First)
		assert.Equal(t, 1, o.Peak, "the alarm does not start one more")
	}
	assert.Less(t, soonest, 45*time.Second)
	assert.True(t, latest > 90*time.Second && latest <= 112*time.Second, "%v", latest)
}
