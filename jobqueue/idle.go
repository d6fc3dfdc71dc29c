package jobqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Sweep looks for queues in which nothing has happened for a while.
type Sweep struct {
	Queues   Queues
	Past     Past
	Names    Names
	Patterns []string      // whole names, or beginnings of names and *
	For      time.Duration // how long nothing must have happened
	Delete   bool          // what is idle
	Unpair   bool          // a queue and its failed queue are two
	// IncludeFailed: failed queues are among those that a * finds. With their queues
	// they are looked at anyway.
	IncludeFailed bool

	failedOf map[string]string // of failed queues by another name, the queue that stays
}

// Idle is what was found out about a queue, with its failed queue where they are one.
type Idle struct {
	Queue   string `json:"queue"` // as people type it
	Failed  string `json:"failed_queue,omitempty"`
	Idle    bool   `json:"idle"`
	Why     string `json:"why,omitempty"` // it is not
	Deleted bool   `json:"deleted,omitempty"`
}

// Run looks at the queues in the order of their names, and reports each. Where one
// cannot be looked at it goes on, and returns the errors. A queue is deleted only if
// it and its failed queue are idle: the queue first, so that a crash in between leaves
// a failed queue, which the next sweep finds, and not a queue without one.
func (s *Sweep) Run(ctx context.Context, report func(Idle)) error {
	units, err := s.units(ctx)
	if err != nil {
		return err
	}
	var errs []error
	s.failedOf = map[string]string{}
	for _, u := range units {
		i, err := s.look(ctx, u)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		report(i)
	}
	return errors.Join(errs...)
}

// unit is a queue that is looked at as a whole, with its failed queue if it has one.
type unit []string

// units are what the patterns find. A failed queue without its queue, left behind, is
// one of its own.
func (s *Sweep) units(ctx context.Context) ([]unit, error) {
	var all []string
	for _, p := range s.Patterns {
		found, err := s.Queues.Find(ctx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	has := func(name string) bool { _, found := slices.BinarySearch(all, name); return found }
	named := func(name string) bool {
		return slices.ContainsFunc(s.Patterns, func(p string) bool { return !IsPattern(p) && p == name })
	}
	var units []unit
	for _, name := range all {
		switch {
		case s.Unpair && s.Names.isFailed(name) && !s.IncludeFailed && !named(name):
		case s.Unpair:
			units = append(units, unit{name})
		case s.Names.isFailed(name) && has(s.Names.Main(name)):
			// It is looked at with its queue.
		case s.Names.isFailed(name):
			// That a pattern has not found its queue says that it is not there; of a name
			// that was typed it says nothing.
			if main := s.Names.Main(name); named(name) {
				found, err := s.Queues.Find(ctx, main)
				if err != nil {
					return nil, err
				}
				units = append(units, append(found, name))
				continue
			}
			units = append(units, unit{name})
		default:
			failed := s.Names.Failed(name)
			covered := slices.ContainsFunc(s.Patterns, func(p string) bool { return Matches(p, failed) })
			if !has(failed) && !covered {
				found, err := s.Queues.Find(ctx, failed)
				if err != nil {
					return nil, err
				}
				units = append(units, append(unit{name}, found...))
				continue
			}
			if has(failed) {
				units = append(units, unit{name, failed})
				continue
			}
			units = append(units, unit{name})
		}
	}
	return units, nil
}

// look asks what costs little of all queues of a unit first, and no further than to the
// first sign of life.
func (s *Sweep) look(ctx context.Context, u unit) (Idle, error) {
	i := Idle{Queue: s.Names.Short(u[0])}
	if len(u) > 1 {
		i.Failed = s.Names.Short(u[1])
	}
	var other string // its failed queue by another name
	gone := 0
	for n := 0; n < len(u); n++ {
		name := u[n]
		state, err := s.Past.State(ctx, name)
		if n == 0 && err == nil && state.Failed != "" && !slices.Contains(u, state.Failed) && !s.Unpair {
			// It was made with another suffix, or by hand: others may use it, too.
			other = state.Failed
			if s.failedOf[other] == "" {
				s.failedOf[other] = i.Queue
			}
			u = append(slices.Clone(u), other)
		}
		switch {
		case errors.Is(err, ErrNoQueue):
			gone++
		case err != nil:
			return i, err
		case s.failedOf[name] != "" && name != other:
			i.Why = fmt.Sprintf("jobs of %s that fail go to %s", s.failedOf[name], s.Names.Short(name))
			return i, nil
		case state.Depth.Total() > 0:
			i.Why = fmt.Sprintf("%d messages in %s", state.Depth.Total(), s.Names.Short(name))
			return i, nil
		}
	}
	if gone == len(u) {
		i.Why = "it is not there any more"
		return i, nil
	}
	since := time.Now().Add(-s.For)
	for _, name := range u {
		quiet, err := s.Past.Quiet(ctx, name, since)
		switch {
		case errors.Is(err, ErrNoQueue):
		case err != nil:
			return i, err
		case !quiet:
			i.Why = fmt.Sprintf("%s was used in the last %s", s.Names.Short(name), minutes(s.For))
			return i, nil
		}
	}
	i.Idle = true
	if !s.Delete {
		return i, nil
	}
	for _, name := range u {
		if name == other {
			continue
		}
		if err := s.Past.Remove(ctx, name); err != nil && !errors.Is(err, ErrNoQueue) {
			return i, err
		}
	}
	if s.failedOf[other] == i.Queue {
		delete(s.failedOf, other)
	}
	i.Deleted = true
	return i, nil
}

func minutes(d time.Duration) string { return fmt.Sprintf("%d minutes", int(d.Minutes())) }
