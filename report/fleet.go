package report

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ramify/ramify/console"
)

// Fleet is the tasks that there were while the run went on, whatever else they worked on.
type Fleet struct {
	Tasks   TaskHistory `json:"tasks"`
	Hours   float64     `json:"task_hours"`        // of those tasks
	Target  *float64    `json:"target"`            // of seconds of backlog a task; null: not known, as the next two
	Min     *int        `json:"min"`               // tasks that there are always
	Max     *int        `json:"max"`               // tasks that there are at most
	Events  []Event     `json:"events"`            // the newest first
	Missing []Missing   `json:"missing,omitempty"` // what could not be learned
}

// TaskHistory is how many tasks there were over the time since the run was begun.
type TaskHistory []TaskPoint

// TaskPoint is how many tasks there were for a time.
type TaskPoint struct {
	Seconds          float64 // from the beginning of the run, by the clock
	For              float64 // seconds
	Running, Desired float64 // means
	Most             float64 // that ran at a time
}

// MarshalJSON implements json.Marshaler: names of columns, and points.
func (h TaskHistory) MarshalJSON() ([]byte, error) {
	points := make([][5]float64, 0, len(h))
	thousandths := func(v float64) float64 { return math.Round(v*1000) / 1000 }
	for _, p := range h {
		points = append(points, [5]float64{thousandths(p.Seconds), p.For, thousandths(p.Running), thousandths(p.Desired), p.Most})
	}
	return json.Marshal(map[string]any{"columns": []string{"seconds", "for", "running", "desired", "most"}, "points": points})
}

// Event is what was done to the number of tasks.
type Event struct {
	At      time.Time `json:"at"`
	By      string    `json:"by"` // governor, autoscaling or ecs
	Message string    `json:"message"`
}

// Missing is a part that could not be learned.
type Missing struct {
	Part   string `json:"part"`
	Reason string `json:"reason"`
}

// Of events, what is shown at most.
const shownEvents = 200

// span is the time that a history is of, in seconds.
func (h TaskHistory) span() float64 {
	if len(h) == 0 {
		return 0
	}
	last := h[len(h)-1]
	return last.Seconds + last.For
}

// running is how many tasks ran in the middle of each of so many equal parts of the time.
func (h TaskHistory) running(parts int) []float64 {
	all, next := make([]float64, parts), 0
	for i := range all {
		at := h.span() * (float64(i) + 0.5) / float64(parts)
		for next < len(h) && h[next].Seconds+h[next].For <= at {
			next++
		}
		if next < len(h) && h[next].Seconds <= at {
			all[i] = h[next].Running
		}
	}
	return all
}

// sentence says how many tasks there were.
func (f *Fleet) sentence() string {
	var parts []string
	if len(f.Tasks) > 0 {
		most := 0.0
		for _, p := range f.Tasks {
			most = max(most, p.Most)
		}
		parts = append(parts, fmt.Sprintf("At most %s ran at a time, for %.2f task-hours in all, those for other runs included.", counted(int64(most), "task"), f.Hours))
	}
	if f.Max != nil && f.Min != nil {
		parts = append(parts, fmt.Sprintf("The fleet is scaled between %s and %s tasks.", console.Count(int64(*f.Min)), console.Count(int64(*f.Max))))
	}
	if f.Target != nil {
		parts = append(parts, "A task's backlog is to be done in "+console.Elapsed(*f.Target)+".")
	}
	for _, m := range f.Missing {
		parts = append(parts, "Not known: "+m.Part+" ("+m.Reason+").")
	}
	return strings.Join(parts, " ")
}

// doer is who has done something, for people.
func (e *Event) doer() string {
	switch e.By {
	case "governor":
		return "governor"
	case "autoscaling":
		return "Auto Scaling"
	case "ecs":
		return "ECS"
	default:
		return e.By
	}
}

func (r *Report) fleet(w *writer) {
	f := r.Fleet
	if f == nil {
		return
	}
	w.section("Fleet")
	w.element("p", f.sentence())
	if len(f.Tasks) > 0 {
		w.start("div", "class", "charts")
		w.steps("tasks", f.Tasks.running(chartParts), f.Tasks.span(), func(v float64) string { return fmt.Sprintf("%.3g", v) })
		w.end("div")
	}
	if len(f.Events) > 0 {
		shown := f.Events[:min(len(f.Events), shownEvents)]
		rows := make([][]cell, 0, len(shown))
		for i := range shown {
			rows = append(rows, []cell{{text: clock(shown[i].At)}, {text: shown[i].doer()}, {text: shown[i].Message}})
		}
		w.table("Scaling events", []string{"at", "by", "what"}, rows)
		w.more(int64(len(f.Events) - len(shown)))
	}
	w.end("section")
}

func (r *Report) fleetTables(p *paper) {
	f := r.Fleet
	if f == nil {
		return
	}
	p.say("## Fleet\n")
	p.say("%s\n", plain(f.sentence()))
	if len(f.Tasks) > 0 {
		p.table([]string{"tasks", "over " + console.Elapsed(f.Tasks.span())}, [][]string{{"running", "`" + console.Spark(f.Tasks.running(48)) + "`"}})
	}
	if len(f.Events) > 0 {
		shown := f.Events[:min(len(f.Events), shownInMarkdown)]
		var rows [][]string
		for i := range shown {
			rows = append(rows, []string{clock(shown[i].At), plain(shown[i].doer()), code(shown[i].Message)})
		}
		p.table([]string{"at", "by", "what"}, rows)
		p.more(int64(len(f.Events) - len(shown)))
	}
}
