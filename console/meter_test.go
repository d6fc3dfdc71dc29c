package console

import (
	"math"
	"testing"
	"time"
)

// feed observes snapshots at a steady pace, made from the seconds since noon.
func feed(m *Meter, from, to, every float64, at func(s float64) Snapshot) (last Reading) {
	for s := from; s <= to; s += every {
		snap := at(s)
		snap.At = noon.Add(time.Duration(s * float64(time.Second)))
		if snap.State == "" {
			snap.State = Running
		}
		last = m.Observe(snap)
	}
	return last
}

func near(got, want, part float64) bool { return math.Abs(got-want) <= part*math.Abs(want) }

func TestRatesAreThoseOfTheLastSeconds(t *testing.T) {
	var m Meter
	at := func(s float64) Snapshot { // 100 a second, and 1000 from 20 s on
		objects := 100*s + max(s-20, 0)*900
		return Snapshot{Objects: int64(objects), Bytes: int64(objects) * 10, Nodes: int64(s), Requests: map[string]int64{"list": int64(2 * s), "head": int64(s)}, Seconds: s}
	}
	r := feed(&m, 0, 20, 0.25, at)
	if !near(r.Now.Objects, 100, 0.01) || !near(r.Now.Bytes, 1000, 0.01) || !near(r.Now.Nodes, 1, 0.2) || !near(r.Now.Requests, 3, 0.1) {
		t.Errorf("at 20 s: %+v", r.Now)
	}
	r = feed(&m, 20.25, 26, 0.25, at)
	if !near(r.Now.Objects, 1000, 0.01) {
		t.Errorf("at 26 s: %v objects/s, want 1000: what was before has left the window", r.Now.Objects)
	}
	if mean := r.Mean(); !near(mean.Objects, (2600+6*900)/26.0, 0.01) {
		t.Errorf("at 26 s: %v objects/s in the mean", mean.Objects)
	}
}

// TestRatesDoNotJumpBetweenReports: a worker reports every 2 s, people look more often.
func TestRatesDoNotJumpBetweenReports(t *testing.T) {
	var m Meter
	for s := 0.0; s < 60; s += 0.25 {
		r := feed(&m, s, s, 1, func(s float64) Snapshot { return Snapshot{Objects: 200 * int64(s/2)} })
		if s >= 5 && !near(r.Now.Objects, 100, 0.01) {
			t.Fatalf("at %v s: %v/s, want 100/s", s, r.Now.Objects)
		}
	}
}

func TestRatesFallWhenNothingIsHeard(t *testing.T) {
	var m Meter
	at := func(s float64) Snapshot { return Snapshot{Objects: int64(100 * min(s, 20))} }
	before := feed(&m, 0, 20, 0.5, at).Now.Objects
	late := feed(&m, 20.5, 25, 0.5, at).Now.Objects
	gone := feed(&m, 25.5, 31, 0.5, at).Now.Objects
	if !near(before, 100, 0.01) || late >= before*0.8 || late <= 0 || gone != 0 {
		t.Errorf("rates are %v, after 5 s of silence %v, after 10 s %v", before, late, gone)
	}
}

func TestRatesAreNotNegative(t *testing.T) {
	var m Meter // a worker's last report was lost, or it began anew
	r := feed(&m, 0, 10, 1, func(s float64) Snapshot { return Snapshot{Objects: 100 - int64(s)} })
	if r.Now.Objects != 0 {
		t.Errorf("%v/s", r.Now.Objects)
	}
}

func TestMeterBoundsItsMemory(t *testing.T) {
	var m Meter
	feed(&m, 0, 100_000, 0.25, func(s float64) Snapshot {
		return Snapshot{Objects: int64(100 * s), Fraction: s / 100_001, Seconds: s}
	})
	if len(m.recent) > 30 || len(m.curve.points) > mostPoints {
		t.Errorf("%d moments and %d points", len(m.recent), len(m.curve.points))
	}
	if e := m.curve.eta(m.clock, doubt{}); !e.Known || e.Left > 10*time.Second {
		t.Errorf("ETA is %+v, want about a second: thinning keeps the shape", e)
	}
}

func TestFractionNeverDecreases(t *testing.T) {
	var m Meter
	last := 0.0
	for i, f := range []float64{0, 0.2, 0.1, 0.3, 0.29, 0.3, almost} {
		r := feed(&m, float64(i), float64(i), 1, func(float64) Snapshot { return Snapshot{Fraction: f} })
		if r.Fraction < last || r.Fraction >= 1 {
			t.Fatalf("reading %d: %v after %v", i, r.Fraction, last)
		}
		last = r.Fraction
	}
	if r := feed(&m, 10, 10, 1, func(float64) Snapshot { return Snapshot{Fraction: 1, State: Finished} }); r.Fraction != 1 || r.ETA.Known {
		t.Errorf("finished: %v, ETA %+v", r.Fraction, r.ETA)
	}
	if r := feed(&m, 11, 11, 1, func(float64) Snapshot { return Snapshot{Fraction: 0.9, Epoch: 1} }); r.Fraction != 0.9 {
		t.Errorf("a redrive begins anew: %v, want 0.9", r.Fraction)
	}
}

func TestETAIsUnknownWithTooLittleToGoOn(t *testing.T) {
	straight := func(s float64) Snapshot { return Snapshot{Fraction: s / 100, Seconds: s} }
	for _, c := range []struct {
		name      string
		to, every float64
		at        func(s float64) Snapshot
	}{
		{"at once", 0, 1, straight},
		{"after a second", 1, 0.1, straight},
		{"three reports", 6, 2, straight},
		{"nothing settled", 100, 0.25, func(s float64) Snapshot { return Snapshot{Seconds: s} }},
		{"one leap", 100, 0.25, func(s float64) Snapshot {
			if s < 50 {
				return Snapshot{}
			}
			return Snapshot{Fraction: 0.5}
		}},
		{"a redrive, whose shares settled before", 100, 0.25, func(s float64) Snapshot {
			return Snapshot{Fraction: 0.9, Epoch: 1, Objects: int64(s)}
		}},
		{"paused", 20, 0.25, func(s float64) Snapshot {
			r := straight(s)
			if s >= 10 {
				r.State = Paused
			}
			return r
		}},
		{"stalled for long", 80, 0.25, func(s float64) Snapshot { return straight(min(s, 20)) }},
		{"cancelled", 20, 0.25, func(s float64) Snapshot {
			r := straight(s)
			if s >= 10 {
				r.State = Cancelled
			}
			return r
		}},
	} {
		var m Meter
		r := feed(&m, 0, c.to, c.every, c.at)
		if r.ETA != (ETA{}) || r.ETA.left(true) != "ETA —" {
			t.Errorf("%s: %+v, shown as %q", c.name, r.ETA, r.ETA.left(true))
		}
	}
}

func TestETACountsDownBetweenReports(t *testing.T) {
	var m Meter
	for s := 0.0; s < 80; s += 0.25 {
		r := feed(&m, s, s, 1, func(s float64) Snapshot {
			return Snapshot{Fraction: 0.02 * math.Floor(s/2), Seconds: s}
		})
		if s >= 20 && !near(r.ETA.Left.Seconds(), 100-s, 0.02) {
			t.Fatalf("at %v s: %v left", s, r.ETA.Left)
		}
		if e := r.ETA; s >= 20 && (e.Low > e.Left || e.Left > e.High) {
			t.Fatalf("at %v s: %+v", s, e)
		}
	}
}

func TestPausesAndInterruptionsDoNotCount(t *testing.T) {
	var m Meter
	feed(&m, 0, 20, 0.25, func(s float64) Snapshot { return Snapshot{Fraction: s / 100, Seconds: s} })
	feed(&m, 20.25, 500, 0.25, func(float64) Snapshot { return Snapshot{Fraction: 0.2, State: Paused} })
	r := feed(&m, 500.25, 510, 0.25, func(s float64) Snapshot { return Snapshot{Fraction: (s - 480) / 100} })
	if !near(r.ETA.Left.Seconds(), 70, 0.02) {
		t.Errorf("after a pause: %v left, want 70 s", r.ETA.Left)
	}
	// Somebody who begins to watch a run that was half done in 50 s of work.
	m = Meter{}
	r = feed(&m, 0, 10, 0.25, func(s float64) Snapshot { return Snapshot{Fraction: (50 + s) / 100, Seconds: 50 + s} })
	if !near(r.ETA.Left.Seconds(), 40, 0.02) || r.ETA.High > 45*time.Second {
		t.Errorf("watched from the middle: %+v, want 40 s", r.ETA)
	}
}
