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
	Lag      int  // seconds that the queue's counts are late
	Warm     bool // as many tasks as can be run before the seed comes
	Seeded   int  // tasks that the seed asks for
	Phase    int  // seconds after the seed of metricfn's first look; negative: anywhere within a minute
	Rate     func(now float64) float64
}

// Outcome is one run of the model.
type Outcome struct {
	Finished    bool
	Duration    time.Duration // from the seed to the last node
	First       time.Duration // to the first running task
	Peak        int           // tasks running at most
	TaskSeconds float64       // billed, those after the end of the run included
	Total       time.Duration // from the seed until the fleet was back at its minimum
	Changes     int           // of the desired count
	Looks       int           // of metricfn
	Curve       []Point
}

// Point is the state of a fleet at a time.
type Point struct {
	At                        int // seconds
	Desired, Running, Pending int
	Outstanding               float64
	Done                      float64 // part of the nodes
}

const (
	longest    = 30 * 24 * 3600 // seconds of a run that are looked at
	afterwards = 3600           // for the fleet to go home
	mostPoints = 1024
)

type world struct {
	f       *Fleet
	n       *nodes
	s       *service
	p       *policy
	seen    []scaling.Queue // the last Lag seconds
	curve   []Point
	stride  int
	looks   int
	started scaling.Queue
}

// Run lets the model run once.
func (f *Fleet) Run(t Tree, seed uint64) Outcome {
	rng := rand.New(rand.NewPCG(seed, 0x72616d696679)) //nolint:gosec // because a model must be repeatable
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
	w := &world{f: f, s: s, n: newNodes(t, rng.Float64), p: newPolicy(f, s, phase), stride: 1, started: scaling.Queue{Unread: 1}}
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
	o.Duration = seconds(max(w.n.finished, 0))
	o.First = seconds(float64(max(s.first, 0)))
	o.Peak, o.Changes, o.Curve = s.peak, s.changes, w.curve
	o.TaskSeconds, o.Total = s.taskSeconds(now+1), seconds(float64(now+1))
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
