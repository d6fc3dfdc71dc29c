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
	room  *room  // messages that may be held
	calls *slots // receives that may be under way: as many as bring something

	beside  beside       // of the goroutine that starts receives
	polls   atomic.Int32 // receives that wait for a message
	unitNow atomic.Int64 // mean time of a unit, in nanoseconds
	last    atomic.Int64 // when a receive last brought something, by Task.clock
	rich    atomic.Int64 // when one last brought at least half of what it could, by the same
	failed  atomic.Int32 // receives in a row that failed
	mean    sync.Mutex   // of who adds to unitNow
}

// ahead is how many messages a task may hold beyond its slots.
const ahead = 512

func newInbox(t *Task) *inbox {
	in := &inbox{
		t: t, ready: make(chan *held, ahead), calls: newSlots(1),
		room: newRoom(t.cfg.Concurrency, t.cfg.Queue.Limits().Batch),
	}
	if t.cfg.Shared {
		in.beside.board = t.cfg.Board
	}
	in.last.Store(in.t.clock())
	return in
}

// Receives that are under way at a time. An idle task polls once: each poll costs.
// One that finds plenty adds another, up to most: at 20 ms a request, 32 of them
// bring 16,000 messages a second. A few more than one stay while slots stand idle
// and there is anything at all, since a queue of many servers may bring little at
// a time.
const (
	mostReceives = 32
	fewReceives  = 4
)

// adapt says how many receives may be under way after one that brought got of n.
func (in *inbox) adapt(got, n int) {
	_, calls := in.calls.use()
	_, slots := in.t.slots.use()
	batch := in.t.cfg.Queue.Limits().Batch
	most := min((slots+batch-1)/batch+1, mostReceives)
	now := calls
	switch {
	case got >= n-n/4:
		now++
	case got == 0:
		now = 1
	case in.starving() && got > 0:
		now = min(max(calls-1, 1), fewReceives)
	case got <= n/4:
		now--
	}
	if now = max(min(now, most), 1); now != calls {
		in.calls.resize(now)
	}
}

// starving reports whether a slot is idle that a message could have.
func (in *inbox) starving() bool {
	if len(in.ready) > 0 {
		return false
	}
	taken, capacity := in.t.slots.use()
	return taken < capacity
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

// receive has messages received until ctx ends; their units live in work. It
// returns when no receive is under way any more.
func (in *inbox) receive(ctx, work context.Context) {
	var receives sync.WaitGroup
	defer receives.Wait()
	for ctx.Err() == nil {
		if in.t.control.paused(ctx) && !in.beside.look(ctx) {
			sleep(ctx, in.t.cfg.Control)
			continue
		}
		if in.calls.acquire(ctx) != nil {
			return
		}
		in.allow()
		n, err := in.room.take(ctx, in.starving)
		if err != nil {
			return
		}
		receives.Go(func() {
			defer in.calls.release()
			in.poll(ctx, work, n)
		})
	}
}

// poll is one receive, of n messages at most. After one that failed it waits.
func (in *inbox) poll(ctx, work context.Context, n int) {
	asked := time.Now()
	in.polls.Add(1)
	got, err := in.t.cfg.Queue.Receive(ctx, queue.Request{Max: n, Wait: in.t.cfg.Wait, Visibility: in.t.cfg.Visibility})
	in.polls.Add(-1)
	if len(got) < n {
		in.room.release(n-len(got), true)
	}
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, queue.ErrClosed) {
			<-ctx.Done() // there will be no more
			return
		}
		in.t.cfg.Trouble(err)
		in.t.cfg.Log.Warn("receive messages", "error", err)
		in.calls.resize(1)
		pause := min(100*time.Millisecond<<min(in.failed.Add(1)-1, 8), 20*time.Second)
		sleep(ctx, pause+rand.N(pause))
		return
	}
	in.failed.Store(0)
	in.adapt(len(got), n)
	if len(got) > 0 {
		// A long poll may have waited before the lease began.
		asked = time.Now().Add(-min(time.Since(asked), time.Second))
		in.last.Store(in.t.clock())
		if len(got) >= max(n/2, 2) {
			in.rich.Store(in.t.clock())
		}
	}
	var late []*held
	for _, d := range got {
		m := in.t.holder.add(work, d, asked)
		select {
		case in.ready <- m:
		case <-ctx.Done():
			late = append(late, m)
		}
	}
	in.room.release(len(late), true)
	in.t.giveBack(context.WithoutCancel(ctx), late...)
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
			in.room.wake()
			select {
			case <-ctx.Done():
				return
			case m := <-in.ready:
				if in.t.slots.acquire(ctx) != nil {
					in.t.giveBack(context.WithoutCancel(ctx), m)
					in.room.release(1, true)
					return
				}
				in.start(m)
			}
		}
	}
}

func (in *inbox) start(m *held) {
	in.t.units.Go(func() {
		began := time.Now()
		in.t.work(m)
		in.note(time.Since(began))
		in.t.slots.release()
		in.room.release(1, in.starving())
	})
	if len(in.ready) == 0 {
		in.room.wake()
	}
}

// note keeps a moving mean of the time a unit takes.
func (in *inbox) note(d time.Duration) {
	in.mean.Lock()
	defer in.mean.Unlock()
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
		in.room.release(1, true)
	}
	in.t.giveBack(ctx, waiting...)
}

// hungry reports whether slots stand idle here while the queue has nothing:
// whoever holds work should share it.
func (in *inbox) hungry() bool {
	if in.polls.Load() == 0 || len(in.ready) > 0 {
		return false
	}
	if in.t.clock()-in.last.Load() < int64(2*time.Millisecond) {
		return false
	}
	taken, capacity := in.t.slots.use()
	return taken < capacity
}

// idle reports whether the task holds nothing and its polls bring nothing.
func (in *inbox) idle() bool {
	return in.t.Idle() && in.polls.Load() > 0 && in.t.clock()-in.last.Load() >= int64(flagQuick)
}

// poor reports whether the queue has little, as far as receives here say so: an
// idle task would otherwise find work there.
func (in *inbox) poor() bool {
	return len(in.ready) == 0 && in.t.clock()-in.rich.Load() >= int64(flagLook)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
