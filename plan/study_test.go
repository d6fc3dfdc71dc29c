package plan_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ramify/ramify/plan"
	"github.com/ramify/ramify/scaling"
)

const ms = time.Millisecond

// study are the trees of the study that chose the policy, and those held out from
// its tuning.
var study = func() map[string]plan.Tree {
	heavy, slow := plan.Grow(1e6, 8, 100*ms), plan.Grow(1e6, 8, 100*ms)
	heavy.Long = []plan.Long{{Part: 1e-3, Time: time.Minute}, {Part: 2.5e-5, Time: 20 * time.Minute}}
	slow.Long = []plan.Long{{Part: 0.2, Time: 3 * time.Second}}
	burst := append(slices.Repeat([]float64{2}, 200), 2e3, 1e6)
	return map[string]plan.Tree{
		"tiny": plan.Grow(1e4, 8, 50*ms), "medium": plan.Grow(1e6, 8, 100*ms), "huge": plan.Grow(1e9, 10, 20*ms),
		"chain":  plan.Grow(1800, 1, time.Second),
		"bursty": {Levels: append(slices.Repeat([]float64{2}, 600), 2e3, 2e6), Time: 200 * ms},
		"band":   {Levels: slices.Repeat([]float64{200}, 900), Time: time.Second}, "heavy": heavy,

		"narrow": plan.Grow(1e5, 3, 300*ms), "broad": plan.Grow(1e7, 20, 500*ms), "quick": plan.Grow(3e8, 10, 5*ms),
		"bursts": {Levels: slices.Concat(burst, burst), Time: 100 * ms}, "long": plan.Grow(2e4, 8, 300*time.Second), "slow part": slow,
	}
}()

// as is the fleet as the study had it: the loop of metricfn runs, and shares are
// exact.
func as(s plan.Scaling, rule scaling.Rule) plan.Fleet {
	f := plan.DefaultFleet()
	f.Scaling, f.Knobs.Rule, f.Before, f.Phase, f.Doubt = s, rule, 0, 3, 0
	return f
}

// times is what a run costs, in terms of its pure work.
func times(o *plan.Outcome, t plan.Tree) float64 { return o.TaskSeconds * 32 / t.Work().Seconds() }

// mean is duration and cost over ten seeds, and from where to where they are.
func mean(f plan.Fleet, t plan.Tree) (duration, cost float64, low, high, cheap, dear float64) {
	low, cheap = math.Inf(1), math.Inf(1)
	for seed := range uint64(10) {
		o := f.Run(t, seed)
		d, c := o.Duration.Seconds(), times(&o, t)
		duration, cost = duration+d/10, cost+c/10
		low, high, cheap, dear = min(low, d), max(high, d), min(cheap, c), max(dear, c)
	}
	return duration, cost, low, high, cheap, dear
}

// The ranges that the study gives for its policy P8s over ten seeds, in whole
// seconds; it gives a range of the cost for medium, else one figure. The mean of ours
// lies within. Other ten seeds are other launches and stragglers, whose ends may lie
// half a percent outside, as those of the study's own simulator do: its seeds 11 to 40,
// by tens, give band 1050 to 1069 and heavy from 1437 s on.
func TestStudyIsReproduced(t *testing.T) {
	const slack = 0.005
	for name, want := range map[string]struct{ low, high, cheap, dear float64 }{
		"medium": {230, 245, 1.34, 1.45},
		"huge":   {3283, 3295, 1.01, 1.01},
		"bursty": {291, 301, 1.56, 1.56},
		"band":   {1057, 1066, 1.17, 1.17},
		"heavy":  {1444, 1461, 4.1, 6.4}, // 25 stragglers of 20 minutes: its cost is not ranked
	} {
		duration, cost, low, high, cheap, dear := mean(as(plan.Governor, scaling.Backlog), study[name])
		t.Logf("%s: %.0f s (%.0f to %.0f), %.2f times (%.2f to %.2f)", name, duration, low, high, cost, cheap, dear)
		assert.True(t, want.low <= duration && duration <= want.high, "%s: mean %v s", name, duration)
		assert.True(t, want.cheap-0.015 <= cost && cost <= want.dear+0.015, "%s: mean cost %v", name, cost)
		assert.GreaterOrEqual(t, math.Ceil(low), want.low*(1-slack), name)
		assert.LessOrEqual(t, math.Ceil(high), want.high*(1+slack), name)
		assert.GreaterOrEqual(t, cheap, want.cheap-0.025, name)
		assert.LessOrEqual(t, dear, want.dear+0.025, name)
	}
}

// The rows of the study's table that are other policies than ours, within 7 %.
func TestOtherPoliciesOfTheStudy(t *testing.T) {
	fixed := as(plan.Fixed, scaling.Backlog)
	warm := fixed
	warm.Warm = true
	tracking := func(metric string, target float64, cooldown time.Duration) plan.Fleet {
		f := as(plan.TargetTracking, scaling.Backlog)
		f.Tracks = []scaling.Track{{Metric: metric, Target: target, InCooldown: time.Minute, In: true}}
		if cooldown > 0 {
			f.Tracks[0].OutCooldown, f.Tracks[0].InCooldown = cooldown, cooldown
		}
		f.Other, f.Phase, f.Seeded = &plan.Other{Alarms: true, Every: 60}, 37, 0
		return f
	}
	guessed := 120 * 32 / 0.1 // messages a task, of 0.1 s
	p2 := tracking(scaling.MetricBacklogPerTask, guessed, 5*time.Minute)
	p2.Other.Unread = true
	p1 := p2
	p1.Knobs.Min, p1.Other = 1, &plan.Other{Every: 60}
	p5 := tracking(scaling.MetricBacklogSeconds, 120, 0)
	p5.Other, p5.Phase = &plan.Other{Alarms: true, Steps: true, Every: 10}, 7
	net := as(plan.TargetTracking, scaling.Backlog) // and nobody to call UpdateService
	net.Tracks, net.Seeded = []scaling.Track{{Metric: scaling.MetricBacklogSeconds, Target: 120, InCooldown: time.Minute}}, 0
	for name, c := range map[string]struct {
		fleet                plan.Fleet
		medium, huge, bursty float64
	}{
		"warm":           {warm, 17, 3126, 183},
		"fixed":          {fixed, 56, 3165, 213},
		"P1":             {p1, 663, 3424, 570},
		"P2":             {p2, 783, 3544, 692},
		"P3":             {tracking(plan.OutstandingPerTask, guessed, 0), 741, 3544, 669},
		"P4":             {tracking(scaling.MetricBacklogSeconds, 120, 0), 741, 3726, 606},
		"P5":             {p5, 656, 3565, 559},
		"P8d, net alone": {net, 680, 3669, 546},
		"P8s, a name":    {as(plan.Governor, scaling.Backlog), 236, 3286, 291},
	} {
		for tree, want := range map[string]float64{"medium": c.medium, "huge": c.huge, "bursty": c.bursty} {
			o := c.fleet.Run(study[tree], 1)
			assert.InEpsilon(t, want, math.Ceil(o.Duration.Seconds()), 0.07, "%s on %s", name, tree)
		}
	}
}

// What is expected makes the default rule faster than P8s, above all where that was
// weak, at the same cost; also on trees that nobody has tuned it on, and not at much
// higher cost where shares mislead.
func TestSizeBeatsBacklog(t *testing.T) {
	for name, tree := range study {
		before, cost, _, _, _, _ := mean(as(plan.Governor, scaling.Backlog), tree)
		after, price, _, _, _, _ := mean(as(plan.Governor, scaling.Size), tree)
		t.Logf("%-9s %4.0f s, %.2f times → %4.0f s, %.2f times", name, before, cost, after, price)
		assert.LessOrEqual(t, after, before*1.001, name)
		if name != "heavy" {
			assert.LessOrEqual(t, price, cost*1.02, name)
		}
		if name == "medium" {
			assert.Less(t, after, 0.88*before)
		}
	}
	for _, c := range []struct{ doubt, faster, dearer float64 }{{0, 0.92, 1.02}, {0.5, 0.90, 1.06}, {1, 0.89, 1.13}} {
		faster, dearer := 0.0, 0.0
		trees := family(30, 2)
		for i, tree := range trees {
			f, g := as(plan.Governor, scaling.Backlog), as(plan.Governor, scaling.Size)
			g.Doubt = c.doubt
			a, b := f.Run(tree, uint64(i)), g.Run(tree, uint64(i))
			faster += math.Log(b.Duration.Seconds()/a.Duration.Seconds()) / float64(len(trees))
			dearer += math.Log(b.TaskSeconds/a.TaskSeconds) / float64(len(trees))
		}
		t.Logf("30 random trees, shares off by e^±%.1f: %.3f of the time, %.3f of the cost", c.doubt, math.Exp(faster), math.Exp(dearer))
		assert.LessOrEqual(t, math.Exp(faster), c.faster)
		assert.LessOrEqual(t, math.Exp(dearer), c.dearer)
	}
}

// family is random trees: sizes, times and fanouts over orders of magnitude, some of
// them two in a row with a narrow neck, some that shrink as they grew.
func family(n int, seed uint64) (trees []plan.Tree) {
	rng := rand.New(rand.NewPCG(seed, 7))
	between := func(a, b float64) float64 { return a + (b-a)*rng.Float64() }
	for len(trees) < n {
		nodes, node, fanout := math.Pow(10, between(4, 7.7)), math.Pow(10, between(-2, 0.7)), math.Pow(10, between(0.25, 1.5))
		t := plan.Grow(nodes, fanout, time.Duration(node*1e9))
		switch rng.IntN(6) {
		case 0:
			neck := slices.Repeat([]float64{3}, int(between(3, 60)/max(node, 0.05)))
			t.Levels = slices.Concat(t.Levels, neck, t.Levels)
		case 1:
			back := slices.Clone(t.Levels[:len(t.Levels)-1])
			slices.Reverse(back)
			t.Levels = append(t.Levels, back...)
		}
		if w := t.Work().Seconds() / 32; w > 200 && w < 200*900 && len(t.Levels) < 2000 {
			trees = append(trees, t)
		}
	}
	return trees
}
