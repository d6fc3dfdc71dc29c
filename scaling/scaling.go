// Package scaling is the arithmetic of how many tasks a fleet wants: metrics
// from what was seen of queue, service and ledger, and the governor that turns
// them into a desired count. It is pure: no clock, no AWS. metricfn publishes and
// does what it says; plan runs it against a model.
//
// The formulas, for a concurrency C and a time t that a message holds a slot:
//
//	out    = unread + in flight + delayed           never unread alone: a chain is always in flight
//	work   = out·t/C                                task-seconds that wait or run now
//	width  = max(1, ceil(out/C))                    tasks that could be busy right now
//	wanted = min(max(1, ceil(work/T)), width)       with out > 0
//
// Where the ledger can say how much is still to come (Expect), wanted is more if
// that would not be done within the acceptable latency.
//
// docs/scale.md says what they do to trees of all sizes.
package scaling

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ramify/ramify/schema"
)

const (
	// MaxSlots is how many things all tasks of a fleet may do at a time. SQS refuses
	// receives at 120,000 in flight: tasks hold as many messages again that they have not
	// begun, and while the fleet is deployed to there are Surplus percent more of them.
	//
	// Source: Amazon SQS Developer Guide, "Amazon SQS standard queue quotas".
	MaxSlots = 50_000

	// Surplus is the percentage of tasks above the desired count that a deployment may
	// have, while old ones are still at work.
	Surplus = 10

	// Guess is the time a message takes before any has settled.
	Guess = 100 * time.Millisecond

	// Every is how often to look while there is work.
	Every = 10 * time.Second

	// Idle is how often to look while there is none.
	Idle = time.Minute
)

// Knobs are what an owner of a fleet decides.
type Knobs struct {
	Min, Max    int           // tasks
	Concurrency int           // slots of a task, at least 1
	Target      time.Duration // T: the backlog is to be worked off in; shorter is faster and dearer
	Launch      time.Duration // L: from a decision to a running task
	Acceptable  time.Duration // latency: what is expected is to be done in, and the net's target of BacklogSeconds
	Rule        Rule          // how the backlog is read
}

// Rule is how the governor reads a backlog.
type Rule string

const (
	// Backlog takes the backlog as it is, and doubles a fleet under which one stands.
	// It is P8s of the study that docs/scale.md tells of.
	Backlog Rule = "backlog"

	// Size is Backlog, and takes into account how much is expected. Where that is not
	// known it is the same.
	Size Rule = "size"
)

// Defaults are the knobs of a fleet that nobody has tuned.
func Defaults() Knobs {
	return Knobs{
		Max: 200, Concurrency: 32, Rule: Size,
		Target: 15 * time.Second, Launch: 45 * time.Second, Acceptable: 2 * time.Minute,
	}
}

// Check says which knob has a value that no fleet can have, as a
// *schema.FieldError.
func (k Knobs) Check() error {
	bad := func(field string, value any, want string) error {
		return &schema.FieldError{Field: field, Value: fmt.Sprint(value), Want: want}
	}
	switch {
	case k.Min < 0:
		return bad("min", k.Min, "0 or more tasks")
	case k.Max < 1 || k.Max < k.Min:
		return bad("max", k.Max, fmt.Sprintf("at least 1 task and min, %d", k.Min))
	case k.Concurrency < 1:
		return bad("concurrency", k.Concurrency, "at least 1 slot a task")
	case k.Max > MaxSlots/k.Concurrency:
		return bad("max", k.Max, fmt.Sprintf("at most %d tasks of concurrency %d: SQS lets 120,000 messages be in flight",
			MaxSlots/k.Concurrency, k.Concurrency))
	case k.Target <= 0:
		return bad("target", k.Target, "more than 0s")
	case k.Launch < 0:
		return bad("launch", k.Launch, "0s or more")
	case k.Acceptable <= 0:
		return bad("acceptable", k.Acceptable, "more than 0s")
	case k.Rule != Backlog && k.Rule != Size:
		return bad("rule", k.Rule, string(Size)+" or "+string(Backlog))
	}
	return nil
}

// Sample is what one look has seen. What could not be learned is nil: nothing is
// decided on a guess.
type Sample struct {
	At      time.Time
	Queue   *Queue
	Oldest  *time.Duration // age of the oldest message
	Service *Service
	Ledger  *Ledger
	Bare    bool // the fleet has no ledger: nil is not that it is away
}

// waits is whether nothing of what is outstanding may be worked on.
func (s *Sample) waits() bool { return s.Ledger != nil && s.Ledger.Paused && !s.Ledger.Unsettled }

// Queue is messages, as the queue estimates them (Amazon SQS API Reference,
// "GetQueueAttributes": ApproximateNumberOfMessages, …NotVisible, …Delayed).
type Queue struct{ Unread, InFlight, Delayed int64 }

// Outstanding is all that wait or are worked on.
func (q Queue) Outstanding() int64 { return q.Unread + q.InFlight + q.Delayed }

// Service is tasks (Amazon ECS API Reference, "Service").
type Service struct{ Running, Pending, Desired int }

// Ledger is what the live runs have counted since they began. Sums may shrink,
// when a run is over: differences are taken only where they grow.
type Ledger struct {
	Settled   int64         // messages
	Busy      time.Duration // time that slots were taken, those taken now included
	Unsettled bool          // a run is not over and not paused
	Paused    bool          // runs are paused, and no other is Unsettled: what is outstanding waits for people
	Expected  int64         // messages that are still to come or to settle, by Expect; 0: not known
}

// Expect is how many messages of a run are still to settle, judging by those that
// have: leaves is how many settled that had no children, and done which part of the
// run is settled, weighed by shares. It is as good as the tree is even, and 0 before
// the first leaf. Of several runs the sum is taken.
//
// Leaves, not all messages: early in a walk most messages have children, and a
// run would look many times as big as it is.
func Expect(leaves int64, done float64) int64 {
	if !(leaves > 0 && done > 0 && done < 1) {
		return 0
	}
	return int64(min(float64(leaves)*(1-done)/done, 1e15))
}

// The metrics, as they are named in CloudWatch.
const (
	MetricUnread            = "Unread"
	MetricInFlight          = "InFlight"
	MetricDelayed           = "Delayed"
	MetricOutstanding       = "Outstanding" // the three together
	MetricOldestAge         = "OldestAge"
	MetricRunning           = "Running"
	MetricPending           = "Pending"
	MetricDesired           = "Desired"
	MetricSettledPerSecond  = "SettledPerSecond"
	MetricSecondsPerMessage = "SecondsPerMessage"
	MetricWanted            = "Wanted"  // tasks that the governor would have, before its minimum
	MetricSurplus           = "Surplus" // percent of desired that cannot be busy

	// These are 0 where all runs are paused, and count no more messages than one task has
	// slots where the ledger knows of no run that goes on.
	MetricBacklogPerTask     = "BacklogPerTask"     // unread ÷ running; with no task running, unread
	MetricBacklogSeconds     = "BacklogSeconds"     // what the running tasks, or one, need for all that is outstanding
	MetricBacklogSecondsSoon = "BacklogSecondsSoon" // the same of running and pending tasks

	// MetricAsleep is 1 where something is to be done, which is that messages are
	// outstanding or a run is not settled, and no task is desired, else 0.
	MetricAsleep = "Asleep"

	// MetricIdle is 1 where nothing is to be done, as far as is known, and more tasks
	// are desired than the minimum, else 0. At the minimum it is 0: an alarm that goes
	// off then would take away what a seed has just started.
	MetricIdle = "Idle"
)

// Metric is a figure to publish. Unit is CloudWatch's (Amazon CloudWatch API
// Reference, "MetricDatum").
type Metric struct {
	Name  string
	Value float64
	Unit  string
}

// Metrics are those that are known, zeros included, in a fixed order.
type Metrics []Metric

// Get finds a metric by its name; not ok where it is not known.
func (m Metrics) Get(name string) (value float64, ok bool) {
	for _, x := range m {
		if x.Name == name {
			return x.Value, true
		}
	}
	return 0, false
}

// Reason says why a decision is what it is.
type Reason string

// The reasons.
const (
	Unknown    Reason = "queue or service is not known"                                                     // no decision
	Finished   Reason = "nothing is outstanding"                                                            // the minimum
	Unsettled  Reason = "nothing is outstanding, but the ledger holds what is not settled, or is not known" // as it is
	Waits      Reason = "all runs are paused"                                                               // the minimum: messages that wait for people need no task
	Stuck      Reason = "nothing is outstanding and no task is desired, but a run is not settled"           // one task, which looks after it
	Elsewhere  Reason = "nothing has been outstanding for minutes, though runs go on"                       // one task, which looks after them
	Woken      Reason = "nothing is outstanding, but tasks have just been asked for"                        // as it is, for a look
	More       Reason = "the backlog wants more tasks"
	Stands     Reason = "a backlog stands" // more tasks, by the standing rule
	Fewer      Reason = "fewer tasks can be busy"
	Collapsed  Reason = "the backlog collapsed"                                       // fewer, and launches are called off
	Strays     Reason = "messages are outstanding, but no run goes on"                // one task, which refuses them
	Unmeasured Reason = "the ledger is away, and has not told how long messages take" // as it is
	Enough     Reason = "as many tasks as wanted"                                     // as it is
	OutOfRange Reason = "desired is not within min and max"                           // the nearest that is
)

// Decision is what to do about the desired count.
type Decision struct {
	Desired int  // within min and max; 0 where nothing is known
	Change  bool // it is not what the service has: update it
	Wanted  int  // what the backlog asks for, within max
	Width   int  // how many could be busy now, within max
	Reason  Reason
}

// String is the decision in one line of a log.
func (d Decision) String() string {
	if d.Reason == Unknown {
		return "none: " + string(d.Reason)
	}
	return "desired " + strconv.Itoa(d.Desired) + ": " + string(d.Reason)
}

// tasks rounds up what is not quite whole for the sake of floating point, and
// holds it within what a count can be.
func tasks(n float64) int { return int(min(math.Ceil(n-1e-9), math.MaxInt32)) }
