package jobqueue

import (
	"context"
	"errors"
	"slices"
	"time"
)

// roll is the queues that are listened to. What queues there are, and in which anything
// is, is asked once a round, and no more often than a round of one queue takes.
type roll struct {
	w      *Worker
	found  []string // by the patterns
	queues []string // that are listened to, in this order
	asked  time.Time
	looks  map[string]look
	stale  bool // something has happened since all was asked
	told   bool // that queues are listened to
	warned []string
}

// look is what is known of whether anything is in a queue.
type look struct {
	active bool
	at     time.Time
}

// forget has all be asked anew.
func (r *roll) forget() { r.asked, r.looks = time.Time{}, nil }

// remembered is for how long what was asked holds.
func (r *roll) remembered() time.Duration {
	if r.w.c.Free {
		return 0
	}
	return max(r.w.c.Wait, blink)
}

// heard takes note of what a receive has brought: where something was there is likely
// more, which need not be asked; where nothing was, who knows.
func (r *roll) heard(name string, n int) {
	if n == 0 {
		delete(r.looks, name)
		return
	}
	r.stale = true
	if r.looks != nil {
		r.looks[name] = look{true, time.Now()}
	}
}

// more asks, where a round has brought nothing, what was not asked since something
// happened, and reports whether there may be more.
func (r *roll) more(ctx context.Context) (bool, error) {
	if !r.stale {
		return false, nil
	}
	before := r.queues
	r.forget()
	if err := r.call(ctx); err != nil {
		return false, err
	}
	return r.w.c.ActiveOnly && len(r.queues) > 0 || !slices.Equal(r.queues, before), nil
}

// call finds the queues.
func (r *roll) call(ctx context.Context) error {
	c := &r.w.c
	first := r.asked.IsZero()
	if len(r.found) == 0 || time.Since(r.asked) >= r.remembered() {
		if err := r.find(ctx); err != nil {
			return err
		}
		r.stale = r.stale && !first
	}
	queues := r.found
	if c.ActiveOnly {
		queues = slices.DeleteFunc(slices.Clone(queues), func(name string) bool { return !r.active(ctx, name) })
	}
	if !slices.Equal(queues, r.queues) || !r.told {
		short := make([]string, len(queues))
		for i, q := range queues {
			short[i] = c.Names.Short(q)
		}
		c.Report(Event{Event: Queued, Queues: short})
	}
	r.queues, r.told = queues, true
	return nil
}

// find asks which queues there are.
func (r *roll) find(ctx context.Context) error {
	c := &r.w.c
	var queues []string
	for _, p := range c.Patterns {
		found, err := c.Queues.Find(ctx, p)
		if err != nil {
			return err
		}
		if len(found) == 0 && !IsPattern(p) && !slices.Contains(r.warned, p) {
			r.warned = append(r.warned, p)
			c.Log.Warn("there is no such queue; it is listened to when there is", "queue", p)
		}
		for _, name := range found {
			if IsPattern(p) && (!c.IncludeFailed && c.Names.isFailed(name) || !c.Names.listens(name)) || slices.Contains(queues, name) {
				continue
			}
			queues = append(queues, name)
		}
	}
	r.found, r.asked = queues, time.Now()
	return nil
}

// active reports whether anything is in a queue, or nobody can say.
func (r *roll) active(ctx context.Context, name string) bool {
	c := &r.w.c
	if l, known := r.looks[name]; known && time.Since(l.at) < r.remembered() {
		return l.active
	}
	at := time.Now()
	d, err := c.Queues.Depth(ctx, name)
	switch {
	case errors.Is(err, ErrNoQueue):
		return false
	case err != nil:
		c.Log.Warn("queue not looked into", "queue", name, "error", err)
		return true
	}
	if r.looks == nil {
		r.looks = map[string]look{}
	}
	r.looks[name] = look{d.Total() > 0, at}
	return d.Total() > 0
}
