package s3crawl

import "math"

// past is what was done of a whole before a node was made of what is left of it:
// the whole is the root, or the part of it that the node stands for. A node that
// knew only of itself would give each part of a run away by a guess of its own, and
// many guesses that are each a little high soon come to all there is.
type past struct {
	Keys float64 `json:"keys"` // that were listed
	Done float64 `json:"done"` // the part of the whole that is said to be done, below 1
}

const (
	// modest makes the part that is done out of the part of the known keys that are
	// listed. What is known to be left is less than what is left, since names tell
	// only of what is like what was seen; and what is said to be done is never taken
	// back. As a power, it is no more than that at the end.
	modest = 2
	// creep is how fast the part that is done grows where it was said to be too
	// large, against how it would grow if it was right: so that people see that the
	// run goes on.
	creep = 0.1
	// mostDone is said to be done at most as long as anything is left.
	mostDone = 1 - 1e-6
)

// goOn is the past when so many more keys are listed, and left keys are expected
// to be. Keep is the part of the node's share that is done with it.
func (p past) goOn(listed int64, left float64) (keep float64, now past) {
	now.Keys = p.Keys + float64(listed)
	all := now.Keys + left
	now.Done = math.Pow(now.Keys/all, modest)
	least := p.Done + (1-p.Done)*creep*float64(listed)/(float64(listed)+left)
	now.Done = min(max(now.Done, least), mostDone)
	return max((now.Done-p.Done)/(1-p.Done), 0), now
}

// part is the past of a child that stands for a part of what is left.
func (p past) part(of float64) past { return past{p.Keys * of, p.Done} }
