package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ramify/ramify/jobs"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// FlowKind is that of nodes at which jobs wait for others, and others for them: no
// program is run there. They have children in both steps (processor.Sequel).
const FlowKind = "command.flow"

// A job is one node, unless it waits for something or something for it: then a node
// of FlowKind stands above that, and what is left of the job below it.
const (
	stageAll   = ""      // nothing of it has been done
	stageReady = "ready" // what it needs has succeeded
	stageRun   = "run"   // its program is to be run
	stageAfter = "after" // it has succeeded on all its queues
)

// step is what a node does of its job.
type step int

const (
	stepRun    step = iota // run the program, and start what follows
	stepNeeds              // start what it needs; then go on
	stepSpread             // start it on each of its queues; then what follows
	stepJoin               // run it; then, when all below it has succeeded, what joins
	stepAfter              // start what follows a success; then what joins
)

func (a *args) step(j *jobs.Job) step {
	switch {
	case a.Stage == stageAfter:
		return stepAfter
	case a.Stage == stageRun:
		return stepRun
	case a.Stage == stageAll && len(j.Needs) > 0:
		return stepNeeds
	case len(j.Queues) > 1:
		return stepSpread
	case len(j.Join) > 0:
		return stepJoin
	}
	return stepRun
}

// kind is that of a node of a job.
func (a *args) kind(j *jobs.Job) string {
	switch {
	case a.step(j) != stepRun:
		return FlowKind
	case j.Reduces():
		return ReduceKind
	}
	return Kind
}

// givenUp is of a node that is what is left of a job that was given up.
type givenUp struct {
	Epoch int    `json:"epoch"` // in which it fails; in a later one it is run anew
	Error string `json:"error"`
}

// cause is why a job runs that another one names under on_failure.
type cause struct {
	Job   string `json:"job"`
	Error string `json:"error"`
}

// Flow has jobs wait for each other.
type Flow struct{ p Processor }

var _ processor.Sequel = (*Flow)(nil)

// NewFlow makes the processor of FlowKind.
func NewFlow(o Options) *Flow { return &Flow{Processor{o}} }

// Sequel marks that the second step has children.
func (*Flow) Sequel() {}

// Process reveals what comes first.
func (f *Flow) Process(_ context.Context, n *processor.Node, out processor.Out) error {
	t, err := f.p.task(n)
	if err != nil {
		return processor.Permanent(err)
	}
	switch t.a.step(t.job) {
	case stepNeeds:
		err = t.start(out, t.job.Needs, nil)
	case stepSpread:
		for _, queue := range t.job.Queues {
			if err = t.reveal(out, t.job, &args{Job: t.a.Job, Params: t.a.Params, Cause: t.a.Cause, Stage: stageRun, Queue: queue}, false); err != nil {
				break
			}
		}
	case stepJoin:
		err = t.goOn(out, stageRun)
	case stepAfter:
		err = t.start(out, t.job.OnSuccess, nil)
	default:
		err = processor.Permanent(fmt.Errorf("run job %s: there is nothing that it waits for any more: has it changed?", t.job.Name))
	}
	return err
}

// Reduce reveals what comes when all that has succeeded.
func (f *Flow) Reduce(_ context.Context, n *processor.Node, _ schema.Account, out processor.Out) error {
	t, err := f.p.task(n)
	if err != nil {
		return processor.Permanent(err)
	}
	switch step := t.a.step(t.job); {
	case step == stepNeeds:
		return t.goOn(out, stageReady)
	case step == stepSpread && len(t.job.Join) > 0:
		return t.goOn(out, stageAfter)
	case step == stepSpread:
		return t.start(out, t.job.OnSuccess, nil)
	default:
		return t.start(out, t.job.Join, nil)
	}
}

// goOn reveals what is left of the job.
func (t *task) goOn(out processor.Out, stage string) error {
	next := *t.a
	next.Stage, next.GivenUp = stage, nil
	return t.reveal(out, t.job, &next, true)
}

// start reveals jobs that this one starts.
func (t *task) start(out processor.Out, starts []jobs.Start, why *cause) error {
	for _, s := range starts {
		fail := func(err error) error {
			return fmt.Errorf("start job %s after job %s: %w", s.Job, t.job.Name, err)
		}
		of, err := t.o.Jobs.Job(s.Job)
		if err != nil {
			return processor.Permanent(fail(err))
		}
		a := &args{Job: s.Job, Params: t.job.Given(s, of, t.values), Cause: why}
		if _, err := of.Values(a.Params); err != nil {
			return processor.Permanent(fail(err))
		}
		if err := t.reveal(out, of, a, false); err != nil {
			return fail(err)
		}
	}
	return nil
}

func (t *task) reveal(out processor.Out, j *jobs.Job, a *args, rest bool) error {
	c, err := child(j, a)
	if err != nil {
		return err
	}
	c.Rest = rest
	return out.Child(c)
}

// succeeded reveals what follows a program that has succeeded.
func (t *task) succeeded(out processor.Out, end *ended) error {
	if t.a.Queue == "" || len(t.job.Queues) < 2 { // of a start on several queues it waits for all
		if err := t.start(out, t.job.OnSuccess, nil); err != nil {
			return err
		}
	}
	return t.tell(out, end, nil)
}

// GiveUp reveals what follows a job that is given up: what is left of it, which fails
// as it has until a redrive runs it anew, and the jobs of on_failure.
func (p *Processor) GiveUp(_ context.Context, n *processor.Node, why error, out processor.Out) error {
	t, err := p.task(n)
	if err != nil || t.failsAgain() {
		return nil //nolint:nilerr // that is why it is given up
	}
	if len(t.job.OnFailure) == 0 && t.results() == "" {
		return nil
	}
	said := plain(why.Error(), mostCause)
	left := *t.a
	left.Stage, left.Key = stageRun, t.id()
	left.GivenUp = &givenUp{Epoch: n.Epoch, Error: said}
	return errors.Join(
		t.reveal(out, t.job, &left, true),
		t.start(out, t.job.OnFailure, &cause{Job: t.job.Name, Error: said}),
		t.tell(out, nil, why),
	)
}

// GiveUp is that of Processor.
func (r *Reducer) GiveUp(ctx context.Context, n *processor.Node, why error, out processor.Out) error {
	return r.p.GiveUp(ctx, n, why, out)
}

// mostCause is the most bytes of an error that is handed on.
const mostCause = 1000

// plain is a text that a message, and a variable, can carry, with its middle left out
// where it is longer than so many bytes.
func plain(text string, most int) string {
	return strings.ReplaceAll(Middle(strings.ToValidUTF8(text, "�"), most), "\x00", "�")
}

// failsAgain reports whether the node stands for a failure of this epoch.
func (t *task) failsAgain() bool { return t.a.GivenUp != nil && t.a.GivenUp.Epoch == t.n.Epoch }

// id is the same for all attempts at a job, and all epochs.
func (t *task) id() string {
	switch {
	case t.a.Key != "":
		return t.a.Key
	case t.n.Key == nil:
		return ""
	}
	return t.n.Key().String()
}

// Route says by kind and args on which queue a node of a job waits; "" is any.
func Route(file *jobs.File) func(kind string, text schema.Args) string {
	return func(kind string, text schema.Args) string {
		if kind != Kind && kind != ReduceKind && kind != FlowKind {
			return ""
		}
		var a struct{ Job, Queue string }
		if json.Unmarshal(text, &a) != nil {
			return "" // whoever processes it says what is wrong
		}
		j := file.Jobs[a.Job]
		switch {
		case a.Queue != "":
			return a.Queue
		case j == nil:
			return file.Queue
		case len(j.Queues) == 1, len(j.Queues) > 1 && file.Queue == "":
			return j.Queues[0]
		}
		return file.Queue
	}
}
