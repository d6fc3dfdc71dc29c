package console

import (
	"math"
	"time"
)

// ETA is the time left until a run is over, and how uncertain that is.
type ETA struct {
	Known     bool          // otherwise there is too little to go on, and the rest is 0
	Left      time.Duration // the best guess
	Low, High time.Duration // Low ≤ Left ≤ High
}

const (
	intervals = 8                       // of the later half
	student   = 1.895                   // t with 7 degrees of freedom, 5 % beyond it on either side
	leastTime = 1500 * time.Millisecond // to observe before anything is said
	leastRise = 4                       // rises of the curve in the later half, likewise
	mostETA   = 100 * 365 * 24 * time.Hour
	oftenLeft = 4  // of what has lasted so long, this many times as much is still to come once in five times,
	mostLeft  = 19 // and this once in twenty, by Gott's rule
)

// eta reads the curve at a time of the meter's clock.
//
// The fraction is a sum of shares: the root has 1, and children divide their
// parent's. That is the weight by which Knuth's estimator counts a node that it
// meets on a random way down (D. E. Knuth, "Estimating the efficiency of
// backtrack programs", Mathematics of Computation 29, 1975). It says nothing of
// how unevenly the work is spread over the shares, so that is taken from the
// curve: the fraction is a distance, and the question how long the rest takes.
//
//   - The guess is the rest divided by the mean speed over the later half of the
//     time observed: long enough to be steady, young enough to follow.
//   - The band is the prediction interval for the mean speed of the m intervals
//     to come, from n = 8 past ones (G. J. Hahn and W. Q. Meeker, "Statistical
//     Intervals", 1991, on the mean of future observations), of half-width
//     t·cv·√(1/n + 1/m), cv being their coefficient of variation and t Student's
//     for a nominal 90 %. It is applied as a ratio, so that no end is negative.
//   - Intervals are not independent, so the band also holds what the mean speed
//     of the whole run and that of the last quarter would give.
//   - Speeds drift, as a tree's does where the big branches are done first, so
//     the band also holds what a drift that goes on would give (see drift).
//   - Shares are guesses, and those of branches that are done last may be too large or too
//     small, so the band also holds what the whole run gives if more is done than the
//     fraction says, or less (see doubt).
//   - A curve that has all but stalled would have a run last for ever. What has lasted for a
//     time lasts as long again in one of two cases, four times as long in one of five, and
//     19 times in one of twenty (J. R. Gott, "Implications of the Copernican principle for
//     our future prospects", Nature 363, 1993): no guess is beyond the second, and no band
//     beyond the third, unless the whole run says so.
//
// What that is worth is measured in TestETACoverage on made-up progress. The
// truth lay within the band in 9 of 10 readings where progress was noisy, where
// it was that of a walk by depth, and where one in random order became slower
// all the time (with bands so wide that they say little); in 7 of 10 where it
// came in long bursts; and in 6 of 10 where the speed once fell to half without
// a sign before, with guesses that were too early until half of what was
// observed was later than that. No curve tells what its past does not hold. Of crawls
// TestETAOfCrawls tells the same, and TestProgress of bench/progress by the whole engine:
// nine of ten.
func (c *curve) eta(now time.Duration, d doubt) ETA {
	last := c.points[len(c.points)-1]
	rest, end := 1-last.fraction, last.at
	half := c.later(end)
	rises := len(c.points) - c.after(half)
	if end < leastTime || rises < leastRise || rest <= 0 {
		return ETA{}
	}
	// Between two reports the curve is flat, which is no news until one is overdue.
	gap := (end - half) / time.Duration(rises)
	if now-end > 3*gap {
		end = now
		half = c.later(end)
	}
	mean, recent := c.speed(half, end), c.speed(end-(end-half)/2, end)
	if recent <= 0 {
		return ETA{} // it has stalled
	}
	passed := (end + c.before).Seconds()
	whole := rest * passed / last.fraction
	left := rest / mean
	if d.guessed {
		left = temper(left, whole)
	}
	left = min(left, max(whole, oftenLeft*passed))
	spread, noise := c.unrest(half, end, mean)
	width := (end - half).Seconds() / intervals
	ratio := math.Exp(student * spread * math.Sqrt(1.0/intervals+width/left))
	others := []float64{
		left * ratio,
		left / ratio,
		rest / recent,
		rest / mean,
		whole,
		left * c.drift(end, left, noise),
	}
	for _, done := range d.around(last.fraction, max(spread, math.Abs(math.Log(rest/mean/whole)))) {
		others = append(others, (1-done)*passed/done)
	}
	low, high := left, left
	for _, o := range others {
		low, high = min(low, o), max(high, o)
	}
	high = min(high, max(mostLeft*passed, 2*whole))
	// What has passed since the curve's end has passed, whatever the speed.
	from := func(s float64, slack time.Duration) time.Duration {
		return max(time.Duration(min(s, mostETA.Seconds())*float64(time.Second))-(now-end)+slack, 0)
	}
	return ETA{Known: true, Left: from(left, 0), Low: from(low, -gap), High: from(high, gap)}
}

// temper is a guess between that by the later half and that by the whole run, where they
// are far apart: where it is not known how the fraction will go on, either may be right.
func temper(half, whole float64) float64 {
	apart := math.Log(half / whole)
	return whole * math.Exp(apart*(1+math.Exp(-apart*apart))/2)
}

// later is when the later half of the run began, or observing, if that was later.
func (c *curve) later(end time.Duration) time.Duration {
	return max(end-(end+c.before)/2, 0)
}

// unrest is how much the speeds of the intervals differ, relative to their mean:
// from the mean, and from one to the next, which a steady drift hardly moves (J.
// von Neumann, "Distribution of the ratio of the mean square successive
// difference to the variance", Annals of Mathematical Statistics 12, 1941).
func (c *curve) unrest(from, to time.Duration, mean float64) (spread, noise float64) {
	width := (to - from) / intervals
	var squares, steps, before float64
	for k := range intervals {
		v := c.speed(from, from+width)
		from += width
		squares += (v - mean) * (v - mean)
		if k > 0 {
			steps += (v - before) * (v - before)
		}
		before = v
	}
	return math.Sqrt(squares/(intervals-1)) / mean, math.Sqrt(steps/(2*(intervals-1))) / mean
}

// drift is the factor by which the time left changes if the speed goes on as it
// changed between the two halves of the time observed: as a power b of the rest,
// of which the time left is rest ÷ (speed·(1−b)). It counts as far as it stands
// out from the noise, and a quarter more, since it is a mean over a long time.
func (c *curve) drift(end time.Duration, left, noise float64) float64 {
	const most, least = 3, 0.4 // of 1 ÷ (1−b): near b = 1 a run would never end
	mid := end / 2
	v1, v2 := c.speed(0, mid), c.speed(mid, end)
	r1, r2 := 1-c.at(mid/2), 1-c.at(mid+mid/2)
	change := math.Log(v2 / v1)
	plain := 1 - noise*noise/(change*change)
	if v1 <= 0 || r1 <= r2 || !(plain > 0) {
		return 1
	}
	b := plain * change / math.Log(r2/r1)
	stretch := 1 / (1 - b)
	if b >= 1 {
		stretch = most
	}
	rest := 1 - c.at(end)
	speed := v2 * math.Pow(rest/r2, b)
	return math.Pow(rest/speed*min(max(stretch, least), most)/left, 1.25)
}
