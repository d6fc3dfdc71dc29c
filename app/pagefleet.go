package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/scaling"
	"github.com/ramify/ramify/sink/s3"
	"github.com/ramify/ramify/totals"
	"github.com/ramify/ramify/web"
)

// shore is the runs of a fleet as the page sees them.
type shore struct {
	fleet  *fleet
	flags  *startFlags
	g      *cli
	prices metricfn.Prices
	watch  *fleetWatch // nil: it is not known which queue is the fleet's
}

var _ web.Runs = (*shore)(nil)

// openShore opens a fleet to look at its runs, and to steer them by the ledger.
// Close it in the end.
func openShore(ctx context.Context, g *cli, c *startFlags, p *priceFlags) (*shore, error) {
	f, err := c.openRecords(ctx)
	if err != nil {
		return nil, err
	}
	s := &shore{fleet: f, flags: c, g: g}
	if err := s.readFleet(p); err != nil {
		f.close()
		return nil, err
	}
	return s, nil
}

// readFleet reads how the fleet is made: what the stack says, where nobody says otherwise.
func (s *shore) readFleet(p *priceFlags) (err error) {
	f := s.fleet
	if s.prices, err = p.prices(f); err != nil || f.Queue == "" {
		return err
	}
	if err := f.checkQueue(); err != nil {
		return err
	}
	knobs, err := metricfn.ReadKnobs(func(v string) string { return f.knob(flagOf(v), os.Getenv(v)) })
	if err != nil {
		return f.badKnob(err)
	}
	s.watch = newFleetWatch(f, s.prices, knobs)
	return nil
}

func (s *shore) close() { s.fleet.close() }

// mostLive are the live runs of a list whose workers are asked for: of the others it
// says what their records do.
const mostLive = 50

// List implements web.Runs.
func (s *shore) List(ctx context.Context) ([]console.Snapshot, error) {
	runs, err := s.fleet.records.Runs(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]console.Snapshot, 0, len(runs))
	live := 0
	for _, r := range runs {
		var workers []ledger.Worker
		if r.State != ledger.Finished && r.State != ledger.Failed && live < mostLive {
			live++
			if workers, err = s.fleet.records.Workers(ctx, r.ID); err != nil {
				return nil, err
			}
		}
		all = append(all, console.Take(r, workers, time.Now()))
	}
	return all, nil
}

// Open implements web.Runs.
func (s *shore) Open(ctx context.Context, run string) (web.Run, error) {
	r, err := s.fleet.records.Run(ctx, run)
	if errors.Is(err, ledger.ErrNoRun) {
		return nil, fmt.Errorf("%w: %w", web.ErrUnknown, err)
	}
	if err != nil {
		return nil, err
	}
	return s.watched(r), nil
}

// watched is a run as it is seen. Closing it leaves the fleet open, at which others look.
func (s *shore) watched(r ledger.Run) *watched {
	k := s.fleet.kept()
	k.close = func() {} // the fleet is looked at by others, too
	w := &watched{kept: k, source: k.source(r.ID), run: r.ID, redrawn: redrawnOnFleet}
	w.goOn = func(ctx context.Context, redrive bool) error { return s.goOn(ctx, r.ID, redrive) }
	var cost costing
	w.look = func(ctx context.Context, v *web.View) error { return s.look(ctx, v, &cost) }
	w.fleet = s.report
	w.prefixes = s.prefixTree(r)
	return w
}

// redrawnOnFleet is how often the sketches of a fleet's workers are read: each is
// drawn every half minute, and costs a request's part.
const redrawnOnFleet = 10 * time.Second

// goOn lets a run go on, or redrives it, as the commands of these names do.
func (s *shore) goOn(ctx context.Context, run string, redrive bool) error {
	quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = quiet.Close() }()
	std := streams{out: quiet, err: quiet}
	on := onFlags{Name: run, jobsFlags: s.flags.jobsFlags, fleetFlags: s.fleet.fleetFlags}
	if redrive {
		return on.redriveFleet(ctx, std)
	}
	return (&resumeCmd{onFlags: on}).resumeFleet(ctx, std, 0)
}

// look adds to a view what is known of the fleet, and of what the run has cost.
func (s *shore) look(ctx context.Context, v *web.View, c *costing) error {
	cost, err := c.of(ctx, s, v)
	if err != nil {
		return err
	}
	if s.watch != nil {
		seen := s.watch.see(ctx)
		v.Fleet = seen.fleet
		// Tasks may work on several runs, among which the look divides them.
		if shared, known := seen.costs[v.Run]; known && len(seen.costs) > 1 {
			cost = shared
		}
		if v.Fleet != nil && !seen.counted {
			v.Fleet.Running = v.Workers // nobody knows of more than those that report
		}
	}
	v.Cost = costOf(cost, &v.Snapshot)
	return nil
}

// costing is what a run has cost when that was last worked out: every ten seconds, since
// the counters of all tasks are read for it.
type costing struct {
	mu    sync.Mutex
	cost  float64
	state console.State
	at    time.Time
}

func (c *costing) of(ctx context.Context, s *shore, v *web.View) (float64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == v.State && time.Since(c.at) < scaling.Every {
		return c.cost, nil
	}
	workers, err := s.fleet.records.Workers(ctx, v.Run)
	if err != nil {
		return 0, err
	}
	r, err := s.fleet.records.Run(ctx, v.Run)
	if err != nil {
		return 0, err
	}
	c.cost, c.state, c.at = s.prices.Split([]ledger.Run{r}, [][]ledger.Worker{workers})[0], v.State, time.Now()
	return c.cost, nil
}

// costOf is what a run has cost, and will have at its end if the rest costs as much as
// what is done.
func costOf(soFar float64, s *console.Snapshot) *web.Cost {
	c := &web.Cost{SoFar: soFar}
	switch {
	case s.State.Over():
		c.Total = soFar
	case s.Fraction >= 0.01:
		c.Total = soFar / s.Fraction
	}
	return c
}

// fleetWatch looks at a fleet as metricfn does, and publishes nothing.
type fleetWatch struct {
	past  *fleetPast // nil: the service is not known
	knobs scaling.Knobs
	bound bool // it is known between what numbers of tasks the fleet is scaled

	mu   sync.Mutex
	fn   *metricfn.Function
	last fleetSeen
	at   time.Time
}

// fleetSeen is what a look has seen.
type fleetSeen struct {
	fleet   *web.Fleet
	costs   map[string]float64 // of live runs
	counted bool               // the service said how many tasks there are
}

// nowhere takes metrics and publishes none.
type nowhere struct{}

// Put implements metricfn.Publisher.
func (nowhere) Put(context.Context, []metricfn.Datum) error { return nil }

// uncounted is a service that is not known.
type uncounted struct{}

var errUncounted = errors.New("it is not known which service works: name it by --stack")

// Counts implements metricfn.Service.
func (uncounted) Counts(context.Context) (scaling.Service, error) {
	return scaling.Service{}, errUncounted
}

// SetDesired implements metricfn.Service.
func (uncounted) SetDesired(context.Context, int) error { return errUncounted }

func newFleetWatch(f *fleet, prices metricfn.Prices, knobs scaling.Knobs) *fleetWatch {
	w := &fleetWatch{knobs: knobs, bound: f.knobs["max"] != ""}
	o := metricfn.Options{
		Fleet: f.Stack, Knobs: w.knobs, Queue: metricfn.NewSQS(f.cfg, f.Queue), Service: uncounted{},
		Ledger: f.records, Publisher: nowhere{}, Prices: prices,
	}
	if f.service != "" && f.cluster != "" {
		service := metricfn.NewECS(f.cfg, f.cluster, f.service)
		w.past = newFleetPast(f, service)
		o.Service = service
	}
	w.fn = metricfn.New(o)
	return w
}

// see is the last look, or another where that is due.
func (w *fleetWatch) see(ctx context.Context) fleetSeen {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.at) < scaling.Every {
		return w.last
	}
	r := w.fn.Look(context.WithoutCancel(ctx)) // it is short, and half a look is none
	w.at = time.Now()
	get := func(name string) float64 {
		v, _ := r.Metrics.Get(name)
		return v
	}
	maybe := func(name string) *float64 {
		v, known := r.Metrics.Get(name)
		if !known {
			return nil
		}
		return &v
	}
	target := w.knobs.Acceptable.Seconds()
	seen := fleetSeen{costs: map[string]float64{}, fleet: &web.Fleet{
		Running: int(get(scaling.MetricRunning)), Pending: int(get(scaling.MetricPending)), Desired: int(get(scaling.MetricDesired)),
		Unread: int64(get(scaling.MetricUnread)), InFlight: int64(get(scaling.MetricInFlight)), Delayed: int64(get(scaling.MetricDelayed)),
		BacklogPerTask: maybe(scaling.MetricBacklogPerTask), BacklogSeconds: maybe(scaling.MetricBacklogSeconds),
		Target: &target, Oldest: maybe(scaling.MetricOldestAge), Events: []web.Event{},
	}}
	_, seen.counted = r.Metrics.Get(scaling.MetricRunning)
	for _, run := range r.Runs {
		seen.costs[run.Run] = run.Cost
	}
	for _, f := range r.Failures {
		if !errors.Is(f.Error, errUncounted) {
			seen.fleet.Missing = append(seen.fleet.Missing, web.Missing{Part: string(f.Part), Reason: oneLine(f.Error)})
		}
	}
	if w.bound {
		seen.fleet.Min, seen.fleet.Max = &w.knobs.Min, &w.knobs.Max
	}
	if w.past != nil {
		events, missing := w.past.recent(context.WithoutCancel(ctx))
		seen.fleet.Events = toldOf(events)
		seen.fleet.Missing = append(seen.fleet.Missing, missing...)
	}
	w.last = seen
	return seen
}

// prefixTree is that of a run of the fleet, whose results are in a bucket: else nobody
// keeps any.
func (s *shore) prefixTree(r ledger.Run) *prefixTree {
	if !findsObjects(r.Root.Kind) || kindOfOut(r.Options.Out) != outBucket {
		return &prefixTree{}
	}
	return bucketTree(s.fleet.cfg, s.fleet.records, r)
}

// bucketTree is what is committed of a run into a bucket. Reading it costs requests: it
// is read again after half a minute at the earliest.
func bucketTree(cfg aws.Config, l ledger.Ledger, r ledger.Run) *prefixTree {
	depth, err := totals.ParseDepth(depthOf(r))
	if err != nil {
		depth = listing.DefaultDepth
	}
	blocks, err := s3.Follow(cfg, r.Options.Out, r.ID)
	if err != nil {
		return &prefixTree{}
	}
	return &prefixTree{depth: depth, ledger: l, blocks: blocks, rest: 30 * time.Second, final: true}
}
