package console

import "time"

// Rates are speeds a second.
type Rates struct {
	Nodes, Objects, Bytes, Requests float64
}

// Mean are the speeds since the run began, over the time somebody worked on it.
func (s Snapshot) Mean() Rates {
	if s.Seconds <= 0 {
		return Rates{}
	}
	c := countsOf(s)
	return c.over(s.Seconds)
}

// Reading is a snapshot, and what earlier ones tell about it.
type Reading struct {
	Snapshot
	Now Rates // over the last seconds
	ETA ETA
}

// speed is what to show: that of now, and of the whole run once it is over.
func (r Reading) speed() Rates {
	if r.State.Over() {
		return r.Mean()
	}
	return r.Now
}

// Meter makes readings of one run's successive snapshots. It is for one
// goroutine. Its memory is bounded.
type Meter struct {
	last   Snapshot
	begun  bool
	clock  time.Duration // since the first snapshot, without pauses
	recent []moment      // when counts changed, within the window
	curve  curve
}

// window is the time over which speeds are smoothed.
const window = 5 * time.Second

// moment is what was counted at a time of the meter's clock.
type moment struct {
	at time.Duration
	counts
}

// counts are the counters that have rates.
type counts struct{ nodes, objects, bytes, requests int64 }

func countsOf(s Snapshot) counts {
	c := counts{nodes: s.Nodes, objects: s.Objects, bytes: s.Bytes}
	for _, n := range s.Requests {
		c.requests += n
	}
	return c
}

// over is the counts as rates; what went down, since a report was lost, is not negative.
func (c counts) over(seconds float64) Rates {
	rate := func(n int64) float64 { return max(float64(n), 0) / seconds }
	return Rates{Nodes: rate(c.nodes), Objects: rate(c.objects), Bytes: rate(c.bytes), Requests: rate(c.requests)}
}

// Observe takes the next snapshot. The fraction of its readings never
// decreases; a redrive, and another run, begin anew. Time spent paused does not
// count.
func (m *Meter) Observe(s Snapshot) Reading {
	if m.begun && (s.Run != m.last.Run || s.Epoch != m.last.Epoch) {
		*m = Meter{}
	}
	if !m.begun {
		m.begun = true
		m.recent = append(m.recent, moment{0, countsOf(s)})
		m.curve = newCurve(s)
	} else {
		if m.last.State != Paused {
			m.clock += max(s.At.Sub(m.last.At), 0)
		}
		s.Fraction = max(s.Fraction, m.last.Fraction)
		m.count(countsOf(s))
		m.curve.add(m.clock, s.Fraction)
	}
	m.last = s
	r := Reading{Snapshot: s, Now: m.now()}
	if s.State == Running {
		r.ETA = m.curve.eta(m.clock, s.doubt())
	}
	return r
}

// count keeps the moment if anything changed: workers report every few seconds,
// and between two reports nothing is known, which is not the same as no speed.
func (m *Meter) count(c counts) {
	if c == m.recent[len(m.recent)-1].counts {
		return
	}
	m.recent = append(m.recent, moment{m.clock, c})
	drop := 0
	for drop+2 < len(m.recent) && m.recent[drop+1].at <= m.clock-window {
		drop++
	}
	m.recent = append(m.recent[:0], m.recent[drop:]...)
}

// now is the speed between the first and the last moment of the window. When
// the next report is overdue the speed falls, and after Fresh it is 0.
func (m *Meter) now() Rates {
	if len(m.recent) < 2 || m.last.State != Running {
		return Rates{}
	}
	first, before, last := m.recent[0], m.recent[len(m.recent)-2], m.recent[len(m.recent)-1]
	silent := m.clock - last.at
	if silent >= Fresh {
		return Rates{}
	}
	overdue := max(silent-2*(last.at-before.at), 0)
	return counts{
		nodes:    last.nodes - first.nodes,
		objects:  last.objects - first.objects,
		bytes:    last.bytes - first.bytes,
		requests: last.requests - first.requests,
	}.over(max(last.at-first.at+overdue, time.Millisecond).Seconds())
}
