package console

import (
	"slices"
	"time"

	"github.com/ramify/ramify/ledger"
)

// Member is a worker of a run, as it last reported.
type Member struct {
	ID       string
	Alive    bool // it has reported within Fresh
	Slots    int
	InFlight int           // slots in use
	Busy     time.Duration // slot-seconds spent on units
	Units    int64         // messages that are done with
	Nodes    int64         // processed with success
	Started  time.Time
	At       time.Time // of its report
	Doing    []Doing   // the oldest first, not all of it; see Show
}

// crewOf are the workers of a run, those that are alive first, then by their ids.
func crewOf(workers []ledger.Worker, now time.Time, fresh time.Duration, over bool) []Member {
	crew := make([]Member, 0, len(workers))
	for _, w := range workers {
		m := Member{
			ID: w.ID, Alive: !over && now.Sub(w.At) <= fresh, Slots: w.Slots, InFlight: w.InFlight,
			Busy: w.Busy, Units: w.Units, Nodes: w.Done.Nodes, Started: w.Started, At: w.At,
		}
		if !m.Alive {
			m.InFlight = 0 // what it said last was before its end
		}
		crew = append(crew, m)
	}
	slices.SortFunc(crew, func(a, b Member) int {
		switch {
		case a.Alive && !b.Alive:
			return -1
		case b.Alive && !a.Alive:
			return 1
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		default:
			return 0
		}
	})
	return crew
}

// Noun is what the objects of the run are, in the singular: key, row, …
func (s Snapshot) Noun() string { return s.noun() }

// Idle reports whether it is known that nobody works on the run, though it is not over.
func (s Snapshot) Idle() bool { return s.idle && !s.State.Over() }
