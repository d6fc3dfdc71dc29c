package plan

import (
	"math/rand/v2"
	"slices"
)

// Launches is how fast tasks come.
type Launches struct {
	Low, High int     // seconds from a decision to a running task, drawn evenly
	Unbilled  int     // seconds of them before billing starts, with the pull of the image
	Burst     float64 // tasks at once for an account and region,
	Rate      float64 // and then a second
	Service   float64 // a minute for one service
}

// defaultLaunches are AWS's figures for Fargate where AWS gives them (Amazon ECS
// Developer Guide, "Request throttling in Amazon ECS" and "Amazon ECS service
// quotas"); the times of a launch are ours.
func defaultLaunches() Launches {
	return Launches{Low: 30, High: 45, Unbilled: 15, Burst: 100, Rate: 20, Service: 500}
}

const (
	leastBilled = 60 // seconds of a task, however short it was (AWS Fargate pricing)
	pulling     = 25 // seconds before it runs, a launch that is called off costs nothing
)

// service is an ECS service on Fargate, its tasks protected while they are busy.
type service struct {
	Launches
	desired, running, pending int

	batches  []batch     // the oldest first
	arrivals map[int]int // launches by the second they run from
	account  float64     // launches that may be made now,
	own      float64
	rng      *rand.Rand

	billed  float64 // task-seconds of tasks that are gone
	changes int     // of desired
	peak    int
	first   int // second that the first task ran; negative: not yet
}

// batch is tasks that are billed from the same second.
type batch struct{ from, n int }

func newService(l Launches, warm, desired int, rng *rand.Rand) *service {
	s := &service{
		Launches: l, desired: desired, running: warm, peak: warm, first: -1,
		arrivals: map[int]int{}, account: l.Burst, own: l.Service, rng: rng,
	}
	if warm > 0 {
		s.batches, s.first = []batch{{0, warm}}, 0
	}
	return s
}

// set changes the desired count.
func (s *service) set(n int) {
	if n != s.desired {
		s.desired = n
		s.changes++
	}
}

// tick is the scheduler's second. busy is how many tasks may not be stopped.
func (s *service) tick(now, busy int) {
	s.account = min(s.Burst, s.account+s.Rate)
	s.own = min(s.Service, s.own+s.Service/60)
	switch lacks := s.desired - s.running - s.pending; {
	case lacks > 0:
		k := int(min(float64(lacks), s.account, s.own))
		s.account -= float64(k)
		s.own -= float64(k)
		for range k {
			s.arrivals[now+s.Low+s.rng.IntN(s.High-s.Low+1)]++
		}
		s.pending += k
	case lacks < 0:
		left := s.callOff(now, -lacks)
		s.stop(now, min(left, s.running-min(busy, s.running)))
	}
	if n := s.arrivals[now]; n > 0 {
		delete(s.arrivals, now)
		s.pending -= n
		s.running += n
		s.batches = append(s.batches, batch{now - (s.Low+s.High)/2 + s.Unbilled, n})
		if s.first < 0 {
			s.first = now
		}
	}
	s.peak = max(s.peak, s.running)
}

// callOff ends launches, the latest first, and says how many tasks are still too
// many.
func (s *service) callOff(now, k int) int {
	if s.pending == 0 {
		return k
	}
	for _, at := range slices.Backward(s.order()) {
		n := min(k, s.arrivals[at])
		if s.arrivals[at] -= n; s.arrivals[at] == 0 {
			delete(s.arrivals, at)
		}
		s.pending -= n
		k -= n
		if at-now < pulling {
			s.billed += float64(n * leastBilled)
		}
	}
	return k
}

func (s *service) order() []int {
	at := make([]int, 0, len(s.arrivals))
	for t := range s.arrivals {
		at = append(at, t)
	}
	slices.Sort(at)
	return at
}

// stop ends tasks, the oldest first.
func (s *service) stop(now, k int) {
	for i := range s.batches {
		b := &s.batches[i]
		n := min(k, b.n)
		b.n -= n
		k -= n
		s.running -= n
		s.billed += float64(n * max(leastBilled, now-b.from))
	}
	s.batches = slices.DeleteFunc(s.batches, func(b batch) bool { return b.n == 0 })
}

// taskSeconds are those to pay for if all ended now.
func (s *service) taskSeconds(now int) float64 {
	sum := s.billed + float64(s.pending*leastBilled)
	for _, b := range s.batches {
		sum += float64(b.n * max(leastBilled, now-b.from))
	}
	return sum
}
