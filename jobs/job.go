package jobs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ramify/ramify/schema"
)

// File is what one jobs.yaml says.
type File struct {
	Path string          // absolute, where it was read
	Jobs map[string]*Job // by name

	Queue   string // of jobs that name none; "": all wait where the run is
	Results string // the queue to which outcomes go, of jobs that name none; "": nowhere
}

// Job is a command by its name.
type Job struct {
	Name    string
	About   string
	Params  []Param // in the order of the file
	Shell   bool    // Run and Reduce are scripts for /bin/sh
	Run     Program // nil: it only starts others
	Reduce  Program // after the children have settled; nil: the job does not reduce
	Env     []Variable
	Inherit []string // names of variables that are passed on, with * as in file names
	Dir     string   // absolute; where programs begin
	User    string   // whose rights they have; "" is ours

	Timeout   time.Duration // of one program; 0: none
	KillAfter time.Duration // between SIGTERM and SIGKILL
	Nice      int           // -20 to 19
	Output    int           // bytes kept of standard output, and of standard error
	Retries   int           // failures before a node is given up; -1: as many as the run says
	Exits     Exits

	Queues    []string // where it waits; of more than one, each start reaches all
	Needs     []Start  // that have to succeed before
	OnSuccess []Start  // when its program has succeeded, and with them below it
	OnFailure []Start  // when it is given up
	Join      []Start  // when it and all that it has started have succeeded
	Results   string   // the queue to which its outcomes go; "": nowhere

	at position
}

// Param is a parameter of a job.
type Param struct {
	Name     string
	About    string
	Required bool
	Default  string
	Pattern  *regexp.Regexp // that a value must match as a whole; nil: any value

	at position
}

// Program is arguments, of which the first is the program's name; of a job whose
// Shell is set it is one script.
type Program []Text

// Variable is one of the environment.
type Variable struct {
	Name  string
	Value Text
}

// What a job has that says nothing else.
const (
	DefaultKillAfter = 5 * time.Second
	DefaultOutput    = 64 << 10
)

// Job is the job of a name. The error names those that there are.
func (f *File) Job(name string) (*Job, error) {
	if j := f.Jobs[name]; j != nil {
		return j, nil
	}
	return nil, &schema.FieldError{Field: "job", Value: name, Want: "one of " + f.Path + ": " + some(slices.Sorted(maps.Keys(f.Jobs)))}
}

// some names at most a dozen.
func some(names []string) string {
	if most := 12; len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d others", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Reduces reports whether the job has a second step.
func (j *Job) Reduces() bool { return j.Reduce != nil }

// param is the parameter of a name, or nil.
func (j *Job) param(name string) *Param {
	if i := slices.IndexFunc(j.Params, func(p Param) bool { return p.Name == name }); i >= 0 {
		return &j.Params[i]
	}
	return nil
}

// Verdict is what an exit code means.
type Verdict int

// The verdicts.
const (
	Done   Verdict = iota
	Retry          // the node is tried again, up to its retries
	GiveUp         // no retry would mend it
)

// Exits says what exit codes mean.
type Exits struct {
	done, retry, giveUp []int
}

// Of is what a code means. A code that is named nowhere is tried again, unless
// those are named that are: then it is given up.
func (e Exits) Of(code int) Verdict {
	switch {
	case slices.Contains(e.done, code):
		return Done
	case slices.Contains(e.giveUp, code):
		return GiveUp
	case slices.Contains(e.retry, code) || len(e.retry) == 0:
		return Retry
	default:
		return GiveUp
	}
}
