package plan

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/ramify/ramify/scaling"
)

// Fleet is what a run is planned on.
type Fleet struct {
	Knobs    scaling.Knobs
	Scaling  Scaling
	Tracking Tracking // of TargetTracking
	Launches Launches
	Lag      int     // seconds that the queue's counts are late
	Warm     bool    // as many tasks as can be run before the seed comes
	Seeded   int     // tasks that the seed asks for
	Phase    int     // seconds after the seed of metricfn's first look; negative: anywhere within a minute
	Doubt    float64 // how far the part that is settled misleads about the rest: sigma of its logarithm
	Rate     func(now float64) float64
}

// DefaultFleet is one that nobody has tuned, as it is found by a seed: metricfn
// looks within a minute, and the parts of a tree are not alike.
func DefaultFleet() Fleet {
	return Fleet{
		Knobs: scaling.Defaults(), Scaling: Governor, Launches: DefaultLaunches(), Lag: 5, Seeded: 1, Phase: -1, Doubt: 0.5,
	}
}

// Check says what is wrong with the knobs or the way to scale.
func (f *Fleet) Check() error {
	if f.Scaling != Governor && f.Scaling != TargetTracking && f.Scaling != Fixed {
		return badf("scaling", string(f.Scaling), "%s, %s or %s", Governor, TargetTracking, Fixed)
	}
	return f.Knobs.Check()
}

// Outcome is one run of the model.
type Outcome struct {
	Finished    bool
	Duration    time.Duration // from the seed to the last node
	First       time.Duration // to the first running task
	Peak        int           // tasks running at most
	TaskSeconds float64       // billed, those after the end of the run included
	Away        time.Duration // from the seed until the fleet was back at its minimum
	Changes     int           // of the desired count
	Looks       int           // of metricfn
	Throttled   time.Duration // in which the services' limits held the fleet back
	Curve       []Point
}

// Point is the state of a fleet at a time.
type Point struct {
	At          int     `json:"at"` // seconds
	Desired     int     `json:"desired"`
	Running     int     `json:"running"`
	Pending     int     `json:"pending"`
	Outstanding float64 `json:"outstanding"`
	Done        float64 `json:"done"` // part of the nodes
}

const (
	longest    = 30 * 24 * 3600 // seconds of a run that are looked at
	afterwards = 3600           // for the fleet to go home
	mostPoints = 1024
)

type world struct {
	f      *Fleet
	n      *nodes
	s      *service
	p      *policy
	seen   []scaling.Queue // the last Lag seconds
	curve  []Point
	stride int
	doubt  float64
}

// Run lets the model run once.
func (f *Fleet) Run(t Tree, seed uint64) Outcome {
	rng := rand.New(rand.NewPCG(seed, 0x72616d696679))
	warm, desired := f.Knobs.Min, max(f.Knobs.Min, f.Seeded)
	switch {
	case f.Warm:
		warm, desired = f.Knobs.Max, f.Knobs.Max
	case f.Scaling == Fixed:
		desired = f.Knobs.Max
	}
	s := newService(f.Launches, warm, desired, rng)
	phase := f.Phase
	if phase < 0 {
		phase = rng.IntN(60)
	}
	w := &world{f: f, s: s, n: newNodes(t, rng.Float64), p: newPolicy(f, s, phase), stride: 1, doubt: math.Exp(f.Doubt * rng.NormFloat64())}
	w.n.rate = f.Rate
	o := Outcome{}
	now := 0
	for ; now < longest; now++ {
		w.second(now)
		if w.n.finished < 0 {
			continue
		}
		home := s.running+s.pending <= f.Knobs.Min && s.desired <= f.Knobs.Min || f.Warm && s.running == 0
		if home || float64(now)-w.n.finished > afterwards {
			break
		}
	}
	o.Finished = w.n.finished >= 0
	o.Duration = seconds(w.n.finished)
	if !o.Finished {
		o.Duration = seconds(float64(now))
	}
	o.First = seconds(float64(max(s.first, 0)))
	o.Peak, o.Changes, o.Curve = s.peak, s.changes, w.curve
	o.Looks, o.Throttled = w.p.looks, seconds(w.n.refused)
	o.TaskSeconds, o.Away = s.taskSeconds(now+1), seconds(float64(now+1))
	return o
}

func (w *world) second(now int) {
	// What holds a message is protected, spread over as many tasks as it can be.
	busy := 0
	if len(w.seen) > 0 {
		busy = int(w.seen[len(w.seen)-1].InFlight)
	}
	w.s.tick(now, min(w.s.running, busy))
	slots := float64(w.s.running * w.f.Knobs.Concurrency)
	if w.n.finished < 0 {
		w.n.work(now, slots)
	}
	look := scaling.Sample{
		Queue:   w.observe(slots),
		Service: &scaling.Service{Running: w.s.running, Pending: w.s.pending, Desired: w.s.desired},
		Ledger: &scaling.Ledger{
			Settled: int64(w.n.settled), Busy: seconds(w.n.busy), Unsettled: w.n.finished < 0,
			Expected: scaling.Expect(int64(w.n.leaves), w.n.share*w.doubt),
		},
	}
	w.p.tick(now+1, w.s, look)
	w.draw(now + 1)
}

// observe counts the queue as it is and returns it as it is told.
func (w *world) observe(slots float64) *scaling.Queue {
	var q scaling.Queue
	if w.n.finished < 0 {
		waits := w.n.waiting()
		if waits < 0.01 {
			waits = 0
		}
		grab := min(waits, max(0, slots-w.n.held-float64(w.n.longs)))
		q.Unread = int64(math.Ceil(waits - grab - nothing))
		q.InFlight = int64(math.Ceil(grab + w.n.held + float64(w.n.longs) - nothing))
	}
	w.seen = append(w.seen, q)
	lag := max(w.f.Lag, 1)
	if len(w.seen) < lag {
		told := scaling.Queue{}
		if w.n.finished < 0 {
			told.Unread = 1
		}
		return &told
	}
	w.seen = w.seen[len(w.seen)-lag:]
	told := w.seen[0]
	return &told
}

// draw keeps a point of the curve.
func (w *world) draw(now int) {
	if now%w.stride != 0 {
		return
	}
	w.curve = append(w.curve, Point{
		At: now, Desired: w.s.desired, Running: w.s.running, Pending: w.s.pending,
		Outstanding: w.n.waiting() + w.n.held + float64(w.n.longs), Done: min(w.n.done/w.n.total, 1),
	})
	if len(w.curve) >= mostPoints {
		kept := w.curve[:0]
		for i := 1; i < len(w.curve); i += 2 {
			kept = append(kept, w.curve[i])
		}
		w.curve, w.stride = kept, w.stride*2
	}
}
