// Package pace says when a request may go out: so many a second in all, and of
// each bucket only as many at a time as it bears. A bucket that answers that it
// is asked too much is slowed by half at once, and sped up again step by step
// (additive increase, multiplicative decrease); other buckets are not touched.
//
// Source: Amazon S3 User Guide, "Best practices design patterns: optimizing
// Amazon S3 performance"; IETF RFC 5681, "TCP Congestion Control", section 3.1.
package pace

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/time/rate"
)

// Pacer paces the requests of a process. It is safe for concurrent use.
type Pacer struct {
	all *rate.Limiter // of all requests; nil: none

	mu      sync.Mutex
	buckets map[string]*window // those with a request in flight or waiting, or that are slowed
}

// New makes a pacer for at most perSecond requests a second, evenly spaced; 0 is
// no cap.
func New(perSecond int) *Pacer {
	p := &Pacer{buckets: map[string]*window{}}
	if perSecond > 0 {
		p.all = rate.NewLimiter(rate.Limit(perSecond), 1)
	}
	return p
}

// Verdict is what an answer says of the pace.
type Verdict int

// The verdicts. Other is an answer, or none, that says nothing of the pace.
const (
	Other Verdict = iota
	Fine
	TooFast
)

// Request is one that may go out.
type Request struct {
	pacer  *Pacer
	bucket string
	before int // how often the bucket had been slowed when it went out
}

// Wait waits until a request to the bucket may go out. The error is the
// context's. Done must be called with what came of it.
func (p *Pacer) Wait(ctx context.Context, bucket string) (*Request, error) {
	before, err := p.enter(ctx, bucket)
	if err != nil {
		return nil, err
	}
	r := &Request{p, bucket, before}
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
	w := p.buckets[r.bucket]
	switch v {
	case TooFast:
		w.slow(r.before)
	case Fine:
		w.hasten()
	}
	w.flying--
	w.admit()
	p.tidy(r.bucket, w)
}

func (p *Pacer) tidy(bucket string, w *window) {
	if w.flying == 0 && len(w.queue) == 0 && w.limit == 0 {
		delete(p.buckets, bucket)
	}
}

// enter waits for a place among the bucket's requests in flight.
func (p *Pacer) enter(ctx context.Context, bucket string) (before int, err error) {
	p.mu.Lock()
	w := p.buckets[bucket]
	if w == nil {
		w = &window{}
		p.buckets[bucket] = w
	}
	in := &waiter{ready: make(chan struct{})}
	w.queue = append(w.queue, in)
	w.admit()
	p.mu.Unlock()
	select {
	case <-in.ready:
		return in.before, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w.leave(in)
	p.tidy(bucket, w)
	return 0, fmt.Errorf("wait for bucket %s, which asks for fewer requests: %w", bucket, context.Cause(ctx))
}
