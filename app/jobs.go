package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/jobs"
	programs "github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/queue/sqs"
)

// jobsCmd are the commands about files of jobs.
type jobsCmd struct {
	Run   jobsRunCmd   `cmd:"" help:"Run a job, and all that it starts."`
	Check jobsCheckCmd `cmd:"" help:"Read a file of jobs, and find in it what is rarely meant."`
}

type jobsCheckCmd struct {
	File string `arg:"" help:"The file: jobs.yaml."`
	JSON bool   `name:"json" help:"Print one JSON object a line."`
}

// Run implements the command.
func (c *jobsCheckCmd) Run(std streams) error {
	file, err := jobs.Read(c.File)
	if err != nil {
		return usageError{err}
	}
	found := file.Check()
	for _, f := range found {
		if c.JSON {
			err = json.NewEncoder(std.out).Encode(f)
		} else {
			_, err = fmt.Fprintf(std.out, "%s:%d: job %s: %s\n", console.Clean(c.File), f.Line, f.Job, console.Clean(f.Text))
		}
		if err != nil {
			return fmt.Errorf("print findings: %w", err)
		}
	}
	if len(found) > 0 {
		return exitError(exitFailures)
	}
	if !c.JSON {
		fmt.Fprintf(std.err, "%s: %d jobs, nothing found\n", console.Clean(c.File), len(file.Jobs))
	}
	return nil
}

type jobsRunCmd struct {
	Job    string   `arg:"" help:"Name of the job."`
	Params []string `arg:"" optional:"" name:"param=value" help:"What its parameters hold."`
	jobsRunFlags
}

type jobsRunFlags struct {
	Run         string `help:"Name of the run; made if not given." placeholder:"NAME"`
	Results     string `help:"Queue to which the outcome of each job goes that names none." placeholder:"QUEUE"`
	Out         string `help:"Where rows of programs go: s3://bucket/prefix, the URL of a queue and, on this machine, a folder, or - for standard output." placeholder:"PLACE"`
	Retries     int    `help:"Failures of a job before it is given up, of one that says nothing else." default:"${retries}"`
	Concurrency int    `help:"Jobs run at a time, by each process (default: 64, on a fleet as the task is set)." placeholder:"N"`
	Watch       bool   `help:"On a fleet: follow the run to its end."`
	JSON        bool   `name:"json" help:"End with one JSON object on standard output."`
	jobsFlags
	fleetFlags
	webhookFlags // of nodes that programs reveal
	sqlFlags
}

// defaultJobs is the file of jobs where none is named.
const defaultJobs = "jobs.yaml"

// Run implements the command.
func (c *jobsRunCmd) Run(ctx context.Context, g *cli, std streams) error {
	if _, err := os.Stat(defaultJobs); c.Jobs == "" && err == nil {
		c.Jobs = defaultJobs
	}
	if c.Jobs == "" {
		return usagef("there is no %s here: name the file that says what job %s is by --jobs", defaultJobs, c.Job)
	}
	params := map[string]string{}
	for _, p := range c.Params {
		name, value, is := strings.Cut(p, "=")
		if _, twice := params[name]; !is || twice {
			return usagef("parameter %q, want PARAM=VALUE, each once", p)
		}
		params[name] = value
	}
	walk := walkFlags{
		Run: c.jobsRunFlags.Run, Out: c.Out, Retries: c.Retries, JSON: c.JSON, jobsFlags: c.jobsFlags, webhookFlags: c.webhookFlags, sqlFlags: c.sqlFlags, Node: string(s3crawl.Range),
		// Each job is a message of its own: one that was done is not done again because
		// the process died in the next, and each can wait on its queue.
		Inline: 0,
	}
	w := newWork(g, std, c.JSON)
	if c.Results != "" {
		if err := sqs.CheckName(c.Results); err != nil {
			return usagef("%s: %w", named("results", c.Results), err)
		}
		w.params = map[string]string{programs.ParamResults: c.Results}
	}
	tgt := namedJob(jobScheme+c.Job, c.Job, params)
	if !c.given() {
		if c.Watch {
			return usagef("--watch is set, but no fleet is named: on this machine the run is followed anyway")
		}
		r := &runFlags{walkFlags: walk, Concurrency: c.Concurrency}
		if r.Concurrency == 0 {
			r.Concurrency = defaultConcurrency
		}
		return r.begin(ctx, w, tgt)
	}
	s := &seedCmd{walkFlags: walk, fleetFlags: c.fleetFlags, Concurrency: c.Concurrency, Check: true, Watch: c.Watch}
	if s.Ledger == ledgerNone {
		s.Inline, s.Retries = defaultInline, defaultRetries // the tasks' own
	}
	return s.begin(ctx, w, tgt, time.Now())
}
