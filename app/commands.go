package app

import (
	"context"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/jobs"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	programs "github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/schema"
)

// jobsFlags say which programs nodes can be processed by.
type jobsFlags struct {
	Jobs string `help:"File of jobs that nodes of kind command name, see docs/processors/command.md." placeholder:"FILE"`
}

// readJobs reads the file, if one is named.
func (f *jobsFlags) readJobs() (*jobs.File, error) {
	if f.Jobs == "" {
		return nil, nil
	}
	file, err := jobs.Read(f.Jobs)
	if err != nil {
		return nil, usagef("%s: %w", named("jobs", f.Jobs), err)
	}
	return file, nil
}

// jobsParams are what is kept with a run on this machine, for whoever resumes it.
func (f *jobsFlags) jobsParams() map[string]string {
	if f.Jobs == "" {
		return nil
	}
	full, err := filepath.Abs(f.Jobs)
	if err != nil {
		full = f.Jobs
	}
	return map[string]string{paramJobs: full}
}

// jobsOf are the jobs of a run that goes on: the file that it began with, unless
// another is named.
func (f *jobsFlags) jobsOf(r ledger.Run) *jobsFlags {
	if f.Jobs != "" {
		return f
	}
	return &jobsFlags{Jobs: r.Options.Params[paramJobs]}
}

// paramJobs is the name of the file of jobs, kept with a run.
const paramJobs = "jobs"

// addCommands adds the processors that run programs.
func addCommands(set processor.Set, file *jobs.File, to *outcomes) {
	o := programs.Options{Jobs: file, Results: to.send}
	set[programs.Kind], set[programs.ReduceKind] = programs.New(o), programs.NewReducer(o)
	set[programs.FlowKind], set[programs.OutcomeKind] = programs.NewFlow(o), programs.NewTeller(o)
}

func isCommand(kind string) bool {
	return kind == programs.Kind || kind == programs.ReduceKind || kind == programs.FlowKind
}

// jobScheme begins a target that is a job.
const jobScheme = "job:"

// jobTarget is the target job:NAME?param=value&…, values escaped as in a URL.
func jobTarget(s string) (target, error) {
	name, query, _ := strings.Cut(strings.TrimPrefix(s, jobScheme), "?")
	if name == "" {
		return target{}, usagef("target %q names no job; want %sNAME?PARAM=VALUE&…", s, jobScheme)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return target{}, usagef("target %q: %w; want %sNAME?PARAM=VALUE&…, with %%26 for &, %%25 for %% and %%2B for +", s, err, jobScheme)
	}
	params := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(values[name]) > 1 {
			return target{}, usagef("target %q: parameter %s is there %d times, want it once", s, name, len(values[name]))
		}
		params[name] = values[name][0]
	}
	return namedJob(s, name, params), nil
}

// namedJob is a target that is a job of a name.
func namedJob(s, name string, params map[string]string) target {
	t := target{name: s, root: ledger.Kid{Kind: programs.Kind, ID: s}}
	t.ready = func(_ context.Context, t *target, w *work, _ *walkFlags, _ *filter.Filter) error {
		if w.jobs == nil {
			return usagef("target %q is a job: name the file that says what it is by --jobs", s)
		}
		root, err := programs.Root(w.jobs, name, params)
		if err != nil {
			return usagef("target %q: %w", s, err)
		}
		t.root.Kind, t.root.ID, t.root.Args = root.Kind, root.ID, root.Args
		return nil
	}
	return t
}

// canRun checks a node that was given as JSON, where the jobs are known.
func canRun(kind string, args schema.Args) func(context.Context, *target, *work, *walkFlags, *filter.Filter) error {
	return func(_ context.Context, _ *target, w *work, _ *walkFlags, _ *filter.Filter) error {
		if w.jobs == nil {
			return nil
		}
		if err := programs.Check(w.jobs, kind, args); err != nil {
			return usagef("target: %w", err)
		}
		return nil
	}
}
