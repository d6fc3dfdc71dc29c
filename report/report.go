package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/ramify/ramify/console"
)

// Format is how a report is written.
type Format string

// The formats.
const (
	HTML     Format = "html"
	Markdown Format = "md"
	JSON     Format = "json"
)

// Version of the JSON: fields are added, and neither renamed nor given another meaning,
// while it is the same.
const Version = 1

// Report is what is said of a run. Its JSON is described in docs/report.md.
type Report struct {
	Version  int           `json:"version"`
	Made     time.Time     `json:"made"`
	By       string        `json:"by"` // the program's name and version
	Run      string        `json:"run"`
	Target   string        `json:"target"`
	Kind     string        `json:"kind"` // of the root
	Noun     string        `json:"noun"` // what objects are, in the singular
	State    console.State `json:"state"`
	Reason   string        `json:"reason,omitempty"` // why it is paused, where that is known
	Epoch    int           `json:"epoch"`            // how often it was redriven
	Created  time.Time     `json:"created"`
	Finished *time.Time    `json:"finished"` // null until it is over
	Seconds  float64       `json:"seconds"`  // that somebody worked on it
	Fraction float64       `json:"fraction"` // below 1 until it is over
	Out      string        `json:"out"`      // where the results lie; empty if nowhere

	Totals        Totals             `json:"totals"`
	Mean          Speeds             `json:"mean"` // a second
	Cost          *Cost              `json:"cost"` // null: not known
	Configuration []Setting          `json:"configuration"`
	History       console.History    `json:"history"`
	Tree          *Tree              `json:"tree"` // null: of kinds that have no prefixes, and where none are kept
	Histograms    console.Histograms `json:"histograms"`
	Slowest       []console.Slow     `json:"slowest"`
	Fleet         *Fleet             `json:"fleet"` // null: of runs of one machine, and where nothing is known of it
	Workers       []Worker           `json:"workers"`
	MoreWorkers   int                `json:"more_workers"` // that are not among Workers
	Failures      []console.Failure  `json:"failures"`
	MoreFailures  int64              `json:"more_failures"` // that are not among Failures
}

// Totals are the sums over a run: exact once it is over.
type Totals struct {
	Nodes    int64            `json:"nodes"`  // processed with success
	Failed   int64            `json:"failed"` // nodes given up
	Objects  int64            `json:"objects"`
	Bytes    int64            `json:"bytes"`
	Prefixes *int64           `json:"prefixes"` // null where they are not known
	Retries  int64            `json:"retries"`
	Requests map[string]int64 `json:"requests"` // made of the outside, by name
}

// Speeds are counts a second.
type Speeds struct {
	Nodes    float64 `json:"nodes"`
	Objects  float64 `json:"objects"`
	Bytes    float64 `json:"bytes"`
	Requests float64 `json:"requests"`
}

// Cost is in dollars, estimated.
type Cost struct {
	SoFar  float64 `json:"so_far"`
	Total  float64 `json:"total,omitempty"`  // at the end, if it goes on so; 0: not known
	Budget float64 `json:"budget,omitempty"` // 0: none
}

// Setting is something that was said of a run when it began.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Measure is by what prefixes are compared.
type Measure string

// The measures.
const (
	ByObjects Measure = "objects"
	ByBytes   Measure = "bytes"
	ByTime    Measure = "time"
)

// Tree is the biggest prefixes of a run.
type Tree struct {
	Complete bool    `json:"complete"` // the run is over: these are its totals
	By       Measure `json:"by"`       // which the biggest are
	Prefix
}

// Prefix is all that lies below a prefix, and the biggest of what is directly below it.
// What Children, Rest and Direct have is together what it has itself, if Children were
// looked at.
type Prefix struct {
	Prefix string `json:"prefix"`
	Sums
	Prefixes int64    `json:"prefixes"` // directly below; 0 where that was not looked at
	Children []Prefix `json:"children,omitempty"`
	Rest     *Rest    `json:"rest,omitempty"`   // of those directly below that are not among Children
	Direct   *Sums    `json:"direct,omitempty"` // of the objects in none of those below
}

// Sums are of objects.
type Sums struct {
	Objects int64   `json:"objects"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // that the requests took which found them
}

// Rest is prefixes that are summed up.
type Rest struct {
	Prefixes int64 `json:"prefixes"`
	Sums
}

// Of is the sums by a measure; of time it is milliseconds.
func (s Sums) Of(m Measure) int64 {
	switch m {
	case ByBytes:
		return s.Bytes
	case ByTime:
		return int64(s.Seconds * 1000)
	default:
		return s.Objects
	}
}

// Worker is one that worked on the run.
type Worker struct {
	ID      string    `json:"id"`
	Slots   int       `json:"slots"`
	Busy    float64   `json:"busy"` // seconds of slots
	Units   int64     `json:"units"`
	Nodes   int64     `json:"nodes"`
	Started time.Time `json:"started"`
	At      time.Time `json:"at"` // of its last report
}

// Write writes the report. The error is the writer's.
func (r *Report) Write(w io.Writer, f Format) error {
	switch f {
	case HTML:
		_, err := w.Write(r.html())
		return err
	case Markdown:
		_, err := w.Write(r.markdown())
		return err
	case JSON:
		e := json.NewEncoder(console.JSONLines(w))
		e.SetEscapeHTML(false)
		return e.Encode(r)
	default:
		return fmt.Errorf("write report: there is no format %q", f)
	}
}

// sentence says what the run is and how it stands.
func (r *Report) sentence() string {
	s := map[console.State]string{
		console.Running: "It goes on", console.Paused: "It is paused", console.Interrupted: "It was interrupted and can be resumed",
		console.Finished: "It has finished", console.Failed: "It has finished with failures", console.Cancelled: "It was cancelled",
	}[r.State]
	if r.Reason != "" {
		s += " (" + r.Reason + ")"
	}
	if r.Fraction < 1 {
		s += ", with " + console.Percent(r.Fraction) + " done"
	}
	s += " after " + console.Elapsed(r.Seconds) + " of work"
	if r.Epoch == 1 {
		s += ", redriven once"
	} else if r.Epoch > 1 {
		s += fmt.Sprintf(", redriven %d times", r.Epoch)
	}
	return s + "."
}

// figure is one of the totals, as people read it.
type figure struct{ name, value, remark string }

// figures are the totals.
func (r *Report) figures() []figure {
	t := &r.Totals
	perSecond := func(v float64) string {
		if v > 0 && v < 10 {
			return fmt.Sprintf("%.1f a second", v)
		}
		return console.Count(int64(min(math.Round(v), math.MaxInt64/2))) + " a second"
	}
	all := []figure{
		{r.Noun + "s", console.Count(t.Objects), perSecond(r.Mean.Objects)},
		{"bytes", console.Size(t.Bytes), console.Size(int64(min(r.Mean.Bytes, math.MaxInt64/2))) + " a second"},
	}
	if t.Prefixes != nil {
		all = append(all, figure{"prefixes", console.Count(*t.Prefixes), ""})
	}
	var requests int64
	for _, n := range t.Requests {
		requests += n
	}
	all = append(all,
		figure{"nodes", console.Count(t.Nodes), perSecond(r.Mean.Nodes)},
		figure{"failed", console.Count(t.Failed), ""},
		figure{"requests", console.Count(requests), perSecond(r.Mean.Requests)},
		figure{"retries", console.Count(t.Retries), ""},
		figure{"time", console.Elapsed(r.Seconds), ""})
	if c := r.Cost; c != nil {
		f := figure{"cost", console.Dollars(c.SoFar), "by estimate"}
		if r.Fraction < 1 && c.Total > c.SoFar {
			f.remark = "of about " + console.Dollars(c.Total) + ", by estimate"
		}
		if c.Budget > 0 {
			f.remark += "; budget " + console.Dollars(c.Budget)
		}
		all = append(all, f)
	}
	return all
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// measured is a number of a measure, with its unit.
func measured(m Measure, v int64, noun string) string {
	switch m {
	case ByBytes:
		return console.Size(v)
	case ByTime:
		return console.Elapsed(float64(v) / 1000)
	default:
		return counted(v, noun)
	}
}

// counted is a number of things.
func counted(n int64, noun string) string {
	if n != 1 {
		if noun == "prefix" {
			noun += "e"
		}
		noun += "s"
	}
	return console.Count(n) + " " + noun
}

// named is a prefix as it is shown: all there is has no name of its own.
func named(prefix string) string {
	if prefix == "" {
		return "(all)"
	}
	return console.Clean(prefix)
}
