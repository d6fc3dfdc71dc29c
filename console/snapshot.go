package console

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// State is a run's state as people are told it.
type State string

// The states that people are told.
const (
	Running     State = "running"
	Paused      State = "paused"      // nodes wait until it is resumed
	Interrupted State = "interrupted" // the command stopped before the run's end; it can be resumed
	Finished    State = "finished"
	Failed      State = "finished_with_failures"
	Cancelled   State = "cancelled"
)

// Over reports whether nothing of the run will be processed any more.
func (s State) Over() bool { return s == Finished || s == Failed || s == Cancelled }

// Fresh is how old a worker's last report may be for it to count as alive.
const Fresh = 10 * time.Second

// Snapshot is the figures of a run at one moment.
//
// Until the run is over they are the sum of what its workers reported: they
// follow the truth closely, but a crash may lose the last seconds of a worker,
// and a retry may count twice. Of a run that is over they are the ledger's own,
// which are exact; a cancelled run has only the former.
type Snapshot struct {
	Run    string
	Target string
	Kind   string // of the root
	Out    string // where results go
	State  State
	Reason string // why it is paused, where that is known
	Epoch  int    // how often it was redriven
	At     time.Time

	Created     time.Time
	Finished    time.Time // zero until it is over
	Concurrency int       // slots of a task; 0: the task's own setting

	// Fraction is the settled part of the run: below 1 until it is over, and
	// exactly 1 once it has finished, with failures or without.
	Fraction float64

	Nodes    int64 // processed with success
	Objects  int64 // keys, rows, files: what the processors counted
	Bytes    int64 // their size
	Failures int64 // nodes given up
	Retries  int64
	Requests map[string]int64 // made of the outside, by name; never nil

	Crew     []Member // all that ever reported on it, those alive first
	Workers  int      // alive: they have reported within Fresh
	InFlight int      // slots of theirs in use
	Slots    int      // slots of theirs
	Seconds  float64  // that somebody worked on the run; the time between an interruption and its resumption is not counted

	Notes []Note // of what is known elsewhere, for people

	spans []stretch     // in which somebody worked
	age   time.Duration // of the run, whoever worked on it
	spent bool          // it is paused for its budget
	idle  bool          // nobody works on it, known otherwise than by the age of reports

	ranges bool // it is a crawl by key ranges, whose fraction is a guess

	sketches []ledger.Sketch // see Show
}

// Note is a line of a table: what a run costs, what its fleet does.
type Note struct{ Name, Value, Remark string }

// Take makes a snapshot of a run's record, all its workers and the time.
func Take(run ledger.Run, workers []ledger.Worker, now time.Time) Snapshot {
	return take(run, workers, now, Fresh)
}

// noneFresh is how old the report of a living worker may be where there is none.
const noneFresh = -1

func take(run ledger.Run, workers []ledger.Worker, now time.Time, fresh time.Duration) Snapshot {
	s := Snapshot{
		Run: run.ID, Target: run.Target, Kind: run.Root.Kind, Out: run.Options.Out,
		State: StateOf(run), Epoch: run.Epoch, At: now, Requests: map[string]int64{},
		Created: run.Created, Finished: run.Finished, Concurrency: run.Options.Concurrency,
		age: now.Sub(run.Created), idle: fresh == noneFresh, ranges: byRanges(run.Root),
	}
	if s.State == Paused && run.Options.OverBudget() {
		s.Reason = "budget of " + Dollars(run.Options.Budget()) + " is spent"
		s.spent = true
	}
	end := now
	if run.State.Over() && !run.Finished.IsZero() {
		end = run.Finished
	}
	var done schema.Account
	var share schema.Share
	for _, w := range workers {
		done = done.Add(w.Done)
		share = min(share+min(w.Share, schema.Whole), schema.Whole)
		s.Retries += w.Retries
		for name, n := range w.Requests {
			s.Requests[name] += n
		}
		if now.Sub(w.At) <= fresh {
			s.Workers++
			s.InFlight += w.InFlight
			s.Slots += w.Slots
		}
	}
	s.Fraction = min(share.Fraction(), almost)
	if s.State == Finished || s.State == Failed {
		done = run.Totals
		s.Fraction = 1
		s.InFlight = 0 // what a worker said last was before the end
	}
	s.Nodes, s.Objects, s.Bytes = done.Nodes, done.Objects, done.Bytes
	// A redrive counts what it heals as less than nothing; who counted the failure
	// may have died before it said so.
	s.Failures = max(done.Failures, 0)
	s.spans = workedIn(run.Created, end, workers, fresh)
	s.Seconds = s.workedAt(end)
	s.Crew = crewOf(workers, now, fresh, run.State.Over())
	return s
}

// almost is the greatest number below 1: workers that counted twice must not
// make a run look finished.
var almost = math.Nextafter(1, 0)

// StateOf is the state of a run as people are told it.
func StateOf(r ledger.Run) State {
	if r.State == ledger.Running && r.Paused {
		return Paused
	}
	return State(r.State)
}

// stretch is a time in which somebody worked.
type stretch struct{ from, to time.Time }

// workedIn is the time from begin to end in which somebody worked, as spans that do not
// touch: what the times from each worker's start to its last report cover together. Who
// was alive at the end worked until the end.
func workedIn(begin, end time.Time, workers []ledger.Worker, fresh time.Duration) (merged []stretch) {
	spans := []stretch{{begin, begin}} // so that a run counts from its beginning, before its first report
	for _, w := range workers {
		spans = append(spans, stretch{w.Started, w.At})
	}
	slices.SortFunc(spans, func(a, b stretch) int { return a.from.Compare(b.from) })
	covered := begin
	for _, s := range spans {
		if end.Sub(s.to) <= fresh {
			s.to = end
		}
		if s.from.Before(covered) {
			s.from = covered
		}
		if s.to.After(s.from) {
			covered = s.to
			if n := len(merged); n > 0 && merged[n-1].to.Equal(s.from) {
				merged[n-1].to = s.to
			} else {
				merged = append(merged, s)
			}
		}
	}
	return merged
}

// workedAt is for how long somebody had worked on the run at a time, in seconds.
func (s *Snapshot) workedAt(at time.Time) float64 {
	var total time.Duration
	for _, w := range s.spans {
		if w.to.After(at) {
			total += max(at.Sub(w.from), 0)
			break
		}
		total += w.to.Sub(w.from)
	}
	return total.Seconds()
}

// Source reads the figures of a run as they now are.
type Source func(ctx context.Context) (Snapshot, error)

// Read is a source that reads the ledger and its board. own are the figures of
// this very process, fresher than what it last reported to the board; nil if it
// does not work on the run. Errors are those of the ledger.
func Read(l ledger.Ledger, b ledger.Board, run string, own func() []ledger.Worker) Source {
	return read(l, b, run, own, func() bool { return true })
}

// Look is a source for somebody who does not work on the run and can ask whether
// anybody does: then the last report of a worker that was killed does not pass
// for a sign of life.
func Look(l ledger.Ledger, b ledger.Board, run string, anybody func() bool) Source {
	return read(l, b, run, nil, anybody)
}

func read(l ledger.Ledger, b ledger.Board, run string, own func() []ledger.Worker, anybody func() bool) Source {
	return func(ctx context.Context) (Snapshot, error) {
		// The workers first: a run that ends in between has its totals then.
		workers, err := b.Workers(ctx, run)
		if err != nil {
			return Snapshot{}, err
		}
		r, err := l.Run(ctx, run)
		if err != nil {
			return Snapshot{}, err
		}
		if own != nil {
			for _, w := range own() {
				if w.Run != run {
					continue
				}
				workers = slices.DeleteFunc(workers, func(old ledger.Worker) bool { return old.ID == w.ID })
				workers = append(workers, w)
			}
		}
		fresh := Fresh
		if !r.State.Over() && !anybody() {
			fresh = noneFresh
		}
		return take(r, workers, time.Now(), fresh), nil
	}
}
