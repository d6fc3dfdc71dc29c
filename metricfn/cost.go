package metricfn

import (
	"time"

	"github.com/ramify/ramify/ledger"
)

// Prices say what a run costs, in dollars. The zero Prices make every cost zero.
type Prices struct {
	TaskHour float64            // of one task, its part on Spot taken into account
	Message  float64            // what queue and ledger take for one
	Requests map[string]float64 // of one request of a processor, by its name in ledger.Worker.Requests
}

// shortest is what a task costs at least: Fargate charges a minute (AWS Fargate
// Pricing).
const shortest = time.Minute

// Split is what each run has cost so far, estimated: the time of the tasks that
// reported on it, from their start or the run's, whichever came later, to their last
// report, idle slots included; a task that works on several of these runs is split by
// the time its slots were taken. With it come the requests that it counted, and what
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
	costs := make([]float64, len(runs))
	for i, r := range runs {
		for _, w := range workers[i] {
			from := w.Started
			if r.Created.After(from) {
				from = r.Created
			}
			part := 1 / float64(on[w.ID])
			if all := taken[w.ID]; all > 0 {
				part = float64(max(w.Busy, 0)) / float64(all)
			}
			costs[i] += max(w.At.Sub(from), shortest).Hours() * part * p.TaskHour
			costs[i] += float64(max(w.Units, 0)) * p.Message
			for name, n := range w.Requests {
				costs[i] += float64(max(n, 0)) * p.Requests[name]
			}
		}
	}
	return costs
}
