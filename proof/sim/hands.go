package sim

import (
	"time"

	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/queue"
)

// hands are what a worker has in them: how many messages it holds, and requests it has
// under way. When that is more than ever before the history says so.
type hands struct {
	held  map[queue.Receipt]time.Time // since when, or since its last extension
	calls int
	most  history.Event
}

// visibility is that of the workers' messages: a message that was not extended for so
// long is nobody's.
const visibility = 30 * time.Second

// call counts a request until the function it returns is called.
func (g *gate) call() (ended func()) {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.hands.calls++
	g.look()
	return func() {
		g.w.mu.Lock()
		g.hands.calls--
		g.w.mu.Unlock()
	}
}

// take notes messages that the worker holds from now on, or still does.
func (g *gate) take(receipts ...queue.Receipt) {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	if g.hands.held == nil {
		g.hands.held = map[queue.Receipt]time.Time{}
	}
	for _, r := range receipts {
		g.hands.held[r] = time.Now()
	}
	g.look()
}

// put notes messages that the worker lets go.
func (g *gate) put(receipts ...queue.Receipt) {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	for _, r := range receipts {
		delete(g.hands.held, r)
	}
}

// look is called with w.mu held.
func (g *gate) look() {
	h := &g.hands
	if len(h.held) <= h.most.Held && h.calls <= h.most.Calls {
		return
	}
	for r, since := range h.held {
		if time.Since(since) > g.w.pace(visibility) {
			delete(h.held, r)
		}
	}
	if len(h.held) <= h.most.Held && h.calls <= h.most.Calls {
		return
	}
	h.most = history.Event{
		Worker: g.worker, What: history.Hold,
		Held: max(len(h.held), h.most.Held), Calls: max(h.calls, h.most.Calls),
	}
	g.w.log.Add(h.most)
}
