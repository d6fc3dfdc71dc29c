package plan

import (
	"math"
	"time"

	"github.com/ramify/ramify/scaling"
)

// Scaling is how a fleet finds its size.
type Scaling string

// The ways to scale.
const (
	Governor       Scaling = "governor"        // package scaling decides, target tracking is the net
	TargetTracking Scaling = "target-tracking" // Application Auto Scaling alone: the published pattern
	Fixed          Scaling = "fixed"           // always the greatest count, from the seed to the end of the run
)

// Other is alarms and looks of fleets that are not ours, in the place of those that
// package scaling says: the study compared them.
type Other struct {
	Every  int  // seconds between two looks, with work or without
	Alarms bool // wake at something outstanding and no task desired; sleep after five minutes without
	Unread bool // alarms look at unread messages alone
	Steps  bool // step scaling every 10 s beside it: ×2, ×4, ×10 at 1, 4, 10 times the target
}

// OutstandingPerTask is a metric, (unread + in flight) ÷ running, that
// metricfn does not publish but others do.
const OutstandingPerTask = "OutstandingPerTask"

// policy is what changes the desired count. Its seconds are those of a clock whose
// minutes are the periods of metrics, and which has run for a while before the seed.
type policy struct {
	f      *Fleet
	s      *service
	gov    *scaling.Governor
	series map[string]*series
	alarms []*alarm
	ins    []*alarm // of alarms, those that scale in by target tracking
	phase  int      // of the function's minutes, in seconds
	awake  bool     // the function looks again within its minute
	out    int      // when tracking last scaled out, and in
	in     int
	added  int
	looks  int
}

func newPolicy(f *Fleet, s *service, phase int) *policy {
	p := &policy{
		f: f, s: s, gov: scaling.New(f.Knobs), series: map[string]*series{}, phase: phase, out: -1 << 30, in: -1 << 30,
	}
	for _, t := range f.follows() {
		p.track(t)
	}
	switch {
	case f.Scaling == Fixed:
	case f.Other != nil:
		p.other(*f.Other)
	default:
		p.step(scaling.Wake())
		p.step(scaling.Sleep(f.Knobs))
	}
	return p
}

// follows are the target tracking policies of a fleet.
func (f *Fleet) follows() []scaling.Track {
	switch {
	case f.Scaling == Governor:
		return []scaling.Track{scaling.Net(f.Knobs)}
	case f.Scaling == TargetTracking && f.Tracks != nil:
		return f.Tracks
	case f.Scaling == TargetTracking:
		return scaling.Tracks(f.Knobs, scaling.MetricBacklogSeconds, 0)
	}
	return nil
}

func (p *policy) of(name string) *series {
	if p.series[name] == nil {
		p.series[name] = &series{}
	}
	return p.series[name]
}

func (p *policy) set(n int) { p.s.set(min(max(n, p.f.Knobs.Min), p.f.Knobs.Max)) }

// track is target tracking: an alarm that scales out, and one that scales in.
func (p *policy) track(t scaling.Track) {
	s, m := p.s, p.of(t.Metric)
	cooldown := int(t.OutCooldown.Seconds())
	p.alarms = append(p.alarms, &alarm{
		of: m, period: 60, periods: 3, eager: true,
		breach: func(v float64) bool { return v > t.Target },
		act: func(now int, v float64) {
			n := tasks(float64(s.running) * v / t.Target)
			if s.running == 0 {
				n = max(s.desired, 1)
			}
			if n = min(n, p.f.Knobs.Max); n <= s.desired || now-p.out < cooldown && n-s.running <= p.added {
				return
			}
			p.added, p.out = n-s.desired, now
			p.set(n)
		},
	})
	if !t.In {
		return
	}
	in := &alarm{of: m, period: 60, periods: 15, breach: func(v float64) bool { return v < 0.9*t.Target }}
	// "More gradually" has no published curve: at most half at a time.
	in.wants = func(v float64) int { return max(tasks(float64(s.desired)*v/t.Target), s.desired/2) }
	in.act = func(now int, v float64) {
		n := in.wants(v)
		for _, a := range p.ins { // of several policies all have to agree
			if a == in {
				continue
			}
			if !a.on {
				return
			}
			n = max(n, a.wants(a.latest))
		}
		if now-p.in < int(t.InCooldown.Seconds()) || n >= s.desired {
			return
		}
		p.in = now
		p.set(n)
	}
	p.alarms, p.ins = append(p.alarms, in), append(p.ins, in)
}

// step is an alarm with a step scaling policy.
func (p *policy) step(st scaling.Step) {
	last := -1 << 30
	p.alarms = append(p.alarms, &alarm{
		of: p.of(st.Metric), period: int(st.Period.Seconds()), periods: st.Periods, maximum: !st.Least, minimum: st.Least,
		breach: func(v float64) bool { return v >= 1 },
		act: func(now int, _ float64) {
			if now-last < int(st.Cooldown.Seconds()) {
				return
			}
			last = now
			if st.Exact {
				p.set(st.By)
			} else {
				p.set(p.s.desired + st.By)
			}
		},
	})
}

// other sets up what others have beside target tracking.
func (p *policy) other(o Other) {
	if o.Steps {
		t := p.f.follows()[0]
		for _, step := range [][2]float64{{2, 1}, {4, 4}, {10, 10}, {10, 100}, {10, 1000}} {
			p.alarms = append(p.alarms, &alarm{
				of: p.of(t.Metric), period: 10, periods: 1,
				breach: func(v float64) bool { return v > step[1]*t.Target },
				act:    func(int, float64) { p.set(max(p.s.desired, max(1, p.s.running)*int(step[0]))) },
			})
		}
	}
	if !o.Alarms {
		return
	}
	waits, wakes := p.of(scaling.MetricOutstanding), 60
	if o.Unread {
		waits = p.of(scaling.MetricUnread)
	}
	if o.Steps {
		wakes = 10
	}
	p.alarms = append(p.alarms, &alarm{
		of: waits, period: wakes, periods: 1, maximum: true,
		breach: func(v float64) bool { return v > 0 },
		act: func(int, float64) {
			if p.s.desired == 0 {
				p.set(1)
			}
		},
	}, &alarm{
		of: waits, period: 60, periods: 5, maximum: true,
		breach: func(v float64) bool { return v <= 0 },
		act:    func(int, float64) { p.set(p.f.Knobs.Min) },
	})
}

// tick is the policy's second.
func (p *policy) tick(now int, look scaling.Sample) {
	if p.f.Scaling == Fixed {
		if !look.Ledger.Unsettled {
			p.s.set(0)
		}
		return
	}
	if p.due(now) {
		p.look(now, look)
	}
	for _, a := range p.alarms {
		a.tick(now, p.s.running)
	}
}

// due is whether the function looks: once a minute, and while there is something to do
// every ten seconds until the next minute.
func (p *policy) due(now int) bool {
	const minute = 60
	since := ((now-p.phase)%minute + minute) % minute
	if p.f.Other != nil {
		return since%max(p.f.Other.Every, 1) == 0
	}
	if since == 0 {
		p.awake = true
	}
	return p.awake && since%int(scaling.Every.Seconds()) == 0
}

func (p *policy) look(now int, look scaling.Sample) {
	look.At = time.Unix(int64(now), 0)
	p.looks++
	metrics, d := p.gov.Look(look)
	applied := p.f.Scaling == Governor && d.Change
	if applied {
		p.s.set(d.Desired)
		metrics.Applied(d)
	}
	for _, m := range metrics {
		p.put(now, m.Name, m.Value)
	}
	p.put(now, OutstandingPerTask, float64(look.Queue.Outstanding())/float64(max(p.s.running, 1)))
	p.awake = look.Queue.Outstanding() > 0 && d.Reason != scaling.Waits || look.Service.Desired != p.f.Knobs.Min || applied
}

// put keeps what an alarm looks at.
func (p *policy) put(now int, name string, v float64) {
	if of := p.series[name]; of != nil {
		of.put(now, v)
	}
}

func tasks(n float64) int { return int(min(math.Ceil(n-1e-9), math.MaxInt32)) }
