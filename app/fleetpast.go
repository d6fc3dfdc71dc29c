package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ramify/ramify/metricfn"
	"github.com/ramify/ramify/web"
)

// fleetPast is what was done to a fleet's service, by all who do anything to it. It may be
// asked by many goroutines.
type fleetPast struct {
	service *metricfn.ECS
	scaler  *metricfn.AutoScaling
	journal *metricfn.Journal // nil: it is not known where the governor writes

	mu     sync.Mutex
	read   time.Time // up to when the journal was read, for who looks again and again
	latest []metricfn.Event
}

// newFleetPast is that of a fleet whose service is known.
func newFleetPast(f *fleet, service *metricfn.ECS) *fleetPast {
	p := &fleetPast{service: service, scaler: metricfn.NewAutoScaling(f.cfg, f.cluster, f.service)}
	if f.journal != "" {
		p.journal = metricfn.NewJournal(f.cfg, f.journal)
	}
	return p
}

// What is told of a fleet's past on a page.
const (
	mostEvents = 50
	lookedBack = 24 * time.Hour   // in the governor's log, which is read from the oldest on
	overlap    = 15 * time.Second // lines come to a log a little late
)

// recent are the last events, the newest first, and what could not be learned.
func (p *fleetPast) recent(ctx context.Context) ([]metricfn.Event, []web.Missing) {
	return p.ask(ctx, time.Time{}, mostEvents, p.decisions)
}

// between are all events of a time, the newest first, so many at most, and what could not
// be learned.
func (p *fleetPast) between(ctx context.Context, from, to time.Time, most int) ([]metricfn.Event, []web.Missing) {
	all, missing := p.ask(ctx, from, most, func(ctx context.Context) ([]metricfn.Event, error) {
		return p.journal.Events(ctx, from, most)
	})
	return slices.DeleteFunc(all, func(e metricfn.Event) bool { return e.At.Before(from) || e.At.After(to) }), missing
}

// ask merges what each knows. Amazon ECS was asked by the look before.
func (p *fleetPast) ask(ctx context.Context, from time.Time, most int, decisions func(context.Context) ([]metricfn.Event, error)) (all []metricfn.Event, missing []web.Missing) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var both sync.WaitGroup
	var scaled, decided []metricfn.Event
	var scaling, deciding error
	both.Go(func() { scaled, scaling = p.scaler.Events(ctx, from, most) })
	if p.journal != nil {
		both.Go(func() { decided, deciding = decisions(ctx) })
	}
	both.Wait()
	for _, part := range []struct {
		name string
		err  error
	}{{"scaling activities", scaling}, {"decisions", deciding}} {
		if part.err != nil {
			missing = append(missing, web.Missing{Part: part.name, Reason: oneLine(part.err)})
		}
	}
	all = slices.Concat(p.service.Events(most), scaled, decided)
	slices.SortStableFunc(all, func(a, b metricfn.Event) int { return b.At.Compare(a.At) })
	return all[:min(len(all), most)], missing
}

// decisions are the governor's of the last day. What was read is not read again.
func (p *fleetPast) decisions(ctx context.Context) ([]metricfn.Event, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	from := p.read
	if from.IsZero() {
		from = now.Add(-lookedBack)
	}
	more, err := p.journal.Events(ctx, from, mostEvents)
	if err != nil {
		return p.latest, err
	}
	kept := slices.DeleteFunc(slices.Clone(p.latest), func(e metricfn.Event) bool { return !e.At.Before(from) })
	p.latest = slices.Concat(more, kept)
	p.latest = p.latest[:min(len(p.latest), mostEvents)]
	p.read = now.Add(-overlap)
	return p.latest, nil
}

// toldOf are events as the page has them.
func toldOf(events []metricfn.Event) []web.Event {
	all := make([]web.Event, 0, len(events))
	for _, e := range events {
		all = append(all, web.Event{At: e.At.UTC(), By: string(e.By), Message: e.Message})
	}
	return all
}
