package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ramify/ramify/processor"
)

// OutcomeKind is that of nodes that send what came of a job to a queue. They are
// children of the job's node, so that no outcome is sent of an attempt that does not
// count, and none is lost.
const OutcomeKind = "command.outcome"

// ParamResults names, among a run's params, the queue to which outcomes go of jobs
// that name none.
const ParamResults = "results"

// Outcome is what came of a job, as it is sent. The same may be sent twice.
type Outcome struct {
	Event     string            `json:"event"` // JOB_SUCCEEDED or JOB_FAILED
	ID        string            `json:"id"`    // of the job: the same in all attempts and epochs
	Run       string            `json:"run"`
	Job       string            `json:"job"`
	Params    map[string]string `json:"params,omitempty"` // defaults included; none where they are long
	Queue     string            `json:"queue,omitempty"`  // of a job that runs once on each of several
	Epoch     int               `json:"epoch"`
	Tries     int               `json:"tries"` // attempts before this one that had failed
	Timestamp time.Time         `json:"timestamp"`
	ExitCode  *int              `json:"exitCode"`   // null where no program ended by itself
	Signal    *string           `json:"killSignal"` // null where none ended it
	Stdout    string            `json:"stdout"`     // the beginning and the end
	Stderr    string            `json:"stderr"`
	Error     string            `json:"errorMessage"` // "" of one that succeeded
}

const (
	mostSaid   = 8 << 10  // bytes of standard output, and of standard error, in an outcome
	mostParams = 16 << 10 // bytes of params in an outcome
)

// sent is the args of a node of OutcomeKind.
type sent struct {
	To      string   `json:"to"`
	Outcome *Outcome `json:"outcome"`
}

// results is the queue to which outcomes of the job go, "" where they are not wanted.
func (t *task) results() string {
	if t.job.Results != "" {
		return t.job.Results
	}
	return t.n.Params[ParamResults]
}

// tell reveals the node that sends the job's outcome, where it is wanted: how its
// program ended, or why the job is given up.
func (t *task) tell(out processor.Out, end *ended, why error) error {
	to := t.results()
	if to == "" || end == nil && why == nil {
		return nil
	}
	o := &Outcome{
		Event: "JOB_SUCCEEDED", ID: t.id(), Run: t.n.Run, Job: t.job.Name, Params: t.values, Queue: t.a.Queue,
		Epoch: t.n.Epoch, Tries: t.n.Tries, Timestamp: time.Now().UTC(),
	}
	length := 0
	for name, value := range t.values {
		length += len(name) + len(value)
	}
	if length > mostParams {
		o.Params = nil
	}
	if why != nil {
		o.Event, o.Error = "JOB_FAILED", plain(why.Error(), mostCause)
		if exit := (*ExitError)(nil); errors.As(why, &exit) {
			end = &ended{code: exit.Code, signal: exit.Signal, stdout: exit.Stdout, stderr: exit.Stderr}
		}
	}
	if end != nil {
		o.Stdout, o.Stderr = plain(end.stdout, mostSaid), plain(end.stderr, mostSaid)
		if end.signal != "" {
			o.Signal = &end.signal
		} else if end.code >= 0 {
			o.ExitCode = &end.code
		}
	}
	text, err := json.Marshal(&sent{To: to, Outcome: o})
	if err != nil {
		return fmt.Errorf("tell outcome of job %s: %w", t.job.Name, err)
	}
	return out.Child(processor.Child{Kind: OutcomeKind, ID: "outcome of " + t.job.Name, Args: text})
}

// Teller sends outcomes.
type Teller struct{ o Options }

var _ processor.Apart = (*Teller)(nil)

// NewTeller makes the processor of OutcomeKind.
func NewTeller(o Options) *Teller { return &Teller{o} }

// Apart marks that nothing is sent before the job's node is committed.
func (*Teller) Apart() {}

// Process sends one outcome. That the queue does not take it is no fault of the job:
// it is sent later.
func (t *Teller) Process(ctx context.Context, n *processor.Node, _ processor.Out) error {
	var s struct {
		To      string          `json:"to"`
		Outcome json.RawMessage `json:"outcome"`
	}
	if err := decode(n.Args, &s); err != nil {
		return processor.Permanent(fmt.Errorf("read args: %w", err))
	}
	if t.o.Results == nil {
		return processor.Permanent(fmt.Errorf("send outcome to queue %s: this task sends none", s.To))
	}
	if err := t.o.Results(ctx, s.To, s.Outcome); err != nil {
		return processor.Trouble(fmt.Errorf("send outcome to queue %s: %w", s.To, err))
	}
	return nil
}
