package pace

import "time"

// window is how many requests to a dependency may be in flight. Not slowed, it has
// no limit.
type window struct {
	flying int
	queue  []*waiter // the longest waiting first

	limit  float64 // 0: none
	peak   float64 // how many were in flight when it was slowed first
	slowed int     // how often
	began  time.Time
}

type waiter struct {
	ready  chan struct{} // closed when it may go
	going  bool
	before int // how often the window had been slowed then
}

// allowed is the limit in whole requests.
func (w *window) allowed() int { return max(1, int(w.limit)) }

// open reports whether one more may be in flight.
func (w *window) open() bool { return w.limit == 0 || w.flying < w.allowed() }

// admit lets go who may go.
func (w *window) admit() {
	for len(w.queue) > 0 && w.open() {
		next := w.queue[0]
		w.queue = w.queue[1:]
		w.flying++
		next.going, next.before = true, w.slowed
		close(next.ready)
	}
}

// leave takes out who does not wait any more, or gives its place to the next.
func (w *window) leave(in *waiter) {
	if in.going {
		w.flying--
		w.admit()
		return
	}
	for i, other := range w.queue {
		if other == in {
			w.queue = append(w.queue[:i], w.queue[i+1:]...)
			return
		}
	}
}

// slow halves what may be in flight, once for all that were so at the same time.
func (w *window) slow(before int) {
	if before < w.slowed {
		return // it went out at the pace that was given up already
	}
	w.slowed++
	if w.limit == 0 {
		w.peak = float64(w.flying)
		w.limit = w.peak
	}
	w.limit = max(1, min(w.limit, float64(w.flying))/2)
}

// hasten lets one more in flight for each round of requests in a full window,
// and ends the limit when it has not held anything up at the pace at which it
// was slowed first, or at twice that.
func (w *window) hasten() {
	switch {
	case w.limit == 0:
	case w.flying >= int(w.limit):
		if w.limit += 1 / w.limit; w.limit > 2*w.peak {
			w.limit = 0
		}
	case w.limit > w.peak:
		w.limit = 0
	}
}
