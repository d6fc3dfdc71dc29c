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
	Tracks   []scaling.Track // of TargetTracking; by default scaling.Tracks
	Other    *Other          // alarms and looks that are not ours
	Launches Launches
	Lag      int     // seconds that the queue's counts are late
	Warm     bool    // as many tasks as can be run before the seed comes
	Seeded   int     // tasks that the seed asks for
	Before   int     // seconds before the seed in which the fleet was idle and looked at
	Phase    int     // seconds after the seed of metricfn's first look; negative: anywhere within a minute
	Doubt    float64 // how far the part that is settled misleads about the rest: sigma of its logarithm
	Rate     func(now float64) float64

	// Spent is what tasks look at that heed a budget, in dollars, by the task-seconds and
	// the nodes so far; a run that has spent its Budget is paused. 0: it has none.
	Spent  func(taskSeconds, some, nodes float64) float64
	Budget float64
}

// DefaultFleet is one that nobody has tuned, as it is found by a seed: metricfn
// looks within a minute, it has long been idle, so that all alarms have made up their
// mind, and the parts of a tree are not alike.
func DefaultFleet() Fleet {
	return Fleet{
		Knobs: scaling.Defaults(), Scaling: Governor, Launches: defaultLaunches(), Lag: 5, Seeded: 1, Before: 20 * 60, Phase: -1, Doubt: 0.5,
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
	Paused      bool          // for its budget
	Done        float64       // part of the nodes, when it was paused or given up; else 1
	Duration    time.Duration // from the seed to the last node, or until it was paused
	First       time.Duration // to the first running task
	Peak        int           // tasks running at most
	TaskSeconds float64       // billed, those after the end of the run included
	Away        time.Duration // from the seed until the fleet was back at its minimum
	Some        time.Duration // of Away, in which any task ran
	Changes     int           // of the desired count
	Looks       int           // of metricfn, from the seed on
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

// A keeper looks at budgets every ten seconds (RAMIFY_SWEEP), and at a new run within
// a quarter of RAMIFY_NO_PROGRESS.
const (
	sweeps = 10
	notice = 150
)

type world struct {
	f      *Fleet
	n      *nodes
	s      *service
	p      *policy
	ahead  int             // seconds of the policy's clock at the seed
	seen   []scaling.Queue // the last Lag seconds
	curve  []Point
	stride int
	doubt  float64
	some   int // seconds in which a task ran
	heed   int // second from which a budget is heeded
	paused int // since when; negative: it is not
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
	w := &world{f: f, s: newService(f.Launches, warm, warm, rng), stride: 1, paused: -1, ahead: f.Before}
	phase := w.ahead + f.Phase
	if f.Phase < 0 {
		phase = rng.IntN(60)
	}
	w.n = newNodes(t, rng.Float64)
	w.doubt = math.Exp(f.Doubt * rng.NormFloat64())
	if f.Phase < 0 { // nor does anybody seed on the minute
		w.ahead += rng.IntN(60)
		w.heed = rng.IntN(notice)
	}
	w.p = newPolicy(f, w.s, phase)
	w.idle()
	w.s.desired = desired
	w.n.rate = f.Rate
	now := 0
	for ; now < longest; now++ {
		w.second(now)
		if w.gone(now) {
			break
		}
	}
	o := Outcome{
		Finished: w.n.finished >= 0, Paused: w.paused >= 0, Done: 1, Duration: seconds(w.n.finished), First: seconds(float64(max(w.s.first, 0))),
		Peak: w.s.peak, Changes: w.s.changes, Curve: w.curve, Looks: w.p.looks, Throttled: seconds(w.n.refused),
		TaskSeconds: w.s.taskSeconds(now + 1), Away: seconds(float64(now + 1)), Some: seconds(float64(w.some)),
	}
	switch {
	case o.Paused:
		o.Done, o.Duration = w.n.done/w.n.total, seconds(float64(w.paused))
	case !o.Finished:
		o.Done, o.Duration = min(w.n.done/w.n.total, 1), seconds(float64(now))
	}
	return o
}

// idle is what was before the seed: nothing to do, for so long that alarms have made up
// their mind.
func (w *world) idle() {
	if w.f.Before == 0 || w.f.Scaling == Fixed || w.f.Warm {
		return
	}
	for now := range w.ahead {
		w.p.tick(now, scaling.Sample{
			Queue: &scaling.Queue{}, Ledger: &scaling.Ledger{},
			Service: &scaling.Service{Running: w.s.running, Desired: w.s.desired},
		})
	}
	w.p.looks = 0
}

// gone is whether the run is over, or paused, and the fleet back at its minimum.
func (w *world) gone(now int) bool {
	over := w.n.finished
	if w.paused >= 0 {
		over = float64(w.paused)
	}
	if over < 0 || w.n.finished < 0 && w.n.held+float64(w.n.longs) > 0 {
		return false
	}
	s, least := w.s, w.f.Knobs.Min
	home := s.running+s.pending <= least && s.desired <= least || w.f.Warm && s.running == 0
	return home || float64(now)-over > afterwards
}

// keep is the keeper's look at a budget.
func (w *world) keep(now int) {
	if w.f.Budget == 0 || w.paused >= 0 || w.n.finished >= 0 || w.s.running == 0 || now-w.s.first < w.heed || now%sweeps != 0 {
		return
	}
	if w.f.Spent(w.s.taskSeconds(now), float64(w.some), w.n.done) >= w.f.Budget {
		w.paused = now
		w.n.stopped = true
	}
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
	if w.s.running > 0 {
		w.some++
	}
	w.keep(now)
	unsettled := w.n.finished < 0
	look := scaling.Sample{
		Queue:   w.observe(slots),
		Service: &scaling.Service{Running: w.s.running, Pending: w.s.pending, Desired: w.s.desired},
		Ledger: &scaling.Ledger{
			Settled: int64(w.n.settled), Busy: seconds(w.n.busy), Unsettled: unsettled && w.paused < 0, Paused: unsettled && w.paused >= 0,
			Expected: scaling.Expect(int64(w.n.leaves), w.n.share*w.doubt),
		},
	}
	w.p.tick(now+1+w.ahead, look)
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
		// A step of several nodes after one another holds more than there are slots: the
		// rest of it waits.
		later := max(0, w.n.held-max(0, slots-float64(w.n.longs)))
		if w.n.coarse == 0 {
			later = 0
		}
		grab := min(waits, max(0, slots-w.n.held-float64(w.n.longs)))
		if w.paused >= 0 {
			grab = 0 // it goes back unread
		}
		q.Unread = int64(math.Ceil(waits - grab + later - nothing))
		q.InFlight = int64(math.Ceil(grab + w.n.held - later + float64(w.n.longs) - nothing))
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
