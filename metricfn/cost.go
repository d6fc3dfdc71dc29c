package metricfn

import (
	"slices"
	"time"

	"github.com/ramify/ramify/ledger"
)

// Prices say what a run costs, in dollars. The zero Prices make every cost zero.
type Prices struct {
	TaskHour  float64            // of one task, its part on Spot taken into account
	FirstHour float64            // what the first of the tasks costs more: it is not on Spot
	Message   float64            // what queue and ledger take for one that does one node
	Inline    float64            // and for one that does many
	Requests  map[string]float64 // of one request of a processor, by its name in ledger.Worker.Requests
}

// shortest is what a task costs at least: Fargate charges a minute (AWS Fargate
// Pricing).
const shortest = time.Minute

// Split is what each run has cost so far, estimated: the time of the tasks that
// reported on it, from their start or the run's, whichever came later, to their last
// report, idle slots included; a task that works on several of these runs is split by
// the time its slots were taken. One of the tasks at a time is the first of the fleet,
// which is on demand. With it come the requests that it counted, and what
// queue and ledger take for its messages. What is not in it: launches, tasks that
// did not report at all, metrics and logs, data transfer. workers are those of each
// run, in the order of runs.
func (p Prices) Split(runs []ledger.Run, workers [][]ledger.Worker) []float64 {
	// No count is below zero, whatever a record says: it would take away what others cost.
	taken, on := map[string]time.Duration{}, map[string]int{}
	for _, some := range workers {
		for _, w := range some {
			taken[w.ID] += max(w.Busy, 0)
			on[w.ID]++
		}
	}
	costs, hours, all := make([]float64, len(runs)), make([]float64, len(runs)), 0.0
	var running []span
	for i, r := range runs {
		for _, w := range workers[i] {
			from := w.Started
			if r.Created.After(from) {
				from = r.Created
			}
			part := 1 / float64(on[w.ID])
			if busy := taken[w.ID]; busy > 0 {
				part = float64(max(w.Busy, 0)) / float64(busy)
			}
			reported := max(w.At.Sub(from), shortest)
			hours[i] += reported.Hours() * part
			all += reported.Hours() * part
			running = append(running, span{from, from.Add(reported)})
			message := p.Message
			if w.Done.Nodes > w.Units {
				message = p.Inline
			}
			costs[i] += float64(max(w.Units, 0)) * message
			for name, n := range w.Requests {
				costs[i] += float64(max(n, 0)) * p.Requests[name]
			}
		}
	}
	// One of the tasks is the first, as long as there are any.
	first := min(covered(running).Hours(), all)
	for i, h := range hours {
		costs[i] += h * p.TaskHour
		if all > 0 {
			costs[i] += h / all * first * p.FirstHour
		}
	}
	return costs
}

type span struct{ from, to time.Time }

// covered is the time in which there is any of the spans.
func covered(spans []span) (sum time.Duration) {
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	var until time.Time
	for _, s := range spans {
		if s.from.Before(until) {
			s.from = until
		}
		if s.to.After(s.from) {
			sum += s.to.Sub(s.from)
			until = s.to
		}
	}
	return sum
}
