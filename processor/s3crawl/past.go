package s3crawl

import "math"

// past is what was done of a whole before a node was made of what is left of it:
// the whole is the root, or the part of it that the node stands for. A unit that
// knew only of itself would give its share away by a guess of its own, and many
// guesses that are each too low a little soon come to all there is.
type past struct {
	Keys  float64 `json:"keys"`  // that were listed
	First float64 `json:"first"` // of them, by the first unit
	Done  float64 `json:"done"`  // the part of the whole that is said to be done
}

const (
	// modest is a power: what is said to be done is that of the part of all expected
	// keys that is listed. What was said is never taken back, so it is the largest of
	// many guesses, and should be of low ones. Where little is left, it is no more than
	// the part is.
	modest = 1.25
	// fresh is added to that power after the first unit, and half as much once twice
	// as many keys are listed: the first guess is the worst.
	fresh = 1
	// creep is how fast the part grows that was said to be larger than it is now
	// known to be, against how fast it would: so that people see that a run goes on.
	creep = 0.1
	// mostDone is said to be done at most while anything is left.
	mostDone = 1 - 1e-6
)

// goOn is the past once so many more keys are listed, while left keys are expected
// behind them. Keep is the part of the node's share that is done with it.
func (p past) goOn(listed, left float64) (keep float64, now past) {
	now.Keys, now.First = p.Keys+listed, p.First
	if p.Keys == 0 {
		now.First = listed
	}
	power := modest + fresh*now.First/max(now.Keys, 1)
	known := math.Pow(now.Keys/(now.Keys+left), power)
	least := p.Done + (1-p.Done)*creep*listed/(listed+left)
	now.Done = min(max(known, least, p.Done), mostDone)
	return (now.Done - p.Done) / (1 - p.Done), now
}

// part is the past of a child that stands for a part of what is left.
func (p past) part(of float64) past { return past{p.Keys * of, p.First * of, p.Done} }

func (p past) valid() bool {
	return p.Keys >= 0 && p.First >= 0 && p.First <= p.Keys && p.Done >= 0 && p.Done <= mostDone
}
