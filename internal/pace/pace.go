// Package pace says when a request may go out: so many a second in all, and to
// each dependency - a bucket, an action of a queue, the writes of a table - only as
// many at a time as it bears. One that answers that it is asked too much is slowed
// by half at once, and sped up again step by step (additive increase,
// multiplicative decrease); others are not touched.
//
// Source: Amazon S3 User Guide, "Best practices design patterns: optimizing
// Amazon S3 performance"; IETF RFC 5681, "TCP Congestion Control", section 3.1.
package pace

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Pacer paces the requests of a process. It is safe for concurrent use.
type Pacer struct {
	all *rate.Limiter // of all requests; nil: none

	mu      sync.Mutex
	windows map[string]*window // of dependencies with a request in flight or waiting, or that are slowed
	turned  func(Turn)         // nil: nobody wants to know
}

// Turn is that a dependency begins to be slowed, or ends to be.
type Turn struct {
	To     string        // the dependency
	Slowed bool          // it begins
	Limit  int           // requests at a time, where it begins
	Lasted time.Duration // how long it was slowed, where it ends
}

// New makes a pacer for at most perSecond requests a second, evenly spaced; 0 is
// no cap.
func New(perSecond int) *Pacer {
	p := &Pacer{windows: map[string]*window{}}
	if perSecond > 0 {
		p.all = rate.NewLimiter(rate.Limit(perSecond), 1)
	}
	return p
}

// OnTurn has f called when a dependency begins or ends to be slowed, in the order
// in which that happens. It must return at once, and not call the pacer.
func (p *Pacer) OnTurn(f func(Turn)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turned = f
}

// Slowed is how many requests at a time each dependency is allowed that is slowed
// now; nil if none is.
func (p *Pacer) Slowed() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var slowed map[string]int
	for to, w := range p.windows {
		if w.limit > 0 {
			if slowed == nil {
				slowed = map[string]int{}
			}
			slowed[to] = w.allowed()
		}
	}
	return slowed
}

// Verdict is what an answer says of the pace.
type Verdict int

// The verdicts. Other is an answer, or none, that says nothing of the pace.
const (
	Other Verdict = iota
	Fine
	TooFast
)

// Judge is what the error of an answer says of the pace; throttles reports whether
// one asks for fewer requests. What else goes wrong says nothing: it may not have
// reached the dependency.
func Judge(err error, throttles func(error) bool) Verdict {
	switch {
	case err == nil:
		return Fine
	case throttles(err):
		return TooFast
	}
	return Other
}

// Request is one that may go out.
type Request struct {
	pacer  *Pacer
	to     string
	before int // how often the dependency had been slowed when it went out
}

// Wait waits until a request to the dependency may go out. The error is the
// context's. Done must be called with what came of it.
func (p *Pacer) Wait(ctx context.Context, to string) (*Request, error) {
	before, err := p.enter(ctx, to)
	if err != nil {
		return nil, err
	}
	r := &Request{p, to, before}
	if p.all != nil {
		if err := p.all.Wait(ctx); err != nil {
			r.Done(Other)
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return nil, fmt.Errorf("wait for the cap of requests: %w", err)
		}
	}
	return r, nil
}

// Sent counts n requests against the cap that went out without waiting: they
// hold up the next ones.
func (p *Pacer) Sent(n int64) {
	for ; p.all != nil && n > 0; n-- {
		p.all.Reserve()
	}
}

// Done says what came of a request, once.
func (r *Request) Done(v Verdict) {
	p := r.pacer
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.windows[r.to]
	was := w.limit > 0
	switch v {
	case TooFast:
		w.slow(r.before)
	case Fine:
		w.hasten()
	}
	if is := w.limit > 0; is != was {
		p.turn(r.to, w, is)
	}
	w.flying--
	w.admit()
	p.tidy(r.to, w)
}

// turn tells of one; p.mu is held.
func (p *Pacer) turn(to string, w *window, slowed bool) {
	t := Turn{To: to, Slowed: slowed}
	if slowed {
		w.began, t.Limit = time.Now(), w.allowed()
	} else {
		t.Lasted = time.Since(w.began)
	}
	if p.turned != nil {
		p.turned(t)
	}
}

func (p *Pacer) tidy(to string, w *window) {
	if w.flying == 0 && len(w.queue) == 0 && w.limit == 0 {
		delete(p.windows, to)
	}
}

// enter waits for a place among the requests to a dependency in flight.
func (p *Pacer) enter(ctx context.Context, to string) (before int, err error) {
	if ctx.Err() != nil {
		return 0, fmt.Errorf("wait for %s: %w", to, context.Cause(ctx))
	}
	p.mu.Lock()
	w := p.windows[to]
	if w == nil {
		w = &window{}
		p.windows[to] = w
	}
	if len(w.queue) == 0 && w.open() { // as almost always
		w.flying++
		before = w.slowed
		p.mu.Unlock()
		return before, nil
	}
	in := &waiter{ready: make(chan struct{})}
	w.queue = append(w.queue, in)
	p.mu.Unlock()
	select {
	case <-in.ready:
		return in.before, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w.leave(in)
	p.tidy(to, w)
	return 0, fmt.Errorf("wait for %s, which is asked too much: %w", to, context.Cause(ctx))
}
