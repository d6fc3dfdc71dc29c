package metricfn

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/scaling"
)

// Report is what one look has seen and done.
type Report struct {
	At       time.Time
	Metrics  scaling.Metrics
	Runs     []RunFigures // live ones, and those that have just ended, by name
	Decision scaling.Decision
	Applied  bool // the decision changed the desired count
	Rest     bool // nothing to do and no task too many: the next minute is soon enough
	Failures []Failure

	books bool // the ledger was read
}

// Failure is a part of a look that failed.
type Failure struct {
	Part  Part
	Error error
}

func (r *Report) failure(p Part) error {
	for _, f := range r.Failures {
		if f.Part == p {
			return f.Error
		}
	}
	return nil
}

func (r *Report) fail(p Part, err error) {
	if err != nil {
		r.Failures = append(r.Failures, Failure{p, err})
	}
}

// Look looks once, publishes and, where it governs, decides. It is bounded: each part
// has a few seconds. What fails is in the report and in the log.
func (f *Function) Look(ctx context.Context) Report {
	r := Report{At: time.Now()}
	s := f.see(ctx, &r)
	r.books = s.Ledger != nil
	r.Metrics, r.Decision = f.gov.Look(s)
	if f.o.Govern && r.Decision.Change {
		f.change(ctx, &r)
	}
	f.publish(ctx, &r)
	r.Rest = s.Queue != nil && (s.Queue.Outstanding() == 0 || r.Decision.Reason == scaling.Waits) &&
		s.Service != nil && s.Service.Desired == f.o.Knobs.Min && !r.Applied && len(r.Failures) == 0
	f.log(ctx, &r)
	return r
}

// see takes the sample. The ledger is read after the queue: a run that is seeded between
// the two is then known to be there.
func (f *Function) see(ctx context.Context, r *Report) scaling.Sample {
	s := scaling.Sample{At: r.At, Bare: f.o.Ledger == nil}
	var parts sync.WaitGroup
	var depth, service error
	parts.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var q scaling.Queue
		if q, depth = f.o.Queue.Depth(ctx); depth == nil {
			s.Queue = &q
		}
	})
	parts.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var t scaling.Service
		if t, service = f.o.Service.Counts(ctx); service == nil {
			s.Service = &t
		}
	})
	parts.Wait()
	r.fail(PartQueue, depth)
	r.fail(PartService, service)

	var age, books error
	parts.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		s.Oldest, age = f.age.look(ctx, r.At, s.Queue)
	})
	parts.Go(func() {
		if f.o.Ledger == nil {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var l *scaling.Ledger
		if l, r.Runs, books = f.figures.look(ctx, r.At, s.Queue); l != nil {
			s.Ledger = l
		}
	})
	parts.Wait()
	r.fail(PartAge, age)
	r.fail(PartLedger, books)
	if s.Ledger != nil {
		f.prime(&s)
	}
	return s
}

// prime tells a governor that has seen no ledger yet what live runs have counted
// since they began, as if it had looked before: their mean is a better first guess at
// the time of a message than any constant. Where none is live nothing has been
// settled of late.
func (f *Function) prime(s *scaling.Sample) {
	if f.figures.primed {
		return
	}
	f.figures.primed = true
	ago := 5 * time.Minute // as long as the governor measures, and longer ago than it tells rates of
	if s.Ledger.Settled == 0 && !s.Ledger.Unsettled && !s.Ledger.Paused {
		ago = scaling.Idle
	}
	f.gov.Look(scaling.Sample{At: s.At.Add(-ago), Ledger: &scaling.Ledger{}})
}

// change sets the desired count, unless another look has just done so. Where no lease
// can be had for want of a ledger it goes without: twice the same number does no harm.
// So it does where one is held for longer than looks hold any: a clock was wrong, or
// somebody wrote it who has no business with it, and nobody would govern until then.
func (f *Function) change(ctx context.Context, r *Report) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if f.o.Leases != nil {
		now := time.Now()
		l, err := f.o.Leases.Lease(ctx, ledger.Lease{Name: f.lease, Owner: f.o.Owner, From: now, Until: now.Add(held)})
		if err == nil && l.Owner != f.o.Owner && !l.Until.After(now.Add(held+skew)) {
			f.o.Log.Info("another look decides", "owner", l.Owner, "desired", r.Decision.Desired)
			r.Metrics.Applied(r.Decision)
			return
		}
		if r.failure(PartLedger) == nil {
			r.fail(PartLedger, err)
		}
	}
	err := f.o.Service.SetDesired(ctx, r.Decision.Desired)
	r.fail(PartUpdate, err)
	if r.Applied = err == nil; r.Applied {
		r.Metrics.Applied(r.Decision) // or the alarm starts one more
	}
}

// fast are the metrics whose alarms look every ten seconds.
var fast = []string{scaling.MetricAsleep, scaling.MetricWanted, scaling.MetricOutstanding, scaling.MetricSurplus}

func (f *Function) publish(ctx context.Context, r *Report) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r.fail(PartPublish, f.o.Publisher.Put(ctx, r.data()))
}

// data is what is published of a look.
func (r *Report) data() []Datum {
	var data []Datum
	for _, m := range r.Metrics {
		data = append(data, Datum{Metric: m, At: r.At, Fast: slices.Contains(fast, m.Name)})
	}
	count := func(n int) scaling.Metric {
		return scaling.Metric{Name: MetricLookErrors, Value: float64(n), Unit: "Count"}
	}
	data = append(data, Datum{Metric: count(len(r.Failures)), At: r.At})
	for _, failure := range r.Failures {
		data = append(data, Datum{Metric: count(1), Part: string(failure.Part), At: r.At})
	}
	var failures int64 // of all runs: an alarm looks at one metric, not at each run's
	for _, run := range r.Runs {
		failures += run.Failures
		for _, m := range run.metrics() {
			data = append(data, Datum{Metric: m, Run: run.Run, At: r.At})
		}
	}
	if r.books {
		data = append(data, Datum{Metric: scaling.Metric{Name: MetricFailures, Value: float64(failures), Unit: "Count"}, At: r.At})
	}
	return data
}

func (f *Function) log(ctx context.Context, r *Report) {
	for _, failure := range r.Failures {
		f.o.Log.WarnContext(ctx, "part of a look failed", "part", string(failure.Part), "error", failure.Error)
	}
	if r.Applied { // Journal reads it
		was, _ := r.Metrics.Get(scaling.MetricDesired)
		f.o.Log.InfoContext(ctx, decided, "desired", r.Decision.Desired, "was", int(was), "wanted", r.Decision.Wanted, "reason", string(r.Decision.Reason))
	}
	f.o.Log.DebugContext(ctx, "looked", "decision", r.Decision.String(), "metrics", fmt.Sprint(r.Metrics), "runs", len(r.Runs))
}

// aging finds the age of the oldest message. CloudWatch has it from SQS once a minute,
// and minutes late: it is asked as often, and what it says is no older than the last
// look that saw an empty queue.
type aging struct {
	queue Queue
	asked time.Time
	age   time.Duration
	at    time.Time // zero: not measured
	empty time.Time // when the queue was last seen so
}

// stale is how old a measurement may be: SQS sends one a minute.
//
// Source: Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS".
const stale = 5 * time.Minute

func (a *aging) look(ctx context.Context, now time.Time, q *scaling.Queue) (*time.Duration, error) {
	if q != nil && q.Outstanding() == 0 {
		a.empty = now
		return new(time.Duration), nil
	}
	if now.Sub(a.asked) >= time.Minute-time.Second {
		age, at, err := a.queue.Oldest(ctx)
		if err != nil {
			return nil, err
		}
		a.asked, a.age, a.at = now, age, at
	}
	if a.at.IsZero() || now.Sub(a.at) > stale {
		return nil, nil
	}
	age := a.age
	if !a.empty.IsZero() {
		age = min(age, now.Sub(a.empty))
	}
	return &age, nil
}

// byName orders runs.
func byName(a, b RunFigures) int { return cmp.Compare(a.Run, b.Run) }
