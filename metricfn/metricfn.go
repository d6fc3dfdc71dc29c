// Package metricfn looks at a fleet, publishes what it sees as metrics, and where
// it governs sets how many tasks there are. The arithmetic is that of package
// scaling. It runs as a function of AWS Lambda that a schedule starts every minute
// (metricfn/lambda), and as `ramify metric`.
//
// What cannot be learned is not published, and nothing is decided on it: docs/metrics.md
// lists every metric with its formula, and what is left out when.
//
// Several may look at one fleet at a time, as when a schedule fires twice: what they
// publish is the same, and a decision is a number and not a difference. A lease keeps
// two from changing the count one after the other.
package metricfn

import (
	"context"
	"log/slog"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/scaling"
)

// Queue is the fleet's queue.
type Queue interface {
	// Depth is how many messages there are, as the queue estimates them.
	Depth(ctx context.Context) (scaling.Queue, error)
	// Oldest is the age of the oldest message as it was last measured, and when;
	// the zero time where it was not.
	Oldest(ctx context.Context) (age time.Duration, at time.Time, err error)
}

// Service is the fleet's tasks.
type Service interface {
	// Counts are those of now. A service that is being deleted is an error.
	Counts(ctx context.Context) (scaling.Service, error)
	// SetDesired sets how many tasks there are to be.
	SetDesired(ctx context.Context, n int) error
}

// Ledger is what a look reads of ledger.Ledger and ledger.Board.
type Ledger interface {
	Runs(ctx context.Context) ([]ledger.Run, error)
	Run(ctx context.Context, run string) (ledger.Run, error)
	Workers(ctx context.Context, run string) ([]ledger.Worker, error)
}

// Publisher takes metrics. It is an error where any was not taken.
type Publisher interface {
	Put(ctx context.Context, data []Datum) error
}

// Datum is one figure of a fleet, or of one of its runs.
type Datum struct {
	scaling.Metric
	Run  string // a dimension, as Part is, where it is not empty
	Part string
	At   time.Time
	Fast bool // alarms look at it every ten seconds
}

// Metrics beside those of package scaling.
const (
	MetricLookErrors   = "LookErrors"   // parts of a look that failed; with dimension Part, 1 for one that did
	MetricFractionDone = "FractionDone" // of a run, 0 to 1
	MetricFailures     = "Failures"     // nodes of a run that were given up; without Run, of all of them
	MetricCost         = "Cost"         // dollars of a run so far, estimated
)

// Part is something that a look needs, and that may fail alone.
type Part string

// The parts of a look.
const (
	PartQueue   Part = "queue"
	PartAge     Part = "age"
	PartService Part = "service"
	PartLedger  Part = "ledger"
	PartUpdate  Part = "update" // of the desired count
	PartPublish Part = "publish"
)

// Options of a Function. Queue, Service and Publisher are needed.
type Options struct {
	Fleet     string // a dimension of every metric
	Knobs     scaling.Knobs
	Govern    bool // change the desired count
	Queue     Queue
	Service   Service
	Ledger    Ledger        // nil: the fleet has none
	Leases    ledger.Leaser // nil: decide without
	Owner     string        // of leases: this process
	Publisher Publisher
	Prices    Prices
	Log       *slog.Logger // default: discard
}

// How long things take.
const (
	patience = 5 * time.Second  // for each part of a look
	within   = 55 * time.Second // looks of one start of the function begin
	spare    = 4 * time.Second  // before the function is ended, to finish a look
	held     = scaling.Every    // a lease, from a change on: the next look sees the change
	skew     = 10 * time.Second // between the clocks of two that look
)

// Function looks, and remembers between looks what the arithmetic needs. It is used by
// one goroutine at a time.
type Function struct {
	o       Options
	gov     *scaling.Governor
	figures figures
	age     aging
	lease   string
}

// New makes a function that has seen nothing. The knobs are those that Check passes.
func New(o Options) *Function {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Function{
		o: o, gov: scaling.New(o.Knobs), figures: newFigures(o.Ledger, o.Prices),
		age: aging{queue: o.Queue}, lease: "metric:" + o.Fleet,
	}
}

// Minute looks once, and where there is work or a task goes on every 10 s until 55 s
// after it began: a schedule starts it every minute. It is an error only where
// nothing was published; each look's own errors are in what it passes to seen, which
// may be nil.
func (f *Function) Minute(ctx context.Context, seen func(Report)) error {
	end := time.Now().Add(within)
	if at, bounded := ctx.Deadline(); bounded && at.Add(-spare).Before(end) {
		end = at.Add(-spare)
	}
	next := time.NewTicker(scaling.Every)
	defer next.Stop()
	published := false
	for {
		r := f.Look(context.WithoutCancel(ctx)) // it is short, and half a look is none
		if seen != nil {
			seen(r)
		}
		failure := r.failure(PartPublish)
		published = published || failure == nil
		if r.Rest || !time.Now().Add(scaling.Every).Before(end) {
			if !published {
				return failure
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-next.C:
		}
	}
}
