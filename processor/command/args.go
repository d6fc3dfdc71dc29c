package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ramify/ramify/jobs"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// args are a node's.
type args struct {
	Job    string `json:"job"`
	Params params `json:"params,omitempty"`

	Stage   string   `json:"stage,omitempty"`    // what of it is done
	Queue   string   `json:"queue,omitempty"`    // where it waits, of one that runs on several
	GivenUp *givenUp `json:"given_up,omitempty"` // nil: it was not
	Cause   *cause   `json:"cause,omitempty"`    // nil: no failure has started it
	Key     string   `json:"key,omitempty"`      // of the node that it is left of
}

// params are what parameters hold. Numbers and truth values are taken as they are
// written: {"width": 640} is "640".
type params map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (p *params) UnmarshalJSON(text []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return &schema.FieldError{Field: "params", Value: string(text), Want: "an object"}
	}
	*p = make(params, len(raw))
	for name, value := range raw {
		switch value[0] {
		case '"':
			var s string
			if err := json.Unmarshal(value, &s); err != nil {
				return err
			}
			(*p)[name] = s
		case '{', '[', 'n':
			return &schema.FieldError{Field: "params." + name, Value: string(value), Want: "a text, a number, true or false"}
		default:
			(*p)[name] = string(value)
		}
	}
	return nil
}

func parseArgs(text schema.Args) (*args, error) {
	var a args
	if err := decode(text, &a); err != nil {
		return nil, fmt.Errorf("read args: %w", err)
	}
	switch a.Stage {
	case stageAll, stageReady, stageRun, stageAfter:
	default:
		return nil, fmt.Errorf("read args: %w", &schema.FieldError{Field: "stage", Value: a.Stage, Want: "none, ready, run or after"})
	}
	if a.Job == "" {
		return nil, fmt.Errorf("read args: %w", &schema.FieldError{Field: "job", Want: "the name of a job"})
	}
	return &a, nil
}

// decode reads one JSON object with known fields.
func decode(text []byte, into any) error {
	if len(text) == 0 {
		text = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) { // More takes a bracket for an end
		return fmt.Errorf("something follows the object")
	}
	return nil
}

// Root is the node of a job with some parameters. The error says which is wrong.
func Root(file *jobs.File, job string, given map[string]string) (processor.Child, error) {
	a := &args{Job: job, Params: given}
	if file == nil {
		return processor.Child{}, fmt.Errorf("find job %s: %w", job, errNoJobs)
	}
	j, _, err := find(file, a)
	if err != nil {
		return processor.Child{}, err
	}
	return child(j, a)
}

// Check says what is wrong with a node of one of the kinds, before there is a run.
func Check(file *jobs.File, kind string, text schema.Args) error {
	p := New(Options{Jobs: file})
	_, err := p.task(&processor.Node{Kind: kind, Args: text})
	return err
}

func child(j *jobs.Job, a *args) (processor.Child, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return processor.Child{}, err
	}
	return processor.Child{Kind: a.kind(j), ID: label(j, a), Args: text}, nil
}

// label is the name of a node for people, where it has none: the job, and what
// was given to it in the order of the job's parameters.
func label(j *jobs.Job, a *args) string {
	var b strings.Builder
	b.WriteString(j.Name)
	for _, p := range j.Params {
		if v, given := a.Params[p.Name]; given {
			b.WriteString(" " + p.Name + "=" + v)
		}
	}
	if a.Queue != "" {
		b.WriteString(" on " + a.Queue)
	}
	s := strings.ToValidUTF8(b.String(), "�")
	if len(s) > schema.MaxID {
		most := schema.MaxID - len("…")
		for !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most] + "…"
	}
	return s
}

// input is the node as the program reads it.
type input struct {
	Run     string            `json:"run"`
	Kind    string            `json:"kind"`
	ID      string            `json:"id"`
	Job     string            `json:"job"`
	Params  map[string]string `json:"params"` // defaults included
	Depth   int               `json:"depth"`
	Epoch   int               `json:"epoch"`
	Tries   int               `json:"tries"`
	Key     string            `json:"key"`
	Account *account          `json:"account,omitempty"` // of a reduce
	Queue   string            `json:"queue,omitempty"`   // of a job that runs on several
	Cause   *cause            `json:"cause,omitempty"`   // the failure that has started it
}

// account is a schema.Account in words.
type account struct {
	Nodes    int64 `json:"nodes"`
	Objects  int64 `json:"objects"`
	Bytes    int64 `json:"bytes"`
	Failures int64 `json:"failures"`
	Reduces  int64 `json:"reduces"`
}

func (t *task) input(key string, sum *schema.Account) ([]byte, error) {
	n := t.n
	in := input{Run: n.Run, Kind: n.Kind, ID: n.ID, Job: t.job.Name, Params: t.values, Depth: n.Depth, Epoch: n.Epoch, Tries: n.Tries, Key: key, Queue: t.a.Queue, Cause: t.a.Cause}
	if sum != nil {
		in.Account = (*account)(sum)
	}
	text, err := json.Marshal(in)
	return append(text, '\n'), err
}

// program is what is to be run for a program of the job.
func (t *task) program(p jobs.Program, sum *schema.Account) (*program, error) {
	key := ""
	if t.n.Key != nil {
		key = t.n.Key().String()
	}
	stdin, err := t.input(key, sum)
	if err != nil {
		return nil, err
	}
	who, err := lookUp(t.job.User)
	if err != nil {
		return nil, err
	}
	argv := t.job.Args(p, t.values)
	env := t.environment(who, key)
	path, err := locate(argv[0], t.job.Dir, env)
	if err != nil {
		return nil, err
	}
	return &program{
		path: path, argv: argv, env: env, dir: t.job.Dir, who: who, nice: t.job.Nice, stdin: stdin,
		timeout: t.job.Timeout, killAfter: t.job.KillAfter, output: t.job.Output,
	}, nil
}

// environment is that of a program: a few variables that programs need, those that
// the job inherits, who it is, the job's own, and ours.
func (t *task) environment(who *identity, key string) []string {
	var failure []string
	if t.a.Cause != nil {
		failure = []string{"RAMIFY_ERROR=" + t.a.Cause.Error}
	}
	return slices.Concat(
		inherited(t.o.environ(), t.job.Inherit), who.environment(), t.job.Environment(t.values),
		// None of these may be called as a flag of ours is: a program may well call
		// ramify, which reads RAMIFY_RUN as --run.
		[]string{"RAMIFY_FD=3", "RAMIFY_JOB=" + t.job.Name, "RAMIFY_KEY=" + key}, failure,
	)
}
