package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
)

// errStopped is the cause with which reads of the source are cancelled.
var errStopped = errors.New("the follower stops")

const (
	redraw   = 250 * time.Millisecond // of a status line
	refresh  = time.Second            // of a table, and of what is logged less often
	logEvery = 5 * time.Second
	// With a source that fails, since it last did not: a server that is gone for a minute
	// is waited for, though the last read began before and one takes long to fail.
	patience = 5 * time.Minute
)

// Follower reads a source again and again and shows what it read, until the run
// is over or it is stopped.
type Follower struct {
	source Source
	every  time.Duration
	show   func(Reading)
	end    func() // after the last reading was shown

	cancel context.CancelCauseFunc
	done   chan struct{}

	mu   sync.Mutex
	last Reading
	err  error
}

func follow(source Source, every time.Duration, show func(Reading), end func()) *Follower {
	return &Follower{source: source, every: every, show: show, end: end, done: make(chan struct{})}
}

// Line follows a run in one line at the bottom of a terminal, redrawn four times
// a second and cleared at the end. What is written to the terminal meanwhile
// appears above it. Where there is no terminal it shows nothing: use Log.
func Line(t *Terminal, source Source) *Follower {
	frame := 0
	show := func(r Reading) {
		if t.TTY() {
			width, _ := t.area()
			t.Show(t.line(r, frame, width-1))
			frame++
		}
	}
	return follow(source, redraw, show, func() { t.Show() })
}

// Watch follows a run in a table with a chart, refreshed in place every second, which
// stays when the run is over; nothing of the terminal needs to be restored. Where there is
// no terminal it follows in a line every five seconds and at the end.
func Watch(t *Terminal, source Source) *Follower {
	if t.TTY() {
		show := func(r Reading) {
			width, height := t.area()
			t.Show(t.panel(r, width, height)...)
		}
		return follow(source, refresh, show, t.Keep)
	}
	show := sometimes(func(r Reading) {
		fmt.Fprintln(t, t.line(r, -1, 1000))
	})
	return follow(source, refresh, show, func() {})
}

// Log follows a run in a log record "progress" every five seconds, the first
// after that time: for where there is no terminal.
func Log(log *slog.Logger, source Source) *Follower {
	begun := false
	show := sometimes(func(r Reading) {
		if begun && !r.State.Over() { // the end has a record of its own
			log.LogAttrs(context.Background(), slog.LevelInfo, "progress", r.attrs()...)
		}
		begun = true
	})
	return follow(source, refresh, show, func() {})
}

// sometimes passes on the first reading, one every five seconds, and the last.
func sometimes(show func(Reading)) func(Reading) {
	var next time.Time
	return func(r Reading) {
		if r.At.Before(next) && !r.State.Over() {
			return
		}
		next = r.At.Add(logEvery)
		show(r)
	}
}

// Start begins to follow and returns at once. It goes on until Stop, or until
// ctx ends.
func (f *Follower) Start(ctx context.Context) {
	ctx, f.cancel = context.WithCancelCause(ctx)
	go func() {
		defer close(f.done)
		f.run(ctx)
		f.end()
	}()
}

// Stop ends it and returns when nothing is shown any more. It may be called more
// than once, and after the run is over.
func (f *Follower) Stop() {
	f.cancel(errStopped)
	<-f.done
}

// Done is closed when it has ended: the run is over, the source has failed for
// good, or it was stopped.
func (f *Follower) Done() <-chan struct{} { return f.done }

// Last is the last reading, and the error for which it ended, nil if the run is
// over or it was stopped.
func (f *Follower) Last() (Reading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.err
}

func (f *Follower) run(ctx context.Context) {
	var meter Meter
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	good := time.Now()
	for {
		s, err := f.source(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			good = time.Now()
			r := meter.Observe(s)
			f.keep(r, nil)
			f.show(r)
			if s.State.Over() {
				return
			}
		case errors.Is(err, ledger.ErrNoRun), errors.Is(err, ledger.ErrClosed), time.Since(good) > patience:
			f.keep(f.last, fmt.Errorf("read figures of run: %w", err))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *Follower) keep(r Reading, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.err = r, err
}
