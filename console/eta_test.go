package console

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// progress makes a curve of the settled fraction: its value at a second, and the
// second at which it becomes 1.
type progress func(r *rand.Rand) (at func(second float64) float64, end float64)

func smooth(f func(x float64) float64) progress {
	return func(*rand.Rand) (func(float64) float64, float64) {
		return func(s float64) float64 { return f(s / 100) }, 100
	}
}

// steps is progress in 400 steps of random size.
func steps(step func(r *rand.Rand) func() float64) progress {
	return func(r *rand.Rand) (func(float64) float64, float64) {
		next, sums := step(r), make([]float64, 401)
		for i := range 400 {
			sums[i+1] = sums[i] + next()
		}
		return func(s float64) float64 {
			i := min(int(s*4), 399)
			return (sums[i] + (sums[i+1]-sums[i])*(s*4-float64(i))) / sums[400]
		}, 100
	}
}

func noisy(r *rand.Rand) func() float64 { return r.ExpFloat64 }

// bursts are ten times as fast as what is between them; both last 5 s on average.
func bursts(r *rand.Rand) func() float64 {
	speed := 1.0
	return func() float64 {
		if r.Float64() < 0.05 {
			speed = 1.1 - speed
		}
		return speed
	}
}

// walk is the progress of 16 workers on a random tree: the share of a node is
// divided among its children, and settles with a leaf.
func walk(byDepth bool) progress {
	type node struct {
		share float64
		depth int
		done  float64
	}
	return func(r *rand.Rand) (func(float64) float64, float64) {
		var now, sum float64
		var at, fraction []float64
		waiting, busy := []node{{share: 1}}, []node{}
		for len(waiting)+len(busy) > 0 {
			for len(busy) < 16 && len(waiting) > 0 {
				k := len(waiting) - 1
				if !byDepth {
					k = r.IntN(len(waiting))
				}
				n := waiting[k]
				n.done = now + r.ExpFloat64()/2
				waiting[k] = waiting[len(waiting)-1]
				waiting, busy = waiting[:len(waiting)-1], append(busy, n)
			}
			first := 0
			for i := range busy {
				if busy[i].done < busy[first].done {
					first = i
				}
			}
			n := busy[first]
			busy[first] = busy[len(busy)-1]
			busy, now = busy[:len(busy)-1], n.done
			children := 0
			if n.depth < 3 {
				children = 4 + r.IntN(5)
			} else if n.depth < 7 && r.Float64() < 0.5 {
				children = 1 + r.IntN(6)
			}
			for range children {
				waiting = append(waiting, node{share: n.share / float64(children), depth: n.depth + 1})
			}
			if children == 0 {
				sum += n.share
				at, fraction = append(at, now), append(fraction, sum)
			}
		}
		i := 0
		return func(s float64) float64 {
			for i+1 < len(at) && at[i+1] <= s {
				i++
			}
			if at[i] > s {
				return 0
			}
			return fraction[i]
		}, now
	}
}

// TestETACoverage tells what the band of an ETA is worth: on 40 runs of each
// kind, read at 19 moments from 5 % to 95 % of their time, how often it held the
// truth, how often it was too early and too late, and how wide it was. The
// floors are what the documentation of eta promises.
func TestETACoverage(t *testing.T) {
	for _, c := range []struct {
		name     string
		progress progress
		inside   float64 // at least this part of the bands hold the truth
		wide     float64 // and high ÷ low is at most this, in the geometric mean
		off      float64 // and so is the guess from the truth
	}{
		{"linear", smooth(func(x float64) float64 { return x }), 1, 1.3, 1.01},
		{"noisy", steps(noisy), 0.9, 2.5, 1.2},
		{"bursts", steps(bursts), 0.7, 6.5, 1.7},
		{"front-loaded", smooth(func(x float64) float64 { return 1 - (1-x)*(1-x) }), 0.95, 8, 3.2},
		{"back-loaded", smooth(func(x float64) float64 { return x * x }), 0.9, 30, 2.6},
		{"half as fast from a third on", smooth(func(x float64) float64 { return min(1.5*x, 0.75*x+0.25) }), 0.55, 6.5, 1.4},
		{"tree by depth", walk(true), 0.85, 5.5, 1.5},
		{"tree at random", walk(false), 0.8, 35, 2.7},
	} {
		for _, every := range []float64{0.25, 2} { // as a local run reports, and as others do
			r := rand.New(rand.NewPCG(1, 2))
			var inside, early, late, known, all int
			var wide, off float64
			for range 40 {
				at, end := c.progress(r)
				var m Meter
				next := end / 20
				for s := 0.0; s < end; s += every {
					reading := m.Observe(Snapshot{State: Running, At: noon.Add(time.Duration(s * 1e9)), Fraction: min(at(s), almost), Seconds: s})
					if s < next {
						continue
					}
					next += end / 20
					all++
					e, truth := reading.ETA, end-s
					if !e.Known {
						continue
					}
					known++
					switch {
					case truth > e.High.Seconds():
						early++
					case truth < e.Low.Seconds():
						late++
					default:
						inside++
					}
					wide += math.Log(max(e.High.Seconds(), 1) / max(e.Low.Seconds(), 1))
					off += math.Abs(math.Log(max(e.Left.Seconds(), 1) / max(truth, 1)))
				}
			}
			part := func(n int) float64 { return float64(n) / float64(known) }
			wide, off = math.Exp(wide/float64(known)), math.Exp(off/float64(known))
			t.Logf("%-28s every %.2f s: %3.0f %% inside, %2.0f %% too early, %2.0f %% too late; high/low %.1f, guess off by a factor of %.2f; unknown %.0f %%",
				c.name, every, 100*part(inside), 100*part(early), 100*part(late), wide, off, 100*float64(all-known)/float64(all))
			if part(inside) < c.inside || wide > c.wide || off > c.off || known < all*3/4 {
				t.Errorf("%s, every %v s: want %.0f %% inside, a width of %v, a guess off by %v, and 3 of 4 known", c.name, every, 100*c.inside, c.wide, c.off)
			}
		}
	}
}

// A tree of whose branches the first had nearly all the shares: three quarters are said to
// be done at once, then next to nothing more, and the rest settles in the last second. Nobody
// is told of hours because of that, and that it may be over at once is within the band.
func TestETAOfATreeThatStalls(t *testing.T) {
	var m Meter
	for s := 0.0; s < 60; s += 0.25 {
		e := m.Observe(Snapshot{State: Running, At: noon.Add(time.Duration(s * 1e9)), Fraction: min(0.15*s, 0.75) + s*s*s*1e-8, Seconds: s}).ETA
		if s < 20 {
			continue
		}
		if left, high := e.Left.Seconds(), e.High.Seconds(); !e.Known || left > 4*s+1 || high > 19*s+1 || e.Low > time.Second {
			t.Fatalf("after %v s: %+v", s, e)
		}
	}
}
