package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ramify/ramify/jobqueue"
	sqsqueues "github.com/ramify/ramify/jobqueue/sqs"
	"github.com/ramify/ramify/jobs"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	programs "github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/queue/sqs"
	"github.com/ramify/ramify/schema"
)

// routes are the queues of a fleet on which its jobs wait.
type routes struct {
	cfg  aws.Config
	of   func(kind string, args schema.Args) string
	here string // the fleet's own: what waits there needs no other

	mu     sync.Mutex
	queues map[string]*elsewhere
}

// newRoutes is nil where jobs name no queue: all wait where the run is.
func newRoutes(cfg aws.Config, file *jobs.File, here string) *routes {
	if file == nil || !file.Routed() {
		return nil
	}
	return &routes{cfg: cfg, of: programs.Route(file), here: here, queues: map[string]*elsewhere{}}
}

// route is the way of a poster; nil of none.
func (r *routes) route() post.Route {
	if r == nil {
		return nil
	}
	return func(kind string, args schema.Args) post.Sender {
		name := r.of(kind, args)
		if name == "" || name == r.here {
			return nil
		}
		return r.queue(name)
	}
}

func (r *routes) queue(name string) *elsewhere {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues[name]
	if q == nil {
		q = &elsewhere{cfg: r.cfg, name: name}
		r.queues[name] = q
	}
	return q
}

// check looks whether the queues are there that a start of a job may come to.
func (r *routes) check(ctx context.Context, file *jobs.File, job string) error {
	if r == nil {
		return nil
	}
	for _, j := range file.Reach(job) {
		names := j.Queues
		if len(names) != 1 && file.Queue != "" {
			names = append(slices.Clone(names), file.Queue)
		}
		for _, name := range names {
			if name == r.here {
				continue
			}
			if _, err := r.queue(name).open(ctx); err != nil {
				return fmt.Errorf("job %s waits on queue %s: %w; `ramify setup --queue %s` makes it", j.Name, name, err, name)
			}
		}
	}
	return nil
}

func (r *routes) close() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.queues {
		q.close()
	}
}

// elsewhere is a queue that is opened when something is first posted to it.
type elsewhere struct {
	cfg  aws.Config
	name string

	mu sync.Mutex
	q  *sqs.Queue // nil: not yet opened
}

var _ post.Sender = (*elsewhere)(nil)

// Send implements post.Sender.
func (e *elsewhere) Send(ctx context.Context, entries []queue.Entry) []error {
	q, err := e.open(ctx)
	if err == nil {
		return q.Send(ctx, entries)
	}
	errs := make([]error, len(entries))
	for i := range errs {
		errs[i] = fmt.Errorf("post to queue %s: %w", e.name, err)
	}
	return errs
}

func (e *elsewhere) open(ctx context.Context) (*sqs.Queue, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.q != nil {
		return e.q, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	q, err := sqs.Open(ctx, e.cfg, e.name)
	if err != nil {
		return nil, err
	}
	e.q = q
	return q, nil
}

func (e *elsewhere) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.q != nil {
		_ = e.q.Close()
	}
}

// openRoutes finds the queues of a fleet's jobs, and refuses a root whose job could not
// come to its end there.
func (f *fleet) openRoutes(ctx context.Context, file *jobs.File, root ledger.Kid) error {
	var a struct{ Job string }
	_ = json.Unmarshal(root.Args, &a) // what is wrong with them, the processor says best
	if file == nil || !isCommand(root.Kind) || a.Job == "" {
		return nil
	}
	if f.Ledger == ledgerNone {
		if err := checkJoins(file, a.Job); err != nil {
			return err
		}
	}
	f.routes = newRoutes(f.cfg, file, f.main.Name())
	return f.routes.check(ctx, file, a.Job)
}

// outcomes sends what came of jobs to queues, which are made on demand.
type outcomes struct {
	open func(context.Context) (jobqueue.Queues, func(), error)

	mu     sync.Mutex
	queues jobqueue.Queues // nil: not yet opened
	end    func()
}

// onSQS are outcomes that go to queues of SQS.
func onSQS(cfg aws.Config) *outcomes {
	return &outcomes{open: func(context.Context) (jobqueue.Queues, func(), error) {
		q := sqsqueues.New(cfg, sqsqueues.Options{})
		return q, func() { _ = q.Close() }, nil
	}}
}

// onMachine are outcomes that go to queues of this machine.
func onMachine(g *cli) *outcomes {
	return &outcomes{open: func(ctx context.Context) (jobqueue.Queues, func(), error) {
		return (&queueFlags{Local: true}).openQueues(ctx, g, 1)
	}}
}

// send sends one.
func (o *outcomes) send(ctx context.Context, to string, outcome []byte) error {
	q, err := o.opened(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return q.Send(ctx, []jobqueue.Posting{{Queue: to, Body: outcome}})[0].Err
}

func (o *outcomes) opened(ctx context.Context) (jobqueue.Queues, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.queues == nil {
		q, end, err := o.open(ctx)
		if err != nil {
			return nil, err
		}
		o.queues, o.end = q, end
	}
	return o.queues, nil
}

func (o *outcomes) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end != nil {
		o.end()
	}
	o.queues, o.end = nil, nil
}

// errNoLedger is why a flow cannot be without a ledger.
var errNoLedger = errors.New("nobody would know when what it waits for has succeeded: want --ledger dynamodb:TABLE")

// checkJoins refuses jobs that wait for others where nothing is known about runs.
func checkJoins(file *jobs.File, job string) error {
	var waits []string
	for _, j := range file.Reach(job) {
		if j.Joins() {
			waits = append(waits, j.Name)
		}
	}
	if len(waits) == 0 {
		return nil
	}
	return usagef("job %s comes to %s, which waits for others, and without a ledger %w", job, strings.Join(waits, ", "), errNoLedger)
}
