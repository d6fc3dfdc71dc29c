package embedded

import (
	"container/heap"
	"slices"
	"time"

	"github.com/ramify/ramify/queue"
)

// pool is what the owner keeps in memory about its messages. Three kinds:
//
//   - fresh ones, never received in this opening and visible: the newest of
//     them with their bodies on a stack of bounded size, the others in the file
//     only, all with an id below floor. Where the oldest are to come first it is
//     the oldest, and the others have an id above ceiling;
//   - known ones: held, delayed, or visible again. They are kept without their
//     bodies and are few: what workers hold and what waits after a failure;
//   - deleted ones, which are nowhere.
type pool struct {
	stack []message // in the order of their ids
	bytes int       // of the stack
	floor int64     // fresh messages below it are in the file only
	below bool      // there may be some

	fifo    bool  // the oldest come first
	ceiling int64 // of the last one that was in the stack: fresh messages above it are in the file only
	above   bool  // there may be some

	known map[int64]*entry
	again []*entry // visible, first in first out; some may have been deleted
	due   dueHeap  // held and delayed
	turn  bool     // whether the next delivery is a fresh message, if there are both

	total, held, delayed int64
}

// Bounds of the stack. Half of it is given back to the file when one is passed.
const (
	maxStack = 4096
	maxBytes = 16 << 20
)

// message is a row of the file.
type message struct {
	id    int64
	body  []byte
	attrs map[string]string
	sent  time.Time
	until time.Time // hidden by a delay; zero: not
}

// entry is what is remembered of a message that is or was invisible.
type entry struct {
	id       int64
	serial   int64 // of the last delivery; 0 before the first
	receives int
	place    place
	until    time.Time // held or delayed: when that ends
	index    int       // in the heap
}

type place int

const (
	visible place = iota
	held
	delayed
	gone
)

func (p *pool) depth() queue.Depth {
	return queue.Depth{Visible: p.total - p.held - p.delayed, InFlight: p.held, Delayed: p.delayed}
}

// add takes in a message that was just sent, with a larger id than any before.
func (p *pool) add(m message) {
	p.total++
	if !m.until.IsZero() {
		e := &entry{id: m.id}
		p.known[m.id] = e
		p.hide(e, delayed, m.until)
		return
	}
	if p.fifo {
		if p.above = p.above || len(p.stack) >= maxStack/2 || p.bytes > maxBytes/2; p.above {
			return
		}
		p.ceiling = m.id
	}
	p.stack = append(p.stack, m)
	p.bytes += len(m.body)
	if !p.fifo && (len(p.stack) > maxStack || p.bytes > maxBytes) {
		p.shrink()
	}
}

// oldestFirst turns the order round. All that was never received is in the file.
func (p *pool) oldestFirst() {
	p.fifo, p.stack, p.bytes, p.below = true, nil, 0, false
	p.ceiling, p.above = 0, p.total > 0
}

// inFile reports whether there may be fresh messages that are in the file only.
func (p *pool) inFile() bool { return p.below || p.above }

// shrink leaves the older half of the stack to the file.
func (p *pool) shrink() {
	n, kept := 0, p.bytes
	for n < len(p.stack)-1 && (len(p.stack)-n > maxStack/2 || kept > maxBytes/2) {
		kept -= len(p.stack[n].body)
		n++
	}
	p.floor, p.below, p.bytes = p.stack[n].id, true, kept
	p.stack = slices.Delete(p.stack, 0, n)
}

// refill puts messages from the file, newest first, under those of the stack; or,
// where the oldest come first, oldest first behind them. bottom says that there are
// none beyond them.
func (p *pool) refill(older []message, bottom bool) {
	if p.fifo {
		if len(older) > 0 {
			p.ceiling = older[len(older)-1].id
		}
		p.above = !bottom
		for _, m := range older {
			if p.known[m.id] == nil {
				p.stack = append(p.stack, m)
				p.bytes += len(m.body)
			}
		}
		return
	}
	if len(older) > 0 {
		p.floor = older[len(older)-1].id
	}
	p.below = !bottom
	older = slices.DeleteFunc(older, func(m message) bool { return p.known[m.id] != nil })
	slices.Reverse(older)
	for _, m := range older {
		p.bytes += len(m.body)
	}
	p.stack = append(older, p.stack...)
}

// next takes a visible message for delivery: a fresh one with its body, or one
// that was visible before without. The two take turns, so that neither a message
// that keeps coming back nor a flood of new ones keeps the others waiting.
func (p *pool) next(opening int64) (e *entry, m message, ok bool) {
	p.turn = !p.turn
	if p.turn || !p.hasAgain() {
		if n := len(p.stack); n > 0 {
			if p.fifo {
				m, p.stack = p.stack[0], p.stack[1:]
			} else {
				m = p.stack[n-1]
				p.stack[n-1] = message{}
				p.stack = p.stack[:n-1]
			}
			p.bytes -= len(m.body)
			e = &entry{id: m.id, receives: receivedBefore(m.id, opening)}
			p.known[m.id] = e
			return e, m, true
		}
	}
	if !p.hasAgain() {
		return nil, message{}, false
	}
	e = p.again[0]
	p.again = p.again[1:]
	return e, message{id: e.id}, true
}

// hasAgain reports whether a message that was received before is visible.
func (p *pool) hasAgain() bool {
	for len(p.again) > 0 && p.again[0].place == gone {
		p.again = p.again[1:]
	}
	return len(p.again) > 0
}

// hide makes a message invisible until some time.
func (p *pool) hide(e *entry, as place, until time.Time) {
	e.place, e.until = as, until
	heap.Push(&p.due, e)
	p.count(as, 1)
}

// show makes an invisible message visible.
func (p *pool) show(e *entry) {
	p.count(e.place, -1)
	heap.Remove(&p.due, e.index)
	e.place = visible
	p.again = append(p.again, e)
}

// drop forgets a message that was deleted from the file.
func (p *pool) drop(id int64) {
	e := p.known[id]
	if e == nil {
		return
	}
	if e.place != visible {
		p.count(e.place, -1)
		heap.Remove(&p.due, e.index)
	}
	e.place = gone
	delete(p.known, id)
	p.total--
}

func (p *pool) count(as place, by int64) {
	switch as {
	case held:
		p.held += by
	case delayed:
		p.delayed += by
	}
}

// ripen makes visible what has come due and reports whether anything has.
func (p *pool) ripen(now time.Time) (some bool) {
	for len(p.due) > 0 && !p.due[0].until.After(now) {
		p.show(p.due[0])
		some = true
	}
	return some
}

func (p *pool) firstDue() (time.Time, bool) {
	if len(p.due) == 0 {
		return time.Time{}, false
	}
	return p.due[0].until, true
}

// dueHeap has the entry that comes due first on top.
type dueHeap []*entry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].until.Before(h[j].until) }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop is for container/heap.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
