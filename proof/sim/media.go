package sim

import (
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/hostile"
)

// Queue is a queue whose faults can be set.
type Queue interface {
	queue.Queue
	Set(f hostile.Faults)
	Happened() map[string]int // as that of hostile.Queue
}

// Ledger is all that a run's records are kept in.
type Ledger interface {
	ledger.Ledger
	ledger.Board
	ledger.Leaser
	ledger.Visits
}

// Media are what a case runs on, all empty.
type Media struct {
	Main, Dead Queue
	Ledger     Ledger
	Tempo      int           // by which all that takes time in a simulation takes less of it
	Rough      time.Duration // after which nothing goes wrong any more
}

// rough is Media.Rough of a simulation.
const rough = 3 * time.Hour

// pace is how long takes what takes d in a simulation.
func (w *world) pace(d time.Duration) time.Duration { return d / time.Duration(w.tempo) }
