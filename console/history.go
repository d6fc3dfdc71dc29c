package console

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// History is the figures of a run over its time.
type History struct {
	Points []Point // in the order of time
}

// Point is what a run had come to at a time.
type Point struct {
	Seconds  float64 // of the time that somebody worked on it
	Nodes    int64
	Objects  int64
	Bytes    int64
	Requests int64 // of all names
	Failures int64
	Fraction float64 // done
}

// MarshalJSON implements json.Marshaler: names of columns, and points, since there are
// hundreds of them.
func (h History) MarshalJSON() ([]byte, error) {
	points := make([][7]float64, 0, len(h.Points))
	for _, p := range h.Points {
		points = append(points, [7]float64{
			math.Round(p.Seconds*1000) / 1000, float64(p.Nodes), float64(p.Objects), float64(p.Bytes), float64(p.Requests), float64(p.Failures), p.Fraction,
		})
	}
	return json.Marshal(map[string]any{
		"columns": []string{"seconds", "nodes", "objects", "bytes", "requests", "failures", "fraction"},
		"points":  points,
	})
}

// historyPoints are in a history.
const historyPoints = 600

// HistoryOf makes the history of a run of what its workers drew; s is how it stands,
// and the last point. Between two moments of a worker its counts are on a line.
func HistoryOf(s Snapshot, sketches []ledger.Sketch) History {
	var times []time.Time
	for _, k := range sketches {
		for _, m := range k.History {
			times = append(times, m.At)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	times = thin(times, historyPoints-1)
	sum := make([]Point, len(times))
	for i, at := range times {
		sum[i].Seconds = s.workedAt(at)
	}
	shares := make([]schema.Share, len(times))
	for _, k := range sketches {
		next := 0 // of its moments, the first that is not before the time
		for i, at := range times {
			for next < len(k.History) && k.History[next].At.Before(at) {
				next++
			}
			m := between(k.History, next, at)
			sum[i].Nodes += m.Nodes
			sum[i].Objects += m.Objects
			sum[i].Bytes += m.Bytes
			sum[i].Requests += m.Requests
			sum[i].Failures += m.Failures
			shares[i] = min(shares[i]+min(m.Share, schema.Whole), schema.Whole)
		}
	}
	c := countsOf(s)
	end := Point{Seconds: s.Seconds, Nodes: s.Nodes, Objects: s.Objects, Bytes: s.Bytes, Requests: c.requests, Failures: s.Failures, Fraction: s.Fraction}
	points := make([]Point, 0, len(sum)+2)
	if len(sum) == 0 || sum[0].Seconds > 0 {
		points = append(points, Point{})
	}
	for i := range sum {
		p := &sum[i]
		p.Fraction = min(shares[i].Fraction(), almost)
		if p.Seconds >= end.Seconds {
			break
		}
		if last := len(points) - 1; last >= 0 && p.Seconds <= points[last].Seconds {
			points = points[:last] // nobody worked in between
		}
		points = append(points, p.within(end))
	}
	return History{Points: append(points, end)}
}

// within is a point that is not beyond the end: workers may have counted twice, and some
// of what they reported last may be missing.
func (p *Point) within(end Point) Point {
	p.Nodes, p.Objects, p.Bytes = min(p.Nodes, end.Nodes), min(p.Objects, end.Objects), min(p.Bytes, end.Bytes)
	p.Requests, p.Failures = min(p.Requests, end.Requests), max(p.Failures, 0)
	p.Fraction = min(p.Fraction, end.Fraction)
	return *p
}

// between is what a worker had come to at a time, which is at the moment of a number or
// before it.
func between(all ledger.Moments, next int, at time.Time) ledger.Moment {
	switch {
	case next == len(all):
		if next == 0 {
			return ledger.Moment{}
		}
		return all[next-1]
	case all[next].At.Equal(at):
		return all[next]
	case next == 0:
		return ledger.Moment{}
	}
	a, b := all[next-1], all[next]
	part := float64(at.Sub(a.At)) / float64(b.At.Sub(a.At))
	on := func(from, to int64) int64 { return from + int64(part*float64(to-from)) }
	return ledger.Moment{
		Nodes: on(a.Nodes, b.Nodes), Objects: on(a.Objects, b.Objects), Bytes: on(a.Bytes, b.Bytes),
		Requests: on(a.Requests, b.Requests), Failures: on(a.Failures, b.Failures), Share: schema.Share(on(int64(a.Share), int64(b.Share))),
	}
}

// thin is some of many times, about evenly spread over the time, the last among them.
func thin(times []time.Time, most int) []time.Time {
	if len(times) <= most {
		return times
	}
	first, last := times[0], times[len(times)-1]
	step := last.Sub(first) / time.Duration(most-1)
	kept := times[:0]
	due := first
	for i, at := range times {
		if at.Before(due) && i < len(times)-1 {
			continue
		}
		kept = append(kept, at)
		for !due.After(at) {
			due = due.Add(max(step, 1))
		}
	}
	return kept
}

// Slow is a node that took long.
type Slow struct {
	Node    string    `json:"node"`
	Kind    string    `json:"kind"`
	Seconds float64   `json:"seconds"`
	At      time.Time `json:"at"` // of its end
}

// mostSlow are the slowest nodes of a run that are told.
const mostSlow = 10

// SlowestOf are the slowest nodes of what all workers drew, the slowest first.
func SlowestOf(sketches []ledger.Sketch) []Slow {
	var all []Slow
	for _, k := range sketches {
		for _, n := range k.Slowest {
			all = append(all, Slow{Node: n.Node, Kind: n.Kind, Seconds: math.Round(n.Took.Seconds()*1e6) / 1e6, At: n.At})
		}
	}
	slices.SortStableFunc(all, func(a, b Slow) int { return cmp.Compare(b.Seconds, a.Seconds) })
	told := map[[2]string]bool{}
	all = slices.DeleteFunc(all, func(s Slow) bool {
		key := [2]string{s.Kind, s.Node}
		defer func() { told[key] = true }()
		return told[key]
	})
	return all[:min(len(all), mostSlow)]
}

// Doing is a unit that is under way.
type Doing struct {
	Node    string
	Seconds float64
}

// Show adds what the workers drew to the crew of a snapshot.
func (s *Snapshot) Show(sketches []ledger.Sketch) {
	s.sketches = sketches
	for _, k := range sketches {
		i := slices.IndexFunc(s.Crew, func(m Member) bool { return m.ID == k.ID })
		if i < 0 || !s.Crew[i].Alive {
			continue
		}
		for _, d := range k.Doing {
			s.Crew[i].Doing = append(s.Crew[i].Doing, Doing{Node: d.Node, Seconds: max(s.At.Sub(d.Since).Seconds(), 0)})
		}
	}
}
