package metricfn_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/scaling"
)

// fleet is a fleet in memory: what a look reads and writes, with faults.
type fleet struct {
	mu      sync.Mutex
	queue   scaling.Queue
	service scaling.Service
	runs    map[string]ledger.Run
	workers map[string]map[string]ledger.Worker
	age     time.Duration
	aged    time.Time // zero: CloudWatch has nothing
	leases  map[string]ledger.Lease

	broken  map[string]error // by call: the answer
	calls   map[string]int
	updates []int
	puts    [][]metricfn.Datum
}

func newFleet() *fleet {
	return &fleet{
		runs: map[string]ledger.Run{}, workers: map[string]map[string]ledger.Worker{}, leases: map[string]ledger.Lease{},
		broken: map[string]error{}, calls: map[string]int{},
	}
}

var errAway = errors.New("away")

// call counts a call and says whether it is answered.
func (f *fleet) call(name string) error {
	f.calls[name]++
	return f.broken[name]
}

func (f *fleet) locked() func() { f.mu.Lock(); return f.mu.Unlock }

func (f *fleet) Depth(context.Context) (scaling.Queue, error) {
	defer f.locked()()
	return f.queue, f.call("Depth")
}

func (f *fleet) Oldest(context.Context) (time.Duration, time.Time, error) {
	defer f.locked()()
	return f.age, f.aged, f.call("Oldest")
}

func (f *fleet) Counts(context.Context) (scaling.Service, error) {
	defer f.locked()()
	return f.service, f.call("Counts")
}

func (f *fleet) SetDesired(_ context.Context, n int) error {
	defer f.locked()()
	if err := f.call("SetDesired"); err != nil {
		return err
	}
	f.updates = append(f.updates, n)
	f.service.Desired, f.service.Running, f.service.Pending = n, n, 0
	return nil
}

func (f *fleet) Put(_ context.Context, data []metricfn.Datum) error {
	defer f.locked()()
	if err := f.call("Put"); err != nil {
		return err
	}
	f.puts = append(f.puts, data)
	return nil
}

func (f *fleet) Runs(context.Context) ([]ledger.Run, error) {
	defer f.locked()()
	all := slices.Collect(maps.Values(f.runs))
	slices.SortFunc(all, func(a, b ledger.Run) int { return b.Created.Compare(a.Created) })
	return all, f.call("Runs")
}

func (f *fleet) Run(_ context.Context, name string) (ledger.Run, error) {
	defer f.locked()()
	r, there := f.runs[name]
	if err := f.call("Run"); err != nil || !there {
		return ledger.Run{}, errors.Join(err, ledger.ErrNoRun)
	}
	return r, nil
}

func (f *fleet) Workers(_ context.Context, run string) ([]ledger.Worker, error) {
	defer f.locked()()
	if err := f.call("Workers"); err != nil {
		return nil, err
	}
	return slices.Collect(maps.Values(f.workers[run])), nil
}

func (f *fleet) Lease(_ context.Context, want ledger.Lease) (ledger.Lease, error) {
	defer f.locked()()
	if err := f.call("Lease"); err != nil {
		return ledger.Lease{}, err
	}
	if l, is := f.leases[want.Name]; is && l.Owner != want.Owner && l.Until.After(want.From) {
		return l, nil
	}
	f.leases[want.Name] = want
	return want, nil
}

func (f *fleet) Release(_ context.Context, name, owner string) error {
	defer f.locked()()
	if f.leases[name].Owner == owner {
		delete(f.leases, name)
	}
	return nil
}

// run has a run in the ledger.
func (f *fleet) run(name string, created time.Time, change ...func(*ledger.Run)) {
	r := ledger.Run{ID: name, State: ledger.Running, Created: created}
	if old, there := f.runs[name]; there {
		r = old
	}
	for _, c := range change {
		c(&r)
	}
	f.runs[name] = r
}

// report has a worker report on a run.
func (f *fleet) report(run, id string, w ledger.Worker) {
	if f.workers[run] == nil {
		f.workers[run] = map[string]ledger.Worker{}
	}
	w.Run, w.ID, w.At = run, id, time.Now()
	f.workers[run][id] = w
}

// published is the last value of a metric, by name, or run/name, or name@part.
func (f *fleet) published(t *testing.T) map[string]float64 {
	t.Helper()
	require.NotEmpty(t, f.puts)
	all := map[string]float64{}
	for _, d := range f.puts[len(f.puts)-1] {
		name := d.Name
		if d.Run != "" {
			name = d.Run + "/" + name
		}
		if d.Part != "" {
			name += "@" + d.Part
		}
		require.NotContains(t, all, name, "published twice")
		all[name] = d.Value
	}
	return all
}

// function looks at the fleet, as one of several where it has another name.
func (f *fleet) function(change ...func(*metricfn.Options)) *metricfn.Function {
	o := metricfn.Options{
		Fleet: "test", Knobs: scaling.Defaults(), Govern: true, Owner: fmt.Sprintf("owner-%d", f.calls["function"]),
		Queue: f, Service: f, Ledger: f, Leases: f, Publisher: f,
		Prices: metricfn.Prices{TaskHour: 3.6, Message: 0.001, Requests: map[string]float64{"list": 0.01}},
	}
	f.calls["function"]++
	for _, c := range change {
		c(&o)
	}
	return metricfn.New(o)
}
