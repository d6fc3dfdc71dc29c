package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/ramify/ramify/jobs"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// The kinds of nodes that a program processes.
const (
	Kind = "command"
	// ReduceKind is that of jobs with a reduce. It is a kind of its own because a
	// node that reduces cannot be processed inline.
	ReduceKind = "command.reduce"
)

// Options are what programs are run by.
type Options struct {
	// Jobs are the jobs that there are; nil is none, and each node an error.
	Jobs *jobs.File
	// Environ is what variables are passed on from, NAME=value; nil is this
	// process's own.
	Environ []string
	// Results sends an outcome to a queue; nil: none can be sent.
	Results func(ctx context.Context, queue string, outcome []byte) error
}

// Processor runs the programs of jobs that do not reduce.
type Processor struct{ o Options }

var _ processor.Fallback = (*Processor)(nil)

// New makes the processor of Kind.
func New(o Options) *Processor { return &Processor{o} }

// Process runs the program of a node's job, with the node's parameters.
func (p *Processor) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	return p.process(ctx, n, out)
}

// Reducer runs the programs of jobs that reduce.
type Reducer struct{ p Processor }

var (
	_ processor.Reducer  = (*Reducer)(nil)
	_ processor.Fallback = (*Reducer)(nil)
)

// NewReducer makes the processor of ReduceKind.
func NewReducer(o Options) *Reducer { return &Reducer{Processor{o}} }

// Process is that of Processor.
func (r *Reducer) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	return r.p.process(ctx, n, out)
}

// Reduce runs the second program of a node's job. It finds the account on its
// standard input, in the node.
func (r *Reducer) Reduce(ctx context.Context, n *processor.Node, sum schema.Account, out processor.Out) error {
	t, err := r.p.task(n)
	if err != nil {
		return processor.Permanent(err)
	}
	_, err = t.run(ctx, out, t.job.Reduce, &sum)
	return err
}

func (p *Processor) process(ctx context.Context, n *processor.Node, out processor.Out) error {
	t, err := p.task(n)
	switch {
	case err != nil:
		return processor.Permanent(err)
	case t.failsAgain():
		return processor.Permanent(errors.New(t.a.GivenUp.Error))
	case t.job.Run == nil:
		return t.succeeded(out, nil)
	}
	end, err := t.run(ctx, out, t.job.Run, nil)
	if err != nil {
		return err
	}
	return t.succeeded(out, &end)
}

// task is one attempt at a node.
type task struct {
	o      Options
	n      *processor.Node
	a      *args
	job    *jobs.Job
	values jobs.Values
}

// task reads what is to be done. No retry mends what is wrong with that.
func (p *Processor) task(n *processor.Node) (*task, error) {
	a, err := parseArgs(n.Args)
	if err != nil {
		return nil, err
	}
	job, values, err := find(p.o.Jobs, a)
	if err != nil {
		return nil, err
	}
	if kind := a.kind(job); kind != n.Kind {
		return nil, &schema.FieldError{Field: "kind", Value: n.Kind, Want: kind + ", as job " + job.Name + " is now: has it changed?"}
	}
	return &task{p.o, n, a, job, values}, nil
}

// errNoJobs is why a node is given up on a machine that was told of no jobs.
var errNoJobs = errors.New("there are no jobs on this machine: name a file by --jobs or RAMIFY_JOBS")

func find(file *jobs.File, a *args) (*jobs.Job, jobs.Values, error) {
	if file == nil {
		return nil, nil, fmt.Errorf("find job %s: %w", a.Job, errNoJobs)
	}
	job, err := file.Job(a.Job)
	if err != nil {
		return nil, nil, err
	}
	values, err := job.Values(a.Params)
	return job, values, err
}

// run runs one of the job's programs, and makes of its end what it means.
func (t *task) run(ctx context.Context, out processor.Out, p jobs.Program, sum *schema.Account) (ended, error) {
	prog, err := t.program(p, sum)
	if err != nil {
		return ended{}, processor.Permanent(fmt.Errorf("run job %s: %w", t.job.Name, err))
	}
	lines := &lines{t: t, out: out}
	end, err := prog.run(ctx, lines)
	if err == nil {
		err = lines.end()
	}
	switch {
	case ctx.Err() != nil:
		return end, context.Cause(ctx)
	case err == nil && t.verdict(end) == jobs.Done:
		return end, nil
	case err == nil:
		err = &ExitError{Job: t.job.Name, Timeout: end.expired, Limit: t.job.Timeout, Code: end.code, Signal: end.signal, Stdout: end.stdout, Stderr: end.stderr}
	default:
		err = fmt.Errorf("run job %s: %w", t.job.Name, err)
	}
	if processor.IsPermanent(err) || t.verdict(end) == jobs.GiveUp || t.job.Retries >= 0 && t.n.Tries >= t.job.Retries {
		return end, processor.Permanent(err)
	}
	return end, err
}

// verdict is what the end of a program means. Whoever was killed may do better.
func (t *task) verdict(end ended) jobs.Verdict {
	if end.expired || end.code < 0 {
		return jobs.Retry
	}
	return t.job.Exits.Of(end.code)
}
