// Package batch puts entries of many callers into few requests, for services
// that charge and wait per request.
package batch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrClosed is the error of all entries once a Batcher is closed.
var ErrClosed = errors.New("batcher is closed")

// errUnanswered is the error of an entry that a request gave no answer to.
var errUnanswered = errors.New("the request did not answer for this entry")

// Options of a Batcher. Entries, Requests and Do are needed.
type Options[E any] struct {
	Entries  int           // that one request takes, at most
	Bytes    int           // of all entries of a request, at most; 0: any
	Size     func(E) int   // of an entry, in bytes; needed if Bytes is set
	Requests int           // under way at a time, at most
	Linger   time.Duration // how long an entry waits for others to come, while there are other callers; longer where requests take long

	// Do makes one request and answers for each of its entries, in order. Its
	// context ends when no caller waits for any of the entries.
	Do func(context.Context, []E) []error
}

// Batcher batches across callers. A request leaves when it is full, when its
// oldest entry has lingered, or at once while there is only one caller.
type Batcher[E any] struct {
	o Options[E]

	mu       sync.Mutex
	waiting  []*item[E] // in the order they came in
	callers  int        // calls under way
	crowded  time.Time  // when there was last more than one
	requests int        // under way
	timer    *time.Timer
	answered time.Time     // when a request last ended
	took     time.Duration // a request, lately
	closed   bool
	running  sync.WaitGroup // calls, and requests that nobody waits for any more
}

// crowdMemory is for how many lingers callers are expected to come together
// again, after they did.
const crowdMemory = 50

// slowPart is the part of a request's time that an entry lingers where that is
// longer than Linger, up to slowest times as long: when answers are slow, callers
// are out of step, and a little more waiting saves requests.
const slowPart, slowest = 4, 10

// maxLingers is how often the oldest entry lingers in all.
const maxLingers = 4

type item[E any] struct {
	entry   E
	call    *call
	index   int // in the call
	request *request
	came    time.Time
	done    bool
}

type call struct {
	errs []error
	left int
	done chan struct{}
}

type request struct {
	wanted int // entries that a caller waits for
	cancel context.CancelFunc
}

// New makes a Batcher, which holds nothing while nothing is under way.
func New[E any](o Options[E]) *Batcher[E] { return &Batcher[E]{o: o} }

// Do hands over entries and waits for the answers, one error each, in order.
// When ctx ends first, the entries not yet answered get its error: those that
// were not part of a request will not be, the others may be done or not.
func (b *Batcher[E]) Do(ctx context.Context, entries []E) []error {
	if len(entries) == 0 {
		return nil
	}
	items, err := b.enter(ctx, entries)
	if err != nil {
		errs := make([]error, len(entries))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer b.running.Done()
	c := items[0].call
	select {
	case <-c.done:
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave(ctx, items)
	return c.errs
}

// enter begins a call.
func (b *Batcher[E]) enter(ctx context.Context, entries []E) ([]*item[E], error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.running.Add(1)
	now := time.Now()
	if b.callers++; b.callers > 1 {
		b.crowded = now
	}
	c := &call{errs: make([]error, len(entries)), left: len(entries), done: make(chan struct{})}
	items := make([]*item[E], len(entries))
	for i, e := range entries {
		items[i] = &item[E]{entry: e, call: c, index: i, came: now}
	}
	b.waiting = append(b.waiting, items...)
	b.flush(now)
	return items, nil
}

// leave ends a call, of which some items may be unanswered; b.mu is held.
func (b *Batcher[E]) leave(ctx context.Context, items []*item[E]) {
	if b.callers > 1 {
		b.crowded = time.Now()
	}
	b.callers--
	c := items[0].call
	if c.left == 0 {
		return
	}
	for _, it := range items {
		if it.done {
			continue
		}
		it.done = true
		c.errs[it.index] = ctx.Err()
		if r := it.request; r != nil {
			if r.wanted--; r.wanted == 0 {
				r.cancel()
			}
		}
	}
	kept := b.waiting[:0]
	for _, it := range b.waiting {
		if !it.done {
			kept = append(kept, it)
		}
	}
	clear(b.waiting[len(kept):])
	b.waiting = kept
}

// flush lets go what need not wait any longer; b.mu is held.
func (b *Batcher[E]) flush(now time.Time) {
	for len(b.waiting) > 0 && b.requests < b.o.Requests {
		n, full := b.fill()
		if leaves := b.leaves(); !full && b.lingers(now) && now.Before(leaves) {
			b.wake(leaves.Sub(now))
			return
		}
		b.launch(b.waiting[:n])
		b.waiting = append([]*item[E](nil), b.waiting[n:]...)
	}
}

// leaves is when a request that is not full is to leave. Whoever was just
// answered is likely to be back in a moment: an answer has it linger anew, but not
// for ever.
func (b *Batcher[E]) leaves() time.Time {
	came := b.waiting[0].came
	linger := min(max(b.o.Linger, b.took/slowPart), slowest*b.o.Linger)
	leaves, latest := came.Add(linger), came.Add(maxLingers*linger)
	if anew := b.answered.Add(linger); anew.After(leaves) {
		leaves = anew
	}
	if leaves.After(latest) {
		return latest
	}
	return leaves
}

// lingers reports whether others may come: a caller who has long been alone does
// not wait for anybody, however often it calls.
func (b *Batcher[E]) lingers(now time.Time) bool {
	return !b.closed && (b.callers > 1 || now.Sub(b.crowded) < crowdMemory*b.o.Linger)
}

// fill is how many items the next request takes, and whether it can take no more.
func (b *Batcher[E]) fill() (n int, full bool) {
	bytes := 0
	for n < len(b.waiting) && n < b.o.Entries {
		if b.o.Bytes > 0 {
			if bytes += b.o.Size(b.waiting[n].entry); bytes > b.o.Bytes && n > 0 {
				return n, true
			}
		}
		n++
	}
	return n, n == b.o.Entries
}

// wake has flush called after some time; b.mu is held.
func (b *Batcher[E]) wake(after time.Duration) {
	if b.timer != nil {
		b.timer.Reset(after)
		return
	}
	b.timer = time.AfterFunc(after, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.flush(time.Now())
	})
}

// launch makes a request of items; b.mu is held.
func (b *Batcher[E]) launch(items []*item[E]) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &request{wanted: len(items), cancel: cancel}
	entries := make([]E, len(items))
	own := append([]*item[E](nil), items...)
	for i, it := range own {
		it.request, entries[i] = r, it.entry
	}
	b.requests++
	b.running.Add(1)
	began := time.Now()
	go func() {
		defer b.running.Done()
		defer cancel()
		errs := b.o.Do(ctx, entries)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.requests--
		b.answered = time.Now()
		b.took += (b.answered.Sub(began) - b.took) / 8
		for i, it := range own {
			if it.done {
				continue // its caller has gone
			}
			err := fmt.Errorf("entry %d of %d: %w", i, len(own), errUnanswered)
			if i < len(errs) {
				err = errs[i]
			}
			it.done = true
			it.call.errs[it.index] = err
			if it.call.left--; it.call.left == 0 {
				close(it.call.done)
			}
		}
		b.flush(b.answered)
	}()
}

// Close lets go what waits, and waits for calls and requests under way. Calls
// that come later get ErrClosed.
func (b *Batcher[E]) Close() {
	b.mu.Lock()
	b.closed = true
	b.flush(time.Now())
	if b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Unlock()
	b.running.Wait()
}
