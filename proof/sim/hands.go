package sim

import "github.com/ramify/ramify/proof/history"

// hands are what a worker has in them. When that is more than ever before, the history
// says so.
type hands struct {
	asked int // messages that receives which are under way may bring
	open  int // messages that were received and whose work has not ended, or fewer
	calls calls
	most  history.Event

	stopping bool // what is put back is not seen at once
}

// calls are requests under way.
type calls struct{ receives, deletes, others int }

// call counts a request until the function it returns is called.
func (g *gate) call(count func(*calls) *int) (ended func()) {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	n := count(&g.hands.calls)
	*n++
	g.look()
	return func() {
		g.w.mu.Lock()
		*n--
		g.w.mu.Unlock()
	}
}

func receiving(c *calls) *int { return &c.receives }
func deleting(c *calls) *int  { return &c.deletes }
func another(c *calls) *int   { return &c.others }

// ask notes that a receive may bring so many messages until the function that it returns
// is told how many it has brought.
func (g *gate) ask(n int) (answered func(got int)) {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.hands.asked += n
	g.look()
	return func(got int) {
		g.w.mu.Lock()
		defer g.w.mu.Unlock()
		g.hands.asked -= n
		g.hands.open += got
	}
}

// worked notes that the work for a message has ended. It may be told too often, as of a
// message of the dead-letter queue, and not too seldom: what is open is never more than
// the worker has.
func (g *gate) worked() {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.hands.open = max(g.hands.open-1, 0)
}

// stops notes that the worker gives back what it has not begun.
func (g *gate) stops() {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.hands.stopping = true
}

// look is called with w.mu held.
func (g *gate) look() {
	h, m := &g.hands, &g.hands.most
	held := h.asked + h.open
	if h.stopping {
		held = 0
	}
	if held <= m.Held && h.calls.receives <= m.Receives && h.calls.deletes <= m.Deletes && h.calls.others <= m.Calls {
		return
	}
	*m = history.Event{
		Worker: g.worker, What: history.Hold, Held: max(held, m.Held),
		Receives: max(h.calls.receives, m.Receives), Deletes: max(h.calls.deletes, m.Deletes), Calls: max(h.calls.others, m.Calls),
	}
	g.w.log.Add(*m)
}
