package web

import (
	"math"
	"time"

	"github.com/ramify/ramify/console"
)

// reading is a run as it stands, as JSON.
type reading struct {
	Run         string           `json:"run"`
	Target      string           `json:"target"`
	Kind        string           `json:"kind"`
	Noun        string           `json:"noun"`
	State       console.State    `json:"state"`
	Reason      string           `json:"reason"`
	Epoch       int              `json:"epoch"`
	At          time.Time        `json:"at"`
	Stale       bool             `json:"stale,omitempty"` // the run could not be read since At
	Created     time.Time        `json:"created"`
	Seconds     float64          `json:"seconds"`
	Fraction    float64          `json:"fraction"`
	ETA         *eta             `json:"eta"`
	Nodes       int64            `json:"nodes"`
	Objects     int64            `json:"objects"`
	Bytes       int64            `json:"bytes"`
	Failures    int64            `json:"failures"`
	Retries     int64            `json:"retries"`
	Requests    map[string]int64 `json:"requests"`
	Now         rates            `json:"now"`
	Mean        rates            `json:"mean"`
	Concurrency int              `json:"concurrency"`
	Slots       int              `json:"slots"`
	InFlight    int              `json:"in_flight"`
	Workers     []member         `json:"workers"`
	Crew        int              `json:"crew"` // workers in all, of which the first are in Workers
	Cost        *Cost            `json:"cost,omitempty"`
	Fleet       *Fleet           `json:"fleet,omitempty"`
	May         []OrderKind      `json:"may"`
}

// mostWorkers are in a reading: a page shows no more, and a reading goes out once a
// second.
const mostWorkers = 200

type eta struct {
	Low    float64 `json:"low"`
	Likely float64 `json:"likely"`
	High   float64 `json:"high"`
}

type rates struct {
	Nodes    float64 `json:"nodes"`
	Objects  float64 `json:"objects"`
	Bytes    float64 `json:"bytes"`
	Requests float64 `json:"requests"`
}

func ratesOf(r console.Rates) rates {
	return rates{Nodes: hundredths(r.Nodes), Objects: hundredths(r.Objects), Bytes: hundredths(r.Bytes), Requests: hundredths(r.Requests)}
}

func hundredths(v float64) float64 { return math.Round(v*100) / 100 }

func millis(v float64) float64 { return math.Round(v*1000) / 1000 }

type member struct {
	ID       string    `json:"id"`
	Alive    bool      `json:"alive"`
	Slots    int       `json:"slots"`
	InFlight int       `json:"in_flight"`
	Busy     float64   `json:"busy"` // seconds of slots
	Units    int64     `json:"units"`
	Nodes    int64     `json:"nodes"`
	Started  time.Time `json:"started"`
	At       time.Time `json:"at"`
	Doing    []doing   `json:"doing"`
}

type doing struct {
	Node    string  `json:"node"`
	Seconds float64 `json:"seconds"`
}

// state is that of a run that nobody works on, though it is not over.
func (v *View) state() console.State {
	if v.Interrupted && v.State == console.Running {
		return console.Interrupted
	}
	return v.State
}

func readingOf(v *View, r console.Reading) reading {
	out := reading{
		Run: r.Run, Target: r.Target, Kind: r.Kind, Noun: r.Noun(), State: v.state(), Reason: r.Reason, Epoch: r.Epoch,
		At: r.At.UTC(), Created: r.Created.UTC(), Seconds: millis(r.Seconds), Fraction: r.Fraction,
		Nodes: r.Nodes, Objects: r.Objects, Bytes: r.Bytes, Failures: r.Failures, Retries: r.Retries, Requests: r.Requests,
		Now: ratesOf(r.Now), Mean: ratesOf(r.Mean()), Concurrency: r.Concurrency, Slots: r.Slots, InFlight: r.InFlight,
		Workers: []member{}, Crew: len(r.Crew), Cost: v.Cost, Fleet: v.Fleet, May: v.May,
	}
	if r.ETA.Known {
		out.ETA = &eta{Low: millis(r.ETA.Low.Seconds()), Likely: millis(r.ETA.Left.Seconds()), High: millis(r.ETA.High.Seconds())}
	}
	if out.May == nil {
		out.May = []OrderKind{}
	}
	for i := range r.Crew[:min(len(r.Crew), mostWorkers)] {
		m := &r.Crew[i]
		under := make([]doing, 0, len(m.Doing))
		for _, d := range m.Doing {
			under = append(under, doing{Node: d.Node, Seconds: millis(d.Seconds)})
		}
		out.Workers = append(out.Workers, member{
			ID: m.ID, Alive: m.Alive, Slots: m.Slots, InFlight: m.InFlight, Busy: millis(m.Busy.Seconds()), Units: m.Units,
			Nodes: m.Nodes, Started: m.Started.UTC(), At: m.At.UTC(), Doing: under,
		})
	}
	return out
}

// entry is a run in the list.
type entry struct {
	Run      string        `json:"run"`
	Target   string        `json:"target"`
	Kind     string        `json:"kind"`
	State    console.State `json:"state"`
	Created  time.Time     `json:"created"`
	Finished *time.Time    `json:"finished"`
	Fraction float64       `json:"fraction"`
	Nodes    int64         `json:"nodes"`
	Objects  int64         `json:"objects"`
	Bytes    int64         `json:"bytes"`
	Failures int64         `json:"failures"`
}

func entryOf(s *console.Snapshot) entry {
	e := entry{
		Run: s.Run, Target: s.Target, Kind: s.Kind, State: s.State, Created: s.Created.UTC(), Fraction: s.Fraction,
		Nodes: s.Nodes, Objects: s.Objects, Bytes: s.Bytes, Failures: s.Failures,
	}
	if s.Idle() && s.State == console.Running {
		e.State = console.Interrupted
	}
	if !s.Finished.IsZero() {
		at := s.Finished.UTC()
		e.Finished = &at
	}
	return e
}
