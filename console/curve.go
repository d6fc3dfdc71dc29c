package console

import (
	"sort"
	"time"
)

// curve is the settled fraction over the time of the meter's clock.
type curve struct {
	before time.Duration // of the run, that was not observed
	points []point       // where the fraction had grown; thinned evenly, never empty
	stride time.Duration // least time between two points
}

type point struct {
	at       time.Duration
	fraction float64
}

const mostPoints = 512 // then every other one is dropped

func newCurve(s Snapshot) curve {
	return curve{
		before: time.Duration(s.Seconds * float64(time.Second)),
		points: []point{{0, s.Fraction}},
	}
}

// add takes a point if the fraction has grown. The last point floats until it is
// a stride away from the one before it.
func (c *curve) add(at time.Duration, fraction float64) {
	n := len(c.points)
	switch last := c.points[n-1]; {
	case fraction <= last.fraction:
		return
	case at == last.at || n > 1 && last.at-c.points[n-2].at < c.stride:
		c.points[n-1] = point{at, fraction}
	default:
		c.points = append(c.points, point{at, fraction})
	}
	if len(c.points) > mostPoints {
		kept := c.points[:1]
		for i := 2; i < len(c.points); i += 2 {
			kept = append(kept, c.points[i])
		}
		c.points = kept
		c.stride = max(2*c.stride, at/mostPoints)
	}
}

// after is the index of the first point later than a time.
func (c *curve) after(t time.Duration) int {
	return sort.Search(len(c.points), func(i int) bool { return c.points[i].at > t })
}

// at is the fraction at a time, on straight lines between the points and flat
// behind the last.
func (c *curve) at(t time.Duration) float64 {
	i := c.after(t)
	if i == len(c.points) {
		return c.points[i-1].fraction
	}
	a, b := c.points[i-1], c.points[i]
	return a.fraction + (b.fraction-a.fraction)*float64(t-a.at)/float64(b.at-a.at)
}

// speed is the mean growth a second.
func (c *curve) speed(from, to time.Duration) float64 {
	return (c.at(to) - c.at(from)) / (to - from).Seconds()
}
