package jobqueue

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"
	"unicode"
)

// held is a message that is worked on.
type held struct {
	Delivery
	queue string
	got   time.Time
}

// Outcome is how a job ended.
type Outcome struct {
	Code           int    // of its exit; -1 where a signal ended it, or it was not begun
	Signal         string // that ended it, such as SIGTERM
	Stdout, Stderr string
	Err            error // why it failed, in one line; nil: it succeeded
}

// What an Event is about.
const (
	Queued    = "QUEUES_FOUND"   // which queues are listened to has changed
	Listening = "QUEUE_LISTENED" // for people who watch
	Started   = "JOB_STARTED"
	Held      = "JOB_EXTENDED" // its message stays hidden
	Succeeded = "JOB_SUCCEEDED"
	Failed    = "JOB_FAILED"
	Refused   = "JOB_REFUSED"     // it was not executed; why, and that it is in the failed queue
	Stopped   = "WORKER_FINISHED" // the last
)

// Event is what happens, as it is printed: qdone's fields first, each there only where
// there is something to say.
type Event struct {
	Event        string    `json:"event"`
	Timestamp    time.Time `json:"timestamp"`
	Job          string    `json:"job,omitempty"`
	Command      string    `json:"command,omitempty"`
	ExitCode     *int      `json:"exitCode,omitempty"`
	KillSignal   string    `json:"killSignal,omitempty"`
	Stdout       string    `json:"stdout,omitempty"`
	Stderr       string    `json:"stderr,omitempty"`
	ErrorMessage string    `json:"errorMessage,omitempty"`

	Queue    string   `json:"queue,omitempty"`
	Seconds  float64  `json:"seconds,omitempty"`
	Receives int      `json:"receives,omitempty"`
	Queues   []string `json:"queues,omitempty"`
	Tally    *Tally   `json:"tally,omitempty"`
}

// work runs one job and says to its queue what came of it.
func (w *Worker) work(ctx context.Context, d held) {
	job, err := w.c.Codec.Unpack(w.c.Names.Main(d.queue), d.Body, d.Attrs)
	e := Event{Timestamp: time.Now().UTC(), Job: d.ID, Queue: w.c.Names.Short(d.queue), Receives: d.Receives}
	if err != nil {
		w.refuse(ctx, d, e, err)
		return
	}
	e.Command = job.String()
	e.Event = Started
	w.c.Report(e)

	running, end := context.WithCancelCause(ctx)
	holding := make(chan struct{})
	go func() {
		defer close(holding)
		w.hold(running, d, func(err error) { end(errors.Join(ErrLost, err)) })
	}()
	out := w.c.Run(running, d.ID, job)
	lost := errors.Is(context.Cause(running), ErrLost)

	e.Timestamp, e.Seconds = time.Now().UTC(), time.Since(d.got).Round(time.Millisecond).Seconds()
	e.Stdout, e.Stderr, e.KillSignal = out.Stdout, out.Stderr, out.Signal
	e.Event = Succeeded
	if out.Err != nil {
		e.Event, e.ErrorMessage = Failed, out.Err.Error()
		if out.Code > 0 {
			e.ExitCode = &out.Code
		}
	}
	w.count(func(t *Tally) {
		if out.Err == nil {
			t.Succeeded++
		} else {
			t.Failed++
		}
	})
	w.c.Report(e)
	if !lost {
		w.tell(ctx, d, e) // while the message is held
	}
	end(nil)
	<-holding
	switch {
	case out.Err == nil:
		w.settle(ctx, d, func(ctx context.Context) error { return w.c.Queues.Delete(ctx, d.queue, d.Receipt) })
	case !lost:
		w.giveUp(ctx, d)
	}
}

// tell sends what came of a job to whoever waits for it. The job has run, so where that
// fails it leaves its queue all the same.
func (w *Worker) tell(ctx context.Context, d held, e Event) {
	if w.c.Tell == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := w.c.Tell(ctx, e); err != nil {
		w.c.Log.Error("outcome of a job not sent: it is known here only", "queue", d.queue, "job", d.ID, "error", err)
	}
}

// retryAfter is how long a job that has failed stays hidden where it comes back to the
// same queue.
const retryAfter = firstLease

// giveUp lets a message go whose job has failed: shown at once it moves to the failed
// queue as soon as somebody receives. Where it comes back, since its queue allows more
// than one try or has no failed queue, it must not come at once again and again; and
// in a failed queue it stays.
func (w *Worker) giveUp(ctx context.Context, d held) {
	wait := time.Duration(0)
	if d.Receives > 1 || w.c.Names.isFailed(d.queue) {
		wait = min(retryAfter<<min(max(d.Receives, 1)-1, 5), MaxDelay)
		if time.Since(d.got) < firstLease/2 && wait == retryAfter {
			return // it is hidden for about as long anyway: no request is needed
		}
	}
	w.settle(ctx, d, func(ctx context.Context) error {
		err := w.c.Queues.Extend(ctx, d.queue, d.Receipt, wait)
		if errors.Is(err, ErrLeaseLost) {
			return nil // it was visible already
		}
		return err
	})
}

// patience is for how long a queue is told what came of a job.
const patience = 20 * time.Second

// settle tells the queue, also where the worker was killed meanwhile.
func (w *Worker) settle(ctx context.Context, d held, tell func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := tell(ctx); err != nil {
		w.c.Log.Error("queue not told of the end of a job: it will be seen again", "queue", d.queue, "job", d.ID, "error", err)
	}
}

// refuse moves what cannot be executed to the failed queue, with the reason. What is
// in one stays there.
func (w *Worker) refuse(ctx context.Context, d held, e Event, why error) {
	e.Event, e.ErrorMessage = Refused, why.Error()
	w.count(func(t *Tally) { t.Refused++ })
	w.c.Report(e)
	w.tell(ctx, d, e)
	if w.c.Names.isFailed(d.queue) {
		return
	}
	attrs := maps.Clone(d.Attrs)
	if attrs == nil {
		attrs = map[string]string{}
	}
	if len(attrs) >= mostAttrs { // somebody else's: there must be room for the reason
		maps.DeleteFunc(attrs, func(name, _ string) bool { return !strings.HasPrefix(name, "ramify-") })
	}
	attrs[AttrReason] = text(why.Error(), 500)
	w.settle(ctx, d, func(ctx context.Context) error {
		p := Posting{Queue: w.c.Names.Failed(d.queue), Body: d.Body, Attrs: attrs}
		if IsFIFO(p.Queue) {
			p.Group, p.Dedup = d.Group, d.ID
		}
		if err := w.c.Queues.Send(ctx, []Posting{p})[0].Err; err != nil {
			return err
		}
		return w.c.Queues.Delete(ctx, d.queue, d.Receipt)
	})
}

// text is what a message attribute can carry.
func text(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return s[:len(strings.ToValidUTF8(s[:min(most, len(s))], ""))]
}

func (w *Worker) count(change func(*Tally)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.tally)
}
