package app

import (
	"cmp"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/policy"
	"github.com/ramify/ramify/queue/sqs"
)

type iamCmd struct {
	Role    string   `arg:"" help:"enqueue, worker, idle-queues, of named queues; seed, serve, cron or task, of a fleet."`
	Queues  []string `arg:"" optional:"" name:"queue" help:"Names of queues, or beginnings of names and *; their failed queues are meant, too (default: all that begin with the prefix)."`
	Account string   `env:"-" help:"The AWS account (default: any)." placeholder:"ID"`
	// The rest says where things are, as of the commands that the policy is for.
	queueFlags
	FIFO     bool     `name:"fifo" short:"f" help:"Queues are FIFO queues."`
	Existing bool     `env:"-" help:"Of enqueue: queues are not made on demand."`
	Delete   bool     `env:"-" help:"Of idle-queues: with --delete."`
	Queue    string   `help:"Of a fleet: its queue." placeholder:"NAME"`
	Ledger   string   `help:"Of a fleet: dynamodb:TABLE." placeholder:"dynamodb:TABLE"`
	Results  []string `env:"-" help:"Of worker and task: a queue to which outcomes of jobs go; a task has those of --jobs besides (repeatable)." placeholder:"QUEUE"`
	jobsFlags
	Secret []string `env:"-" help:"ARN of a secret that holds the signing key (repeatable)." placeholder:"ARN"`
}

var account = regexp.MustCompile(`^[0-9]{12}$`)

// Run implements the command.
func (c *iamCmd) Run(std streams) error {
	w := policy.Where{Region: cmp.Or(c.Region, os.Getenv("AWS_REGION"), "*"), Account: cmp.Or(c.Account, "*"), Secrets: c.Secret}
	if w.Account != "*" && !account.MatchString(w.Account) {
		return usagef("--account is %q, want 12 digits", c.Account)
	}
	names, err := c.names(c.FIFO)
	if err != nil {
		return err
	}
	if policy.Fleet(c.Role) {
		err = c.fleet(&w)
	} else {
		err = c.named(names, &w)
	}
	if err != nil {
		return err
	}
	d, err := policy.Of(c.Role, w, policy.Options{Existing: c.Existing, Delete: c.Delete})
	if err != nil {
		return usageError{err}
	}
	e := json.NewEncoder(std.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

// patterns are the whole names of queues and of their failed queues, and the latter alone.
func patterns(names jobqueue.Names, typed []string) (all, failed []string, err error) {
	if len(typed) == 0 {
		typed = []string{"*"}
	}
	for _, t := range typed {
		p, err := names.Pattern(t)
		if err != nil {
			return nil, nil, usageError{err}
		}
		all = append(all, p)
		f := names.Failed(p)
		if !jobqueue.IsPattern(p) {
			all = append(all, f)
		}
		failed = append(failed, f)
		if jobqueue.IsPattern(p) {
			failed = append(failed, f+".fifo")
		}
	}
	slices.Sort(all)
	slices.Sort(failed)
	return slices.Compact(all), slices.Compact(failed), nil
}

// named are the queues of a role that works on named ones.
func (c *iamCmd) named(names jobqueue.Names, w *policy.Where) (err error) {
	if w.Queues, w.Failed, err = patterns(names, c.Queues); err != nil {
		return err
	}
	for _, name := range c.Results {
		queue, err := resultsQueue(name)
		if err != nil {
			return usageError{err}
		}
		w.Results = append(w.Results, queue)
	}
	return nil
}

func (c *iamCmd) fleet(w *policy.Where) error {
	if len(c.Queues) > 0 {
		return usagef("role %s is of a fleet: name its queue by --queue, and not %q", c.Role, c.Queues[0])
	}
	f := fleetFlags{Queue: c.Queue, Ledger: c.Ledger}
	table, err := f.table()
	if err != nil {
		return err
	}
	if table == "" {
		return usagef("--ledger is none, but role %s is of a fleet with one: want dynamodb:TABLE", c.Role)
	}
	if err := f.checkQueue(); err != nil {
		return err
	}
	w.Queue, w.Table = c.Queue[strings.LastIndexByte(c.Queue, '/')+1:], table
	w.Dead = sqs.DeadLettersOf(w.Queue)
	if err := c.jobsQueues(w); err != nil {
		return err
	}
	return sqs.CheckName(w.Queue)
}

// jobsQueues are the queues on which the fleet's jobs wait, and to which they tell what
// came of them.
func (c *iamCmd) jobsQueues(w *policy.Where) error {
	file, err := c.readJobs()
	if err != nil {
		return err
	}
	for _, name := range c.Results {
		if err := sqs.CheckName(name); err != nil {
			return usagef("--results: %w", err)
		}
	}
	w.Results = slices.Clone(c.Results)
	if file != nil {
		w.Jobs, w.Results = append(w.Jobs, file.Queue), append(w.Results, file.Results)
		for _, j := range file.Jobs {
			w.Jobs, w.Results = append(w.Jobs, j.Queues...), append(w.Results, j.Results)
		}
	}
	w.Jobs, w.Results = others(w.Jobs, w.Queue), others(w.Results, "")
	return nil
}

// others are names, each once and sorted, without one and without the empty one.
func others(names []string, but string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" || n == but })
}
