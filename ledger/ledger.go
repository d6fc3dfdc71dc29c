// Package ledger is the seam for what is known about a run: its plans, its
// tallies and its state. All exactness rests here, on conditional writes of
// single records; the rules are those of docs/state-machine.md.
package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/ramify/ramify/schema"
)

// Ledger keeps the records of runs.
//
// Every method touches one record, atomically, and is durable when it returns;
// no two records are ever written as one, and callers rely on no order between
// records but that of their own calls. A write whose answer is lost may have
// been made: every write can be repeated, and a repeated write finds its own
// trace and reports it as such. Errors other than those named are transient or
// the medium's; callers repeat or let the message's lease run out. All methods
// may be called from many goroutines, and each call's context bounds it alone.
// Values passed in and out are not shared: neither side keeps them.
//
// Source: Amazon DynamoDB Developer Guide, "Condition expressions" and
// "ReturnValuesOnConditionCheckFailure".
type Ledger interface {
	// Create puts a run if its name is free, else ErrExists.
	Create(ctx context.Context, run Run) error

	// Run is the run's record, read consistently; ErrNoRun if there is none.
	Run(ctx context.Context, run string) (Run, error)

	// Amend changes a run's state if it is in the state and epoch the change
	// expects, and returns the record as it then is; otherwise it returns the
	// record unchanged and ErrConflict. ErrNoRun if there is none.
	Amend(ctx context.Context, run string, c Change) (Run, error)

	// Plan puts a plan if the node has none, or has a tomb of an earlier epoch,
	// and returns the plan that is now stored and whether it is this one. A
	// plan equal in MID, Attempt, Type and Epoch to the stored one counts as this one: it
	// is an earlier try of the same call. A group is put unconditionally.
	Plan(ctx context.Context, p Plan) (stored Plan, won bool, err error)

	// Claim marks that a plan exists for the child in the slot, unless the slot
	// has settled. It returns Won (also where it was claimed before), Already, or
	// at the root Over; with the tally as it now is (at the root: the zero Tally).
	Claim(ctx context.Context, run string, at schema.Place, epoch int) (Tally, Outcome, error)

	// Settle adds a slot, and its account to the sums, unless the slot has
	// settled or is fenced, and sets the tally's header if it has none. The
	// tally is returned as it now is, won or not (at the root: the zero Tally).
	// At the root it ends the run: Finished, or Failed where s.Failed.
	Settle(ctx context.Context, s Settlement) (Tally, Outcome, error)

	// Read reads records consistently, in the order asked; a record that does
	// not exist is the zero Record.
	Read(ctx context.Context, keys []Key) ([]Record, error)

	// Close waits for calls in progress and releases the medium.
	Close() error
}

// Key names a plan or a tally. Each is one record.
type Key struct {
	PID   schema.PID
	Tally bool // the tally of Epoch; otherwise the plan
	Epoch int
}

// Record is what was stored under a key: at most one is not nil.
type Record struct {
	Plan  *Plan
	Tally *Tally
}

// Change is a conditional change of a run's record. A nil field stays as it is.
type Change struct {
	From  State // the state it must be in
	Epoch int   // the epoch it must be in

	State       State // "" keeps the state
	NextEpoch   bool  // begin the next epoch (redrive)
	Paused      *bool
	Concurrency *int
	Params      map[string]string // set among those of the run's options; others stay
	At          time.Time         // becomes Finished where State is over
}

// Board is what people watch: figures beside the protocol, overwritten by their
// owners, with no conditions.
type Board interface {
	// Report overwrites the counters of one worker.
	Report(ctx context.Context, w Worker) error
	// Workers are all that ever reported on a run.
	Workers(ctx context.Context, run string) ([]Worker, error)
	// Draw overwrites the sketch of one worker.
	Draw(ctx context.Context, s Sketch) error
	// Sketches are those of all workers that ever drew one of a run.
	Sketches(ctx context.Context, run string) ([]Sketch, error)
	// Runs are all runs known, newest first.
	Runs(ctx context.Context) ([]Run, error)
}

// Worker is the cumulative figures of one task process on one run. They count
// commits, so their sum follows the truth closely, but a crash may lose the last
// seconds: only the run's totals are exact.
type Worker struct {
	Run      string           `json:"run"`
	ID       string           `json:"worker"`
	Done     schema.Account   `json:"done"`
	Share    schema.Share     `json:"share"` // settled
	Retries  int64            `json:"retries"`
	Units    int64            `json:"units,omitempty"`  // messages that are done with
	Leaves   int64            `json:"leaves,omitempty"` // of these, those that committed nodes and posted no children
	Busy     time.Duration    `json:"busy"`             // slot-seconds spent on units, those under way included
	InFlight int              `json:"in_flight"`
	Slots    int              `json:"slots"`
	Requests map[string]int64 `json:"requests,omitempty"` // made of the outside, by name
	Started  time.Time        `json:"started"`
	At       time.Time        `json:"at"`
}

// Errors that implementations return, wrapped or bare.
var (
	ErrExists   = errors.New("run exists")
	ErrNoRun    = errors.New("no such run")
	ErrConflict = errors.New("run is not in the expected state")
	ErrClosed   = errors.New("ledger is closed")
)
