package task

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ramify/ramify/queue"
)

// inbox receives messages and starts a unit for each as slots become free. It
// holds few messages that wait: what it cannot start soon others could.
type inbox struct {
	t     *Task
	ready chan *held
	room  *slots // messages that may be received: waiting or in a slot

	polls   atomic.Int32 // receives that wait for a message
	unitNow atomic.Int64 // mean time of a unit, in nanoseconds
	last    atomic.Int64 // when a receive last brought something, in Unix nanoseconds
	mu      sync.Mutex
	taking  chan struct{} // held by the receiver that waits for room
	moved   chan struct{} // tells it to look again
}

// ahead is how many messages a task may hold beyond its slots.
const ahead = 512

func newInbox(t *Task) *inbox {
	in := &inbox{t: t, ready: make(chan *held, ahead), room: newSlots(t.cfg.Concurrency), taking: make(chan struct{}, 1), moved: make(chan struct{}, 1)}
	in.last.Store(time.Now().UnixNano())
	return in
}

// receivers is how many receives run at a time: enough that all slots can be
// filled by requests of the medium's size.
func (in *inbox) receivers() int {
	batch := in.t.cfg.Queue.Limits().Batch
	return min(max((in.t.cfg.Concurrency+batch-1)/batch, 1), 8)
}

// allow sets how many messages may be held: those in slots, and as many ahead as
// will start before half their visibility timeout has passed.
func (in *inbox) allow() {
	_, capacity := in.t.slots.use()
	prefetch := 0
	if mean := in.unitNow.Load(); mean > 0 {
		prefetch = int(min(int64(in.t.cfg.Visibility/2)*int64(capacity)/mean, int64(capacity), ahead))
	}
	in.room.resize(capacity + prefetch)
}

// receive is one receiver; its messages' units live in work.
func (in *inbox) receive(ctx, work context.Context) {
	pause := 100 * time.Millisecond
	for ctx.Err() == nil {
		if in.t.control.paused(ctx) {
			sleep(ctx, in.t.cfg.Control)
			continue
		}
		in.allow()
		n, err := in.take(ctx)
		if err != nil {
			return
		}
		asked := time.Now()
		in.polls.Add(1)
		got, err := in.t.cfg.Queue.Receive(ctx, queue.Request{Max: n, Wait: in.t.cfg.Wait, Visibility: in.t.cfg.Visibility})
		in.polls.Add(-1)
		for range n - len(got) {
			in.room.release()
		}
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, queue.ErrClosed) {
				return
			}
			in.t.cfg.Trouble(err)
			in.t.cfg.Log.Warn("receive messages", "error", err)
			sleep(ctx, pause+rand.N(pause))
			pause = min(2*pause, 20*time.Second)
			continue
		}
		pause = 100 * time.Millisecond
		if len(got) > 0 {
			// A long poll may have waited before the lease began.
			asked = time.Now().Add(-min(time.Since(asked), time.Second))
			in.last.Store(time.Now().UnixNano())
		}
		var late []*held
		for _, d := range got {
			m := in.t.holder.add(work, d, asked)
			select {
			case in.ready <- m:
			case <-ctx.Done():
				late = append(late, m)
				in.room.release()
			}
		}
		in.t.giveBack(context.WithoutCancel(ctx), late...)
	}
}

// take waits for room for the messages of one receive and says for how many. While
// messages wait to be begun it waits until a request's fill has room, or half of
// what there is room for at all: otherwise each unit that ends would be followed by
// a receive of one message.
func (in *inbox) take(ctx context.Context) (int, error) {
	select {
	case in.taking <- struct{}{}: // one at a time: two would wait twice as long
		defer func() { <-in.taking }()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	for {
		if err := in.room.acquire(ctx); err != nil {
			return 0, err
		}
		_, all := in.room.use()
		n, most := 1, min(in.t.cfg.Queue.Limits().Batch, (all+1)/2)
		for n < most && in.room.borrow() {
			n++
		}
		if n == most || len(in.ready) == 0 {
			return n, nil
		}
		for range n {
			in.room.release()
		}
		select {
		case <-in.moved:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// move has the receiver that waits for room look again: a message was begun, or is
// done.
func (in *inbox) move() {
	select {
	case in.moved <- struct{}{}:
	default:
	}
}

// dispatch starts units as slots become free.
func (in *inbox) dispatch(ctx context.Context) {
	for {
		if in.t.slots.acquire(ctx) != nil {
			return
		}
		select {
		case <-ctx.Done():
			in.t.slots.release()
			return
		case m := <-in.ready:
			in.start(m)
		default:
			// Nothing waits: an idle slot must stay free to be borrowed.
			in.t.slots.release()
			select {
			case <-ctx.Done():
				return
			case m := <-in.ready:
				if in.t.slots.acquire(ctx) != nil {
					in.t.giveBack(context.WithoutCancel(ctx), m)
					in.room.release()
					return
				}
				in.start(m)
			}
		}
	}
}

func (in *inbox) start(m *held) {
	in.move()
	in.t.units.Go(func() {
		defer in.move()
		defer in.room.release()
		defer in.t.slots.release()
		began := time.Now()
		in.t.work(m)
		in.note(time.Since(began))
	})
}

// note keeps a moving mean of the time a unit takes.
func (in *inbox) note(d time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	old := in.unitNow.Load()
	if old == 0 {
		old = int64(d)
	}
	in.unitNow.Store(max(old+(int64(d)-old)/16, 1))
}

// giveBack returns what was received and not begun.
func (in *inbox) giveBack(ctx context.Context) {
	var waiting []*held
	for len(in.ready) > 0 { // nobody else takes or adds any more
		waiting = append(waiting, <-in.ready)
		in.room.release()
	}
	in.t.giveBack(ctx, waiting...)
}

// hungry reports whether slots stand idle here while the queue has nothing:
// whoever holds work should share it.
func (in *inbox) hungry() bool {
	if in.polls.Load() == 0 || len(in.ready) > 0 {
		return false
	}
	if time.Now().UnixNano()-in.last.Load() < int64(2*time.Millisecond) {
		return false
	}
	taken, capacity := in.t.slots.use()
	return taken < capacity
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
