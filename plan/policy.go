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

// Tracking is a target tracking policy of Application Auto Scaling with alarms
// that wake the service and put it to sleep (Application Auto Scaling User Guide,
// "Target tracking scaling policies").
type Tracking struct {
	Metric      string  // scaling.MetricBacklogSeconds, MetricBacklogPerTask or MetricOutstandingPerTask
	Target      float64 // of that metric
	OutCooldown int     // seconds
	InCooldown  int
	ScaleIn     bool
	Wake, Sleep bool // alarms on what is outstanding
	Unread      bool // alarms look at unread messages alone
	Every       int  // seconds between two looks
	Steps       bool // step scaling every 10 s beside it: ×2, ×4, ×10 at 1, 4, 10 times the target
}

// OutstandingPerTask is a metric, (unread + in flight) ÷ running, that
// metricfn does not publish but others do.
const OutstandingPerTask = "OutstandingPerTask"

// policy is what changes the desired count.
type policy struct {
	f      *Fleet
	gov    *scaling.Governor
	series map[string]*series
	alarms []*alarm
	phase  int // of the looks, in seconds
	every  int
	out    int // when tracking last scaled out, and in
	in     int
	added  int
	looks  int
}

func newPolicy(f *Fleet, s *service, phase int) *policy {
	p := &policy{
		f: f, gov: scaling.New(f.Knobs), series: map[string]*series{}, phase: phase,
		every: int(scaling.Every.Seconds()), out: -1 << 30, in: -1 << 30,
	}
	switch f.Scaling {
	case Governor:
		p.track(s, Tracking{
			Metric: scaling.MetricBacklogSeconds, Target: f.Knobs.Acceptable.Seconds(), InCooldown: 60, Wake: true, Sleep: true,
		}, 10)
	case TargetTracking:
		p.every = max(f.Tracking.Every, 1)
		p.track(s, f.Tracking, 60)
	}
	return p
}

func (p *policy) of(name string) *series {
	if p.series[name] == nil {
		p.series[name] = &series{}
	}
	return p.series[name]
}

// track sets up the alarms of target tracking and those beside it.
func (p *policy) track(s *service, t Tracking, wakePeriod int) {
	k, m := p.f.Knobs, p.of(t.Metric)
	set := func(n int) { s.set(min(max(n, k.Min), k.Max)) }
	p.alarms = append(p.alarms, &alarm{
		of: m, period: 60, periods: 3, eager: true,
		breach: func(v float64) bool { return v > t.Target },
		act: func(now int, v float64) {
			n := tasks(float64(s.running) * v / t.Target)
			if s.running == 0 {
				n = max(s.desired, 1)
			}
			if n = min(n, k.Max); n <= s.desired || now-p.out < t.OutCooldown && n-s.running <= p.added {
				return
			}
			p.added, p.out = n-s.desired, now
			set(n)
		},
	})
	if t.ScaleIn {
		p.alarms = append(p.alarms, &alarm{
			of: m, period: 60, periods: 15,
			breach: func(v float64) bool { return v < 0.9*t.Target },
			act: func(now int, v float64) {
				// "More gradually" has no published curve: at most half at a time.
				n := max(tasks(float64(s.desired)*v/t.Target), s.desired/2)
				if now-p.in < t.InCooldown || n >= s.desired {
					return
				}
				p.in = now
				set(n)
			},
		})
	}
	waits := p.of(scaling.MetricOutstanding)
	if t.Unread {
		waits = p.of(scaling.MetricUnread)
	}
	if t.Steps {
		wakePeriod = 10
		for _, step := range [][2]float64{{2, 1}, {4, 4}, {10, 10}, {10, 100}, {10, 1000}} {
			p.alarms = append(p.alarms, &alarm{
				of: m, period: 10, periods: 1,
				breach: func(v float64) bool { return v > step[1]*t.Target },
				act:    func(int, float64) { set(max(s.desired, max(1, s.running)*int(step[0]))) },
			})
		}
	}
	if t.Wake {
		p.alarms = append(p.alarms, &alarm{
			of: waits, period: wakePeriod, periods: 1, maximum: true,
			breach: func(v float64) bool { return v > 0 },
			act: func(int, float64) {
				if s.desired == 0 {
					set(1)
				}
			},
		})
	}
	if t.Sleep {
		p.alarms = append(p.alarms, &alarm{
			of: waits, period: 60, periods: 5, maximum: true,
			breach: func(v float64) bool { return v <= 0 },
			act:    func(int, float64) { set(k.Min) },
		})
	}
}

// tick is the policy's second.
func (p *policy) tick(now int, s *service, look scaling.Sample) {
	if p.f.Scaling == Fixed {
		if !look.Ledger.Unsettled {
			s.set(0)
		}
		return
	}
	if (now-p.phase)%p.every == 0 {
		look.At = time.Unix(int64(now), 0)
		p.looks++
		metrics, d := p.gov.Look(look)
		for _, m := range metrics {
			p.put(now, m.Name, m.Value)
		}
		p.put(now, OutstandingPerTask, float64(look.Queue.Outstanding())/float64(max(s.running, 1)))
		if p.f.Scaling == Governor && d.Change {
			s.set(d.Desired)
		}
	}
	for _, a := range p.alarms {
		a.tick(now, s.running)
	}
}

// put keeps what an alarm looks at.
func (p *policy) put(now int, name string, v float64) {
	if of := p.series[name]; of != nil {
		of.put(now, v)
	}
}

func tasks(n float64) int { return int(min(math.Ceil(n-1e-9), math.MaxInt32)) }
