package task

import (
	"context"
	"sync"
)

// slots is how many things a task does at a time. A unit holds one and may
// borrow idle ones; units that wait come first. The capacity may change at any
// time: a smaller one takes effect as slots are returned.
type slots struct {
	mu       sync.Mutex
	capacity int
	taken    int
	waiting  []chan struct{} // in order; closed when the slot is theirs
}

func newSlots(n int) *slots { return &slots{capacity: n} }

// acquire waits for a slot.
func (s *slots) acquire(ctx context.Context) error {
	s.mu.Lock()
	if s.taken < s.capacity && len(s.waiting) == 0 {
		s.taken++
		s.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	s.waiting = append(s.waiting, turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, w := range s.waiting {
			if w == turn {
				s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
				return context.Cause(ctx)
			}
		}
		// The slot came at the same moment: hand it on.
		s.taken--
		s.wake()
		return context.Cause(ctx)
	}
}

// borrow takes an idle slot without waiting.
func (s *slots) borrow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.capacity || len(s.waiting) > 0 {
		return false
	}
	s.taken++
	return true
}

// release gives a slot back.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	s.wake()
}

// resize changes the capacity; n is at least 1.
func (s *slots) resize(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capacity = n
	s.wake()
}

func (s *slots) wake() {
	for len(s.waiting) > 0 && s.taken < s.capacity {
		s.taken++
		close(s.waiting[0])
		s.waiting = s.waiting[1:]
	}
}

// wanted reports whether a borrowed slot should be returned.
func (s *slots) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0 || s.taken > s.capacity
}

// use is the slots taken and there are.
func (s *slots) use() (taken, capacity int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken, s.capacity
}

// loan is a borrowed slot.
type loan struct {
	slots    *slots
	returned func()
	once     sync.Once
}

func (l *loan) Wanted() bool { return l.slots.wanted() }
func (l *loan) Return() {
	l.once.Do(func() {
		l.slots.release()
		if l.returned != nil {
			l.returned()
		}
	})
}
