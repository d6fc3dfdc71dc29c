package app

import (
	"context"
	"sync"
	"time"

	"github.com/ramify/ramify/queue"
)

// seldom is a queue that is asked for messages no more than so often while it has
// none: receives that bring nothing are charged, too. The first that brings
// something lets all others go at once.
type seldom struct {
	queue.Queue
	every time.Duration // between two receives while there is nothing

	mu   sync.Mutex
	idle chan struct{} // closed when there is something; nil: there is
	next time.Time     // of the next receive
}

var _ queue.Queue = (*seldom)(nil)

// newSeldom asks at most so many times a minute.
func newSeldom(q queue.Queue, perMinute int) *seldom {
	return &seldom{Queue: q, every: time.Minute / time.Duration(perMinute)}
}

// Receive waits for its turn, if the queue was empty, and asks.
func (s *seldom) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	got, err := s.Queue.Receive(ctx, r)
	if err == nil {
		s.note(len(got) > 0)
	}
	return got, err
}

func (s *seldom) wait(ctx context.Context) error {
	s.mu.Lock()
	idle, at := s.idle, s.next
	if idle == nil {
		s.mu.Unlock()
		return nil
	}
	now := time.Now()
	if at.Before(now) {
		at = now
	}
	s.next = at.Add(s.every)
	s.mu.Unlock()
	turn := time.NewTimer(at.Sub(now))
	defer turn.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-idle:
	case <-turn.C:
	}
	return nil
}

func (s *seldom) note(some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case some && s.idle != nil:
		close(s.idle)
		s.idle, s.next = nil, time.Time{}
	case !some && s.idle == nil:
		s.idle, s.next = make(chan struct{}), time.Now().Add(s.every)
	}
}
