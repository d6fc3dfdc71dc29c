package jobqueue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Config is what a worker is made of. Queues, Patterns, Run and Report are required.
type Config struct {
	Queues   Queues
	Names    Names
	Patterns []string // whole names, or beginnings of names and *
	Codec    Codec

	// Run runs a job until it has ended, or ctx has. It is called from many goroutines.
	Run func(ctx context.Context, id string, j Job) Outcome
	// Report is told what happens, one after the other.
	Report func(Event)
	// Tell sends what came of a job to whoever waits for it, before the job leaves its
	// queue: at least once, and more often where the worker dies before that. Nil: nobody
	// waits. It is called from many goroutines.
	Tell func(ctx context.Context, e Event) error

	Concurrency   int           // jobs at a time; default 1
	Wait          time.Duration // for a message of each queue; up to 20 s
	KillAfter     time.Duration // how long Run lets a job run; leases end there. 0: as long as it likes
	IncludeFailed bool          // failed queues are among those that a * finds
	ActiveOnly    bool          // only queues in which something waits are listened to
	Drain         bool          // end when nothing is left
	// Free says that to look into a queue costs nothing: all are looked at, and then
	// waited for.
	Free bool
	Log  *slog.Logger // default: discard
}

// Tally is what a worker has done.
type Tally struct {
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Refused   int `json:"refused"`
}

// Worker listens to queues, one after the other, and runs what it finds.
type Worker struct {
	c     Config
	slots chan struct{} // a token for each job that runs

	hurry   chan struct{} // closed when it is to drain
	once    sync.Once
	jobs    sync.WaitGroup
	done    chan struct{}
	err     error
	working context.Context
	kill    context.CancelCauseFunc

	mu      sync.Mutex
	tally   Tally
	running int
}

// New makes a worker that is not yet started.
func New(c Config) *Worker {
	if c.Concurrency < 1 {
		c.Concurrency = 1
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	report := c.Report
	var mu sync.Mutex
	c.Report = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		report(e)
	}
	return &Worker{c: c, slots: make(chan struct{}, c.Concurrency), hurry: make(chan struct{}), done: make(chan struct{})}
}

// Start begins to work and returns at once. The worker works until Drain or Kill, also
// where ctx, whose values it keeps, has ended.
func (w *Worker) Start(ctx context.Context) {
	w.working, w.kill = context.WithCancelCause(context.WithoutCancel(ctx))
	go func() {
		defer close(w.done)
		defer w.kill(nil)
		w.err = w.listen(w.working)
		w.jobs.Wait()
	}()
}

// Drain receives no more. What runs, and what a receive under way still brings, runs
// to its end.
func (w *Worker) Drain() { w.once.Do(func() { close(w.hurry) }) }

// Kill ends what runs, at once: the cause is that of Run's contexts.
func (w *Worker) Kill(cause error) {
	w.Drain()
	w.kill(cause)
}

// Done is closed when the worker has stopped and nothing runs any more.
func (w *Worker) Done() <-chan struct{} { return w.done }

// Result is what the worker has done, and why it could not go on; after Done.
func (w *Worker) Result() (Tally, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tally, w.err
}

// How a worker waits where there is nothing to listen to, or nobody answers.
const (
	glance  = 100 * time.Millisecond // between two looks at queues that cost nothing
	blink   = time.Second            // where queues are not waited for
	grudges = 10                     // failures in a row, over a minute and more, and it gives up
)

// listen makes rounds.
func (w *Worker) listen(ctx context.Context) error {
	r := &roll{w: w}
	failures := 0
	for !w.draining() && ctx.Err() == nil {
		found, idle, err := w.round(ctx, r)
		switch {
		case err != nil && (ctx.Err() != nil || w.draining()):
			return nil //nolint:nilerr // it was told to end, and nobody waits for more
		case err != nil && (permanent(err) || failures == grudges):
			return err
		case err != nil:
			w.c.Log.Warn("queues not reached; it is tried again", "error", err)
			w.pause(ctx, min(blink<<failures, 10*time.Second))
			failures++
			continue
		}
		failures = 0
		switch {
		case found > 0:
		case w.c.Drain && idle:
			return nil
		case w.c.Drain:
			w.await(ctx) // what runs may send more
		case w.c.Free:
			w.pause(ctx, glance)
		case len(r.queues) == 0:
			w.pause(ctx, max(w.c.Wait, blink))
		case w.c.Wait == 0:
			w.pause(ctx, blink)
		}
	}
	return nil
}

// permanent reports whether no repetition mends an error.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent() || errors.Is(err, ErrInvalid)
}

// round listens to every queue once, and returns how many messages there were, and
// whether nothing ran when the first was asked for, so that nothing can have been sent
// behind its back: neither to these queues, nor, of a worker that drains, to others.
func (w *Worker) round(ctx context.Context, r *roll) (found int, idle bool, err error) {
	if err := r.call(ctx); err != nil {
		return 0, false, err
	}
	idle = w.idle()
	for i, name := range r.queues {
		slots := w.take(ctx, name)
		if i == 0 {
			idle = w.idle()
		}
		n, err := w.ask(ctx, name, slots)
		found += n
		r.heard(name, n)
		switch {
		case errors.Is(err, ErrNoQueue):
			r.forget() // it was removed
		case err != nil:
			return found, idle, err
		}
		if w.draining() {
			return found, idle, nil
		}
	}
	if w.c.Drain && idle && found == 0 {
		more, err := r.more(ctx)
		return found, !more, err
	}
	return found, idle, nil
}

// ask receives from one queue as much as there are slots for, and begins it.
func (w *Worker) ask(ctx context.Context, name string, n int) (int, error) {
	if n == 0 {
		return 0, nil
	}
	wait := w.c.Wait
	if w.c.Free {
		wait = 0
	} else {
		w.c.Report(Event{Event: Listening, Queue: w.c.Names.Short(name)})
	}
	got, err := w.c.Queues.Receive(ctx, name, Request{Max: n, Wait: wait, Visibility: firstLease, Hurry: w.hurry})
	for range n - len(got) {
		<-w.slots
	}
	for _, d := range got {
		w.mu.Lock()
		w.running++
		w.mu.Unlock()
		w.jobs.Go(func() {
			defer func() {
				w.mu.Lock()
				w.running-- // before the slot is free: who takes it may ask
				w.mu.Unlock()
				<-w.slots
			}()
			w.work(ctx, held{Delivery: d, queue: name, got: time.Now()})
		})
	}
	return len(got), err
}

// mostReceived is how many messages one request brings.
const mostReceived = 10

// take waits for a slot and takes all that are free, as many as one request can fill.
// The order of a FIFO queue holds where one message of it is asked for at a time: no
// other of its group comes before it is deleted.
func (w *Worker) take(ctx context.Context, name string) (n int) {
	select {
	case w.slots <- struct{}{}:
		n = 1
	case <-w.hurry:
		return 0
	case <-ctx.Done():
		return 0
	}
	for n < mostReceived && !IsFIFO(name) {
		select {
		case w.slots <- struct{}{}:
			n++
		default:
			return n
		}
	}
	return n
}

func (w *Worker) draining() bool {
	select {
	case <-w.hurry:
		return true
	default:
		return false
	}
}

// idle reports whether nothing runs.
func (w *Worker) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running == 0
}

// await waits a moment, if something runs.
func (w *Worker) await(ctx context.Context) {
	if !w.idle() {
		w.pause(ctx, glance)
	}
}

// pause waits, unless the worker drains.
func (w *Worker) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.hurry:
	case <-ctx.Done():
	}
}
