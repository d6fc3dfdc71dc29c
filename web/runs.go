package web

import (
	"context"
	"errors"
	"time"

	"github.com/ramify/ramify/console"
)

// Errors that Runs and Run may return, wrapped. What else they return is for whoever
// serves, and not told to who asks.
var (
	ErrUnknown  = errors.New("no such run")
	ErrRefused  = errors.New("the run does not stand so that this makes sense") // its text is told
	ErrArgument = errors.New("not an argument that makes sense")                // likewise
)

// Runs are those that can be seen: of a folder, of this process, of a fleet.
type Runs interface {
	// List is all runs, the newest first.
	List(ctx context.Context) ([]console.Snapshot, error)
	// Open opens one, to be closed; ErrUnknown where there is none.
	Open(ctx context.Context, run string) (Run, error)
}

// Run is one run, looked at. Its methods may be called from many goroutines.
type Run interface {
	// Look reads how it stands.
	Look(ctx context.Context) (View, error)
	// History is how it came there.
	History(ctx context.Context) (console.History, error)
	// Slowest are the nodes that took longest, the slowest first.
	Slowest(ctx context.Context) ([]console.Slow, error)
	// Histograms are those of what was found.
	Histograms(ctx context.Context) (console.Histograms, error)
	// Failures are the nodes that were given up, so many at most, from a cursor on;
	// "" is the beginning, and where there are no more. ErrArgument: no such cursor.
	Failures(ctx context.Context, after string, limit int) (some []console.Failure, next string, err error)
	// Tree is a prefix and what is directly below it.
	Tree(ctx context.Context, a Ask) (Tree, error)
	// Do does what a button says. ErrRefused: it makes no sense now.
	Do(ctx context.Context, o Order) error
	// Close ends the look.
	Close()
}

// View is how a run stands.
type View struct {
	console.Snapshot
	Interrupted bool        // nobody works on it: it can be resumed
	Cost        *Cost       // nil: not known
	Fleet       *Fleet      // nil: a run of one machine
	May         []OrderKind // that make sense now; in the order of the page's buttons
}

// Cost is in dollars, estimated.
type Cost struct {
	SoFar float64 `json:"so_far"`
	Total float64 `json:"total,omitempty"` // at its end, if it goes on so; 0: not known
}

// Fleet is what is known of the tasks that work on runs, and of their queue.
type Fleet struct {
	Running        int       `json:"running"`
	Pending        int       `json:"pending"`
	Desired        int       `json:"desired"`
	Unread         int64     `json:"unread"`
	InFlight       int64     `json:"in_flight"`
	Delayed        int64     `json:"delayed"`
	BacklogPerTask *float64  `json:"backlog_per_task"`  // null: not known
	BacklogSeconds *float64  `json:"backlog_seconds"`   // that a task has to do; null: the time of a message is not known yet
	Target         *float64  `json:"target"`            // of backlog_seconds; null: not known
	Min            *int      `json:"min"`               // tasks that there are always; null: not known, as Max
	Max            *int      `json:"max"`               // tasks that there are at most
	Oldest         *float64  `json:"oldest"`            // age of the oldest message in seconds; null: not measured
	Events         []Event   `json:"events"`            // the newest first
	Missing        []Missing `json:"missing,omitempty"` // what could not be learned
}

// Missing is a part of what is known of a fleet that could not be learned.
type Missing struct {
	Part   string `json:"part"`
	Reason string `json:"reason"`
}

// Event is what happened to the number of tasks.
type Event struct {
	At      time.Time `json:"at"`
	By      string    `json:"by"` // governor, autoscaling or ecs
	Message string    `json:"message"`
}

// OrderKind is a button.
type OrderKind string

// The buttons.
const (
	Pause       OrderKind = "pause"
	Resume      OrderKind = "resume"
	Cancel      OrderKind = "cancel"
	Redrive     OrderKind = "redrive"
	Concurrency OrderKind = "concurrency"
)

// Order is a button that was pressed.
type Order struct {
	Kind        OrderKind
	Concurrency int // of Concurrency: slots of a task, 1 to 10,000
}

// Ask is what is asked of the tree.
type Ask struct {
	Prefix string
	By     string // objects, bytes or time: what is biggest
	Top    int    // children at most, 1 to 1,000
}

// Tree is a prefix and what is directly below it.
type Tree struct {
	Prefix   string `json:"prefix"`
	Complete bool   `json:"complete"` // the run is over: these are its totals
	Sums
	Prefixes int64   `json:"prefixes"` // directly below, those in Rest included
	Children []Child `json:"children"` // the biggest first
	Rest     Rest    `json:"rest"`     // of the children that were not asked for
	Direct   Sums    `json:"direct"`   // of the objects that are in no prefix below
}

// Sums are of objects.
type Sums struct {
	Objects int64   `json:"objects"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // that the requests took which found them
}

// Child is a prefix directly below another.
type Child struct {
	Prefix string `json:"prefix"`
	Sums
	More bool `json:"more"` // there are prefixes below it
}

// Rest are children that are summed up.
type Rest struct {
	Prefixes int64 `json:"prefixes"`
	Sums
}
