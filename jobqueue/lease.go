package jobqueue

import (
	"context"
	"errors"
	"time"
)

// firstLease is for how long a message is hidden when it is received.
const firstLease = 30 * time.Second

// longest is how long a message can be held. Source: Amazon SQS Developer Guide,
// "Amazon SQS visibility timeout".
const longest = 12 * time.Hour

// ErrLost is why a job is ended whose message was given to somebody else.
var ErrLost = errors.New("its message is no longer held: another worker may run it")

// lease is how long a message that is worked on stays hidden: at half of it, twice as
// long is asked for, so that a job of any length takes few requests, and never longer
// than the job may take.
type lease struct {
	most time.Duration // that the message may be held
	span time.Duration // of what was last asked for
	ends time.Duration // since the message was received
}

func newLease(killAfter time.Duration) *lease {
	most := longest
	if killAfter > 0 {
		most = min(most, killAfter)
	}
	return &lease{most: most, span: firstLease, ends: firstLease}
}

// next is when to ask for more, since the message was received; false if never. What is
// less than a second cannot be asked for.
func (l *lease) next() (time.Duration, bool) {
	if l.most-l.ends < time.Second {
		return 0, false
	}
	return l.ends - l.span/2, true
}

// ask is for how long to ask at an age, in whole seconds: a part of one would take it
// beyond the most.
func (l *lease) ask(age time.Duration) time.Duration {
	return max(min(2*l.span, l.most-age).Truncate(time.Second), time.Second)
}

// got takes note of what was given at an age.
func (l *lease) got(age, span time.Duration) { l.span, l.ends = span, age+span }

// hold keeps a message hidden until ctx ends. Where that fails until it is visible, or
// it is given to somebody else, it calls lost.
func (w *Worker) hold(ctx context.Context, d held, lost func(error)) {
	l := newLease(w.c.KillAfter)
	for {
		at, more := l.next()
		if !more || !sleep(ctx, time.Until(d.got.Add(at))) {
			return
		}
		for {
			age := time.Since(d.got)
			span := l.ask(age)
			err := w.c.Queues.Extend(ctx, d.queue, d.Receipt, span)
			if err == nil {
				l.got(age, span)
				w.c.Report(Event{Event: Held, Timestamp: time.Now().UTC(), Job: d.ID, Queue: w.c.Names.Short(d.queue), Seconds: span.Seconds()})
				break
			}
			if ctx.Err() != nil {
				return
			}
			if errors.Is(err, ErrLeaseLost) || time.Since(d.got) >= l.ends {
				lost(err)
				return
			}
			w.c.Log.Warn("job not held longer; it is tried again", "queue", d.queue, "job", d.ID, "error", err)
			if !sleep(ctx, time.Second) {
				return
			}
		}
	}
}

// sleep waits, and reports false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
