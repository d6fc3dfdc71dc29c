package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
)

const (
	// maxGroup bounds a transaction, and with it how long the first caller in
	// it waits for the last and how much is dirty in memory.
	maxGroup = 2000

	// Another process finds the file locked nearly all the time while its owner
	// is busy, but for the moment between two transactions. Whoever asks this
	// often gets in within a fraction of a second (SQLite's own waiting asks
	// every 100 ms and may not get in at all).
	busyAsk  = 500 * time.Microsecond
	busyWait = 10 * time.Second
)

// writer is the goroutine that commits: one transaction for all calls that are
// waiting when it begins. While one is made durable, the next gathers.
type writer struct {
	conn *conn
	lock *flock.Flock // of the owner; nil: the writer is none

	open  sync.RWMutex // held for reading while a call is being queued
	done  bool
	calls chan *call
	ended chan struct{}

	failed error // no later write can be trusted; only the goroutine uses it
}

type call struct {
	fn    func(*Tx) error
	state atomic.Int32
	err   error
	done  chan struct{} // closed when err is the answer
}

const (
	queued int32 = iota
	started
	dropped
)

func startWriter(c *conn, lock *flock.Flock) *writer {
	w := &writer{conn: c, lock: lock, calls: make(chan *call, maxGroup), ended: make(chan struct{})}
	go w.run()
	return w
}

// stop commits what is queued and ends the goroutine.
func (w *writer) stop() {
	w.open.Lock()
	w.done = true
	w.open.Unlock()
	close(w.calls)
	<-w.ended
}

func (w *writer) do(ctx context.Context, fn func(*Tx) error) error {
	c := &call{fn: fn, done: make(chan struct{})}
	if err := w.enqueue(ctx, c); err != nil {
		return err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if c.state.CompareAndSwap(queued, dropped) {
			return ctx.Err()
		}
		<-c.done
	}
	return c.err
}

func (w *writer) enqueue(ctx context.Context, c *call) error {
	w.open.RLock()
	defer w.open.RUnlock()
	if w.done {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.calls <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) run() {
	defer close(w.ended)
	group := make([]*call, 0, maxGroup)
	for c := range w.calls {
		group = w.gather(append(group[:0], c))
		err := w.transact(group)
		for _, c := range group {
			if c.err == nil {
				c.err = err
			}
			close(c.done)
		}
		clear(group)
	}
}

// gather adds the calls that wait already, and keeps those still wanted. First
// it lets those run who have just got an answer: most have their next call
// ready, and without them every second transaction is a small one.
func (w *writer) gather(group []*call) []*call {
	runtime.Gosched()
	for waiting := true; waiting && len(group) < maxGroup; {
		select {
		case c, ok := <-w.calls:
			if waiting = ok; ok {
				group = append(group, c)
			}
		default:
			waiting = false
		}
	}
	kept := group[:0]
	for _, c := range group {
		if c.state.CompareAndSwap(queued, started) {
			kept = append(kept, c)
		}
	}
	return kept
}

func (w *writer) transact(group []*call) error {
	if len(group) == 0 {
		return nil
	}
	if w.failed != nil {
		return w.failed
	}
	tx := &Tx{conn: w.conn, ctx: context.Background()}
	err := w.begin()
	if err == nil && w.lock != nil && !hasName(w.lock) {
		// People remove what looks like a lock that was left. The next owner may have
		// begun: it counts on being alone, and from this transaction on it is.
		err = ErrNoLock
		w.failed = err
		_, _ = w.conn.exec("ROLLBACK")
	}
	if err == nil {
		if err = tx.run(group); err == nil {
			_, err = w.conn.exec("COMMIT")
		}
		if err != nil {
			_, _ = w.conn.exec("ROLLBACK") // SQLite may have done so itself
		}
	}
	for _, fn := range tx.after {
		fn(err)
	}
	if lasting(err) {
		w.failed = fmt.Errorf("%w (%w)", ErrBroken, err)
	}
	return err
}

func (t *Tx) run(group []*call) error {
	for _, c := range group {
		c.err = c.fn(t)
		if t.failed != nil {
			return t.failed
		}
	}
	for _, fn := range t.before {
		if err := fn(t); err != nil {
			return err
		}
	}
	return t.failed
}

// begin takes the write lock, which another process may hold for a moment.
func (w *writer) begin() error {
	for start := time.Now(); ; time.Sleep(busyAsk) {
		_, err := w.conn.exec("BEGIN IMMEDIATE")
		if !errors.Is(err, ErrBusy) || time.Since(start) > busyWait {
			return err
		}
	}
}
