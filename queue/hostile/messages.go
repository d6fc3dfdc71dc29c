package hostile

import (
	"container/heap"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ramify/ramify/queue"
)

// state of a message.
type state int

const (
	gone state = iota
	delayed
	visible
	held
)

// message is one copy of a message that was sent.
type message struct {
	id       uint64
	body     []byte
	attrs    map[string]string
	sent     time.Time
	state    state
	due      time.Time // when it becomes visible, where it is held or delayed
	received time.Time // when it was last delivered
	receives int       // deliveries; also the version of the receipt that is in force
	doubled  bool      // it is a twin, or has one
	ghost    bool      // it was deleted before
}

func (m *message) receipt() queue.Receipt {
	return queue.Receipt(fmt.Sprintf("%d/%d", m.id, m.receives))
}

// messages are all that are not gone. They are never ranged over in the order of
// a map, so that a seed replays.
type messages struct {
	all    map[uint64]*message
	ready  []*message // visible, and some that were deleted since; the oldest first
	wakes  alarms     // when the others become visible, and some moments that no longer count
	counts [held + 1]int64
	lastID uint64
}

// add takes a new message that becomes visible when it is due.
func (ms *messages) add(m *message, now time.Time) {
	ms.lastID++
	m.id = ms.lastID
	m.state = gone
	ms.all[m.id] = m
	ms.hide(m, delayed, now, m.due)
}

// hide makes a message held or delayed until it is due; past due it is visible.
func (ms *messages) hide(m *message, s state, now, due time.Time) {
	m.due = due
	if !due.After(now) {
		ms.turn(m, visible)
		ms.ready = append(ms.ready, m)
		return
	}
	ms.turn(m, s)
	heap.Push(&ms.wakes, alarm{due, m})
}

func (ms *messages) turn(m *message, s state) {
	ms.counts[m.state]--
	ms.counts[s]++
	m.state = s
}

// drop removes a message for good.
func (ms *messages) drop(m *message) {
	ms.turn(m, gone)
	delete(ms.all, m.id)
}

// promote makes visible what is due.
func (ms *messages) promote(now time.Time) {
	for len(ms.wakes) > 0 && !ms.wakes[0].at.After(now) {
		a := heap.Pop(&ms.wakes).(alarm)
		if a.counts() {
			ms.turn(a.m, visible)
			ms.ready = append(ms.ready, a.m)
		}
	}
}

// nextDue is when the next message becomes visible.
func (ms *messages) nextDue() (time.Time, bool) {
	for len(ms.wakes) > 0 {
		if a := ms.wakes[0]; a.counts() {
			return a.at, true
		}
		heap.Pop(&ms.wakes)
	}
	return time.Time{}, false
}

// take removes the message at i of ready; nil if it was deleted meanwhile.
func (ms *messages) take(i int) *message {
	m := ms.ready[i]
	ms.ready[i], ms.ready[0] = ms.ready[0], nil
	ms.ready = ms.ready[1:]
	if m.state != visible {
		return nil
	}
	return m
}

func (ms *messages) depth(now time.Time) queue.Depth {
	ms.promote(now)
	return queue.Depth{Visible: ms.counts[visible], InFlight: ms.counts[held], Delayed: ms.counts[delayed]}
}

// alarm is a moment at which a message becomes visible, unless that changed.
type alarm struct {
	at time.Time
	m  *message
}

func (a alarm) counts() bool {
	return (a.m.state == held || a.m.state == delayed) && a.m.due.Equal(a.at)
}

// alarms is a heap, ordered by time and then by id.
type alarms []alarm

func (h alarms) Len() int      { return len(h) }
func (h alarms) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h alarms) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].m.id < h[j].m.id
}
func (h *alarms) Push(a any) { *h = append(*h, a.(alarm)) }
func (h *alarms) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = alarm{}
	*h = (*h)[:last]
	return a
}

// post takes an entry.
func (q *Queue) post(e queue.Entry) error {
	if err := check(e); err != nil {
		return err
	}
	now := time.Now()
	q.messages.add(&message{
		body:  slices.Clone(e.Body),
		attrs: maps.Clone(e.Attrs),
		sent:  now,
		due:   now.Add(e.Delay + q.lateness()),
	}, now)
	return nil
}

// pick is the next message to deliver, nil if there is none.
func (q *Queue) pick() *message {
	ms := &q.messages
	for len(ms.ready) > 0 {
		i := 0
		if len(ms.ready) > 1 && q.medium.Happens("Reorder", q.faults.Reorder) {
			i = q.medium.IntN(len(ms.ready))
		}
		m := ms.take(i)
		switch {
		case m == nil:
		case q.faults.Retention > 0 && time.Since(m.sent) > q.faults.Retention:
			q.medium.Note("Retention")
			ms.drop(m)
		default:
			return m
		}
	}
	return nil
}

// deliver gives out a message.
func (q *Queue) deliver(m *message, visibility time.Duration) queue.Delivery {
	now := time.Now()
	m.receives++
	m.received = now
	if !m.doubled && q.medium.Happens("Twin", q.faults.Twin) {
		m.doubled = true
		twin := *m
		twin.due = now
		q.messages.add(&twin, now)
		last := len(q.messages.ready) - 1 // to the front: two receivers at a time
		q.messages.ready[0], q.messages.ready[last] = q.messages.ready[last], q.messages.ready[0]
	}
	q.messages.hide(m, held, now, now.Add(q.lease(visibility)))
	d := queue.Delivery{Body: slices.Clone(m.body), Attrs: maps.Clone(m.attrs), Receipt: m.receipt(), Receives: m.receives, Sent: m.sent}
	if m.receives > 1 && q.medium.Happens("Lie", q.faults.Lie) {
		d.Receives = 1
	}
	return d
}

// remove deletes the message of a receipt.
func (q *Queue) remove(r queue.Receipt) error {
	m, current, err := q.find(r)
	switch {
	case err != nil || m == nil:
		return err // a message that is gone is deleted: nil
	case current && q.medium.Happens("Forget", q.faults.Forget):
		return nil
	case current:
		q.bury(m)
		return nil
	}
	if q.medium.Happens("Stale", q.faults.Stale) {
		q.bury(m)
	}
	if q.faults.Stale > 0 && q.medium.Chance(0.5) {
		return nil
	}
	return queue.ErrLeaseLost
}

// bury drops a message, which may haunt the queue.
func (q *Queue) bury(m *message) {
	q.messages.drop(m)
	if !m.ghost && q.medium.Happens("Ghost", q.faults.Ghost) {
		now := time.Now()
		ghost := *m
		ghost.ghost = true
		ghost.due = now.Add(q.medium.UpTo(q.faults.LateBy))
		q.messages.add(&ghost, now)
	}
}

// extend changes a lease.
func (q *Queue) extend(l queue.Lease) error {
	if l.Visibility < 0 || l.Visibility > limits.Visibility {
		return fmt.Errorf("extend lease: visibility %s, want 0 to %s", l.Visibility, limits.Visibility)
	}
	now := time.Now()
	q.messages.promote(now)
	m, current, err := q.find(l.Receipt)
	switch {
	case err != nil:
		return err
	case m == nil || !current || m.state != held:
		return queue.ErrLeaseLost
	case now.Add(l.Visibility).Sub(m.received) > limits.Visibility:
		return fmt.Errorf("extend lease: the message would be held for more than %s from its receipt", limits.Visibility)
	}
	deny := q.medium.Happens("Deny", q.faults.Deny)
	if !deny || q.medium.Chance(0.5) {
		q.messages.hide(m, held, now, now.Add(q.lease(l.Visibility)))
	}
	if deny {
		return queue.ErrLeaseLost
	}
	return nil
}

// find is the message of a receipt, nil if it is gone, and whether no later
// delivery has replaced the receipt.
func (q *Queue) find(r queue.Receipt) (m *message, current bool, err error) {
	var id uint64
	var receives int
	if _, err := fmt.Sscanf(string(r), "%d/%d", &id, &receives); err != nil {
		return nil, false, fmt.Errorf("find message: %q is no receipt of this queue", r)
	}
	m = q.messages.all[id]
	return m, m != nil && m.receives == receives, nil
}
