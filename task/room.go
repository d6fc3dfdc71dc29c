package task

import (
	"context"
	"sync"
)

// room is how many messages may be held: in slots, waiting for one, or asked for.
// One receiver takes of it at a time.
type room struct {
	mu       sync.Mutex
	capacity int
	taken    int
	batch    int           // what one receive can bring
	waiting  bool          // somebody waits for as much
	changed  chan struct{} // one element: look again
}

func newRoom(capacity, batch int) *room {
	return &room{capacity: capacity, batch: batch, changed: make(chan struct{}, 1)}
}

// take waits until a whole batch may be received, since a request costs the same
// whatever it brings; until any message may, where starving says that slots stand
// idle. It returns how many.
func (r *room) take(ctx context.Context, starving func() bool) (int, error) {
	for {
		r.mu.Lock()
		free := r.capacity - r.taken
		if free >= r.batch || free > 0 && starving() {
			n := min(free, r.batch)
			r.taken += n
			r.waiting = false
			r.mu.Unlock()
			return n, nil
		}
		r.waiting = true
		r.mu.Unlock()
		select {
		case <-r.changed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// release gives back room for n messages; starving: so that less than a batch is
// of use.
func (r *room) release(n int, starving bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken -= n
	if r.waiting && (starving || r.capacity-r.taken >= r.batch) {
		r.look()
	}
}

// resize changes the capacity.
func (r *room) resize(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.capacity != n {
		r.capacity = n
		r.look()
	}
}

// wake has whoever waits look again: slots stand idle.
func (r *room) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting {
		r.look()
	}
}

func (r *room) look() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}
