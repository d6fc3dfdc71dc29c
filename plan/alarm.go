package plan

import "math"

// series is one metric in CloudWatch, in periods of 10 and 60 seconds.
type series struct{ tens, sixties []period }

type period struct {
	sum, most, least float64
	n                int
}

func (s *series) put(now int, v float64) {
	for _, p := range []struct {
		of  *[]period
		len int
	}{{&s.tens, 10}, {&s.sixties, 60}} {
		k := now / p.len
		for len(*p.of) <= k {
			*p.of = append(*p.of, period{most: math.Inf(-1), least: math.Inf(1)})
		}
		d := &(*p.of)[k]
		d.sum, d.most, d.least, d.n = d.sum+v, max(d.most, v), min(d.least, v), d.n+1
	}
}

func (s *series) at(length, k int) (period, bool) {
	of := s.sixties
	if length == 10 {
		of = s.tens
	}
	if k < 0 || k >= len(of) || of[k].n == 0 {
		return period{}, false
	}
	return of[k], true
}

// alarm is one of CloudWatch, M of M periods, missing data not breaching, and the
// scaling policy behind it: invoked when it goes off, and every minute while it is
// on (Amazon CloudWatch User Guide, "Using Amazon CloudWatch alarms").
type alarm struct {
	of      *series
	period  int // seconds
	periods int
	maximum bool // of a period, instead of the average;
	minimum bool
	eager   bool // one period is enough while no task runs, as target tracking has it
	breach  func(v float64) bool
	act     func(now int, v float64)
	wants   func(v float64) int // tasks, of one that scales in by target tracking

	on     bool
	last   int
	latest float64 // value
}

// Evaluation comes so long after the end of a period.
func (a *alarm) delay() int {
	if a.period >= 60 {
		return 30
	}
	return 10
}

func (a *alarm) tick(now, running int) {
	since := now - a.delay()
	if since < 0 || since%a.period != 0 {
		return
	}
	k, m := since/a.period-1, a.periods
	if a.eager && running == 0 {
		m = 1
	}
	on, latest := k-m+1 >= 0, 0.0
	for i := range m {
		d, ok := a.of.at(a.period, k-i)
		v := d.sum / float64(max(d.n, 1))
		switch {
		case a.maximum:
			v = d.most
		case a.minimum:
			v = d.least
		}
		if i == 0 {
			latest = v
		}
		on = on && ok && a.breach(v)
	}
	act := on && (!a.on || now-a.last >= 60)
	a.on, a.latest = on, latest
	if act {
		a.last = now
		a.act(now, latest)
	}
}
