package sqsd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/sqs"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/webhook"
)

// Source is the queue: an *sqs.Queue.
type Source interface {
	Name() string
	ReceiveWhole(ctx context.Context, r queue.Request) ([]sqs.Whole, error)
	Delete(ctx context.Context, receipts []queue.Receipt) []error
	Extend(ctx context.Context, leases []queue.Lease) []error
}

// Application is where messages go: a *webhook.Client.
type Application interface {
	Await(ctx context.Context) error
	Post(ctx context.Context, w *webhook.Work) (webhook.Answer, error)
}

// DefaultVisibility is not Elastic Beanstalk's: the lease is extended while the
// application works, so it can be short.
const DefaultVisibility = time.Minute

// How the daemon waits.
const (
	longPoll = 20 * time.Second
	patience = 10 * time.Second // for the queue, to take note of what has become of a message
	pause    = time.Second      // after a receive that failed, or an application that is away
	longest  = 12 * time.Hour   // that SQS holds a message
)

// ErrStopped is the cause with which a request ends whose daemon has no more time.
var ErrStopped = errors.New("the daemon stops")

// Options of a Daemon.
type Options struct {
	Queue           Source
	Application     Application
	Connections     int           // messages at the application at a time; default webhook.DefaultConnections
	Visibility      time.Duration // of what is received; extended while the application works
	ErrorVisibility time.Duration // until a message is seen again that was not answered by 200; 0: at once
	Grace           time.Duration // for what is under way when the daemon stops
	Log             *slog.Logger  // default: discard
	Trouble         func(error)   // is told of each receive that fails; may be nil
}

// Daemon passes messages on until it is stopped. It makes nothing of an answer but
// whether it is 200: then the message is deleted. Any other answer, none at all, or an
// application that cannot be reached lets it be seen again, after ErrorVisibility or,
// if it is longer, what Retry-After asks for; the queue counts receives, and moves the
// message to its dead-letter queue when there were too many.
//
// A message of Ramify's own is not passed on: it is a node, and its processor would
// not be the one it was meant for.
type Daemon struct {
	o     Options
	slots chan struct{}

	ctx     context.Context // of requests to the application
	cancel  context.CancelCauseFunc
	receive context.Context // ends when Stop begins
	close   context.CancelFunc
	done    sync.WaitGroup
	held    atomic.Int64

	delivered, failed atomic.Int64
}

// New makes a daemon.
func New(o Options) *Daemon {
	if o.Connections <= 0 {
		o.Connections = webhook.DefaultConnections
	}
	if o.Visibility <= 0 {
		o.Visibility = DefaultVisibility
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Trouble == nil {
		o.Trouble = func(error) {}
	}
	return &Daemon{o: o, slots: make(chan struct{}, o.Connections)}
}

// Start begins to receive, once the application is up, until Stop. ctx gives values
// alone.
func (d *Daemon) Start(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	d.receive, d.close = context.WithCancel(ctx)
	d.done.Go(d.run)
}

// Stop receives nothing more, gives what is under way its grace, and returns the rest
// to the queue.
func (d *Daemon) Stop() {
	d.close()
	timer := time.AfterFunc(d.o.Grace, func() { d.cancel(ErrStopped) })
	defer timer.Stop()
	d.done.Wait()
	d.cancel(ErrStopped)
}

// Idle reports whether no message is held.
func (d *Daemon) Idle() bool { return d.held.Load() == 0 }

// Counts are how many messages were delivered, and how many attempts failed.
func (d *Daemon) Counts() (delivered, failed int64) { return d.delivered.Load(), d.failed.Load() }

// run receives as many as there are connections free.
func (d *Daemon) run() {
	for d.receive.Err() == nil {
		// What would be received while the application is away would only use up
		// receives.
		if err := d.o.Application.Await(d.receive); err != nil {
			if d.receive.Err() == nil {
				d.o.Log.Warn("waiting for the application", "error", err)
			}
			continue
		}
		n := d.take()
		if n == 0 {
			return
		}
		got, err := d.o.Queue.ReceiveWhole(d.receive, queue.Request{Max: n, Wait: longPoll, Visibility: d.o.Visibility})
		for range n - len(got) {
			<-d.slots
		}
		for i := range got {
			d.held.Add(1)
			d.done.Go(func() {
				defer func() {
					d.held.Add(-1)
					<-d.slots
				}()
				d.pass(&got[i])
			})
		}
		if err != nil && d.receive.Err() == nil {
			d.o.Trouble(err)
			d.rest()
		}
	}
}

// take takes up to ten free slots, waiting for the first; none where the daemon stops.
func (d *Daemon) take() (n int) {
	select {
	case d.slots <- struct{}{}:
		n++
	case <-d.receive.Done():
		return 0
	}
	for ; n < 10; n++ {
		select {
		case d.slots <- struct{}{}:
		default:
			return n
		}
	}
	return n
}

func (d *Daemon) rest() {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.receive.Done():
	}
}

// pass passes one message on, and sees to what becomes of it.
func (d *Daemon) pass(m *sqs.Whole) {
	if err := d.foreign(m); err != nil {
		d.o.Log.Error("message not passed on", "message", m.ID, "error", err)
		d.letGo(m, d.o.ErrorVisibility)
		return
	}
	ctx, release := d.hold(m)
	_, err := d.o.Application.Post(ctx, work(d.o.Queue.Name(), m))
	release()
	status := (*webhook.StatusError)(nil)
	switch {
	// It is done; what the answer says is for nobody here.
	case err == nil, errors.Is(err, webhook.ErrAnswer):
		d.delivered.Add(1)
		d.delete(m)
	case errors.Is(err, ErrStopped):
		d.letGo(m, 0)
	case errors.Is(err, queue.ErrLeaseLost): // another delivery goes on
		d.failed.Add(1)
		d.o.Log.Warn("message was lost while the application worked on it", "message", m.ID)
	default:
		d.failed.Add(1)
		wait := d.o.ErrorVisibility
		if errors.As(err, &status) {
			wait = max(wait, status.After)
		}
		d.o.Log.Warn("message not done, it will be seen again", "message", m.ID, "receives", m.Receives, "after", wait.String(), "error", err)
		d.letGo(m, wait)
	}
}

// foreign reports what is wrong with a message that is one of ours.
func (d *Daemon) foreign(m *sqs.Whole) error {
	if m.Attrs[schema.AttrSignature] == "" {
		if _, err := schema.Parse(m.Body); err != nil {
			return nil //nolint:nilerr // no node is what is wanted
		}
	}
	return errors.New("it is a node of ramify: work on this queue by `ramify task` without --compat")
}

// hold extends the lease of a message until it is released; the context ends with
// queue.ErrLeaseLost where that is no longer possible.
func (d *Daemon) hold(m *sqs.Whole) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(d.ctx)
	over := make(chan struct{})
	var extending sync.WaitGroup
	extending.Go(func() {
		tick := time.NewTicker(d.o.Visibility / 2)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			err := d.extend(m, d.o.Visibility)
			if errors.Is(err, queue.ErrLeaseLost) {
				cancel(err)
				return
			}
			if err != nil {
				d.o.Log.Warn("lease not extended, it is tried again", "message", m.ID, "error", err)
			}
		}
	})
	return ctx, func() {
		close(over)
		extending.Wait()
		cancel(nil)
	}
}

func (d *Daemon) extend(m *sqs.Whole, by time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), patience)
	defer cancel()
	return d.o.Queue.Extend(ctx, []queue.Lease{{Receipt: m.Receipt, Visibility: by}})[0]
}

// letGo lets a message be seen again after a while. If that fails, its lease runs out.
func (d *Daemon) letGo(m *sqs.Whole, after time.Duration) {
	// SQS counts twelve hours from the receipt.
	if err := d.extend(m, min(after, longest-time.Minute)); err != nil && !errors.Is(err, queue.ErrLeaseLost) {
		d.o.Log.Warn("message not returned, its lease runs out", "message", m.ID, "error", err)
	}
}

func (d *Daemon) delete(m *sqs.Whole) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), patience)
	defer cancel()
	if err := d.o.Queue.Delete(ctx, []queue.Receipt{m.Receipt})[0]; err != nil {
		d.o.Log.Error("message is done and not deleted: it will be delivered again", "message", m.ID, "error", fmt.Errorf("delete message: %w", err))
	}
}
