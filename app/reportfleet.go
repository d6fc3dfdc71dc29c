package app

import (
	"context"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/report"
	"github.com/ramify/ramify/web"
)

// Of a fleet, in a report.
const (
	reportedEvents = 1000
	afterwards     = 5 * time.Minute // a fleet is scaled in once a run is over
)

// report is what is known of the fleet while a run went on; v is the run as it is seen.
// What cannot be learned is no error: a report says so.
func (s *shore) report(ctx context.Context, r ledger.Run, v *web.View) *report.Fleet {
	if v.Fleet == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f := &report.Fleet{Target: v.Fleet.Target, Min: v.Fleet.Min, Max: v.Fleet.Max, Tasks: report.TaskHistory{}, Events: []report.Event{}}
	for _, m := range v.Fleet.Missing {
		if m.Part == string(metricfn.PartService) || m.Part == string(metricfn.PartLedger) {
			f.Missing = append(f.Missing, report.Missing(m))
		}
	}
	until := v.Finished
	if until.IsZero() {
		until = time.Now()
	}
	if past := s.watch.past; past != nil {
		events, missing := past.between(ctx, r.Created, until.Add(afterwards), reportedEvents)
		for _, e := range toldOf(events) {
			f.Events = append(f.Events, report.Event(e))
		}
		for _, m := range missing {
			f.Missing = append(f.Missing, report.Missing(m))
		}
	}
	if s.fleet.Stack == "" { // nobody knows by which name metrics are published
		return f
	}
	tasks, err := metricfn.NewCloudWatch(s.fleet.cfg, s.fleet.Stack).Tasks(ctx, r.Created, until)
	if err != nil {
		f.Missing = append(f.Missing, report.Missing{Part: "tasks", Reason: oneLine(err)})
	}
	for _, t := range tasks {
		// The first minute may have begun before the run.
		from, to := t.At, t.At.Add(t.For)
		if from.Before(r.Created) {
			from = r.Created
		}
		if to.After(until) {
			to = until
		}
		if !to.After(from) {
			continue
		}
		f.Hours += t.Running * to.Sub(from).Hours()
		f.Tasks = append(f.Tasks, report.TaskPoint{
			Seconds: from.Sub(r.Created).Seconds(), For: to.Sub(from).Seconds(), Running: t.Running, Desired: t.Desired, Most: t.Most,
		})
	}
	return f
}
