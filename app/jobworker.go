package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/jobs"
	programs "github.com/ramify/ramify/processor/command"
)

type jobWorkerCmd struct {
	queueFlags
	trustFlags
	FIFO          bool     `name:"fifo" short:"f" help:"Queues are FIFO queues; * finds only those."`
	KillAfter     string   `short:"k" help:"Time after which a job is killed; off: never." default:"30s" placeholder:"DURATION"`
	WaitTime      string   `short:"w" help:"Time to wait for a job of each queue, at most 20s." default:"20s" placeholder:"DURATION"`
	IncludeFailed bool     `help:"With a *, failed queues, too."`
	ActiveOnly    bool     `help:"Listen only to queues in which something is."`
	Drain         bool     `help:"End when there is nothing left to do."`
	Concurrency   string   `help:"Jobs at a time." default:"1" placeholder:"N"`
	Results       string   `help:"Queue to which what comes of each job goes, for ramify results; a whole name, without --prefix." placeholder:"QUEUE"`
	JSON          bool     `name:"json" help:"JSON lines also on a terminal."`
	Queues        []string `arg:"" name:"queue" help:"Names of queues, or beginnings of names and *, in quotes: 'test*'."`
}

// killGrace is how long after SIGTERM a job is killed.
const killGrace = time.Second

// Run implements the command.
func (c *jobWorkerCmd) Run(ctx context.Context, g *cli, std streams) error {
	// Before anything is received: the first asks to end, the second makes it.
	signals, ignore := answerSignals(ctx)
	defer ignore()

	conf, err := c.config()
	if err != nil {
		return err
	}
	tell := newTeller(std, c.JSON, conf.Names)
	conf.Log = console.Logger(std.err, isTerminal(std.err), g.Verbose)
	codec, keys, err := c.codec(ctx, &c.queueFlags, conf.Log)
	if err != nil {
		return err
	}
	keys.Start()
	defer keys.Stop()
	conf.Codec = codec
	q, closeAll, err := c.openQueues(ctx, g, 1)
	if err != nil {
		return err
	}
	defer closeAll()
	conf.Queues, conf.Free = q, c.Local
	if c.Results != "" {
		conf.Tell = func(ctx context.Context, e jobqueue.Event) error { return sendOutcome(ctx, q, c.Results, e) }
	}
	plain := &programs.Plain{Timeout: conf.KillAfter, Grace: killGrace, Output: jobs.DefaultOutput}
	conf.Run = func(ctx context.Context, id string, j jobqueue.Job) jobqueue.Outcome {
		return runJob(ctx, plain, id, j)
	}
	lost := make(chan error, 1)
	conf.Report = func(e jobqueue.Event) {
		if err := tell.event(e); err != nil {
			select {
			case lost <- err:
			default:
			}
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // told before anything was begun
	}
	return c.work(jobqueue.New(conf), signals, lost, tell, std)
}

// work has the worker work until it is done, or told to end.
func (c *jobWorkerCmd) work(w *jobqueue.Worker, signals <-chan os.Signal, lost <-chan error, tell *teller, std streams) error {
	w.Start(context.Background())
	killed := false
	var failure error
wait:
	for told := 0; ; {
		select {
		case <-w.Done():
			break wait
		case failure = <-lost:
			w.Drain() // nobody would know what it does
		case <-signals:
			switch told++; told {
			case 1:
				if tell.people {
					fmt.Fprintln(std.err, "Stopping when what runs has ended, and the wait for a queue is over; a second signal kills it.")
				}
				w.Drain()
			default:
				killed = true
				w.Kill(programs.ErrKill)
			}
		}
	}
	tally, err := w.Result()
	if said := tell.event(jobqueue.Event{Event: jobqueue.Stopped, Timestamp: time.Now().UTC(), Tally: &tally}); failure == nil {
		failure = said
	}
	switch {
	case err != nil:
		return err
	case failure != nil:
		return failure
	case killed:
		return exitError(exitInterrupted)
	case c.Drain && tally.Failed+tally.Refused > 0 && !c.qdone():
		return exitError(exitFailures)
	}
	return nil
}

func (c *jobWorkerCmd) config() (conf jobqueue.Config, err error) {
	conf.IncludeFailed, conf.ActiveOnly, conf.Drain = c.IncludeFailed, c.ActiveOnly, c.Drain
	if conf.Names, err = c.names(c.FIFO); err != nil {
		return conf, err
	}
	err = readSettings([]setting{
		{"kill-after", c.KillAfter, orOff(duration(&conf.KillAfter, time.Second, 12*time.Hour))},
		{"wait-time", c.WaitTime, duration(&conf.Wait, 0, 20*time.Second)},
		{"concurrency", c.Concurrency, number(&conf.Concurrency, 1, 1000)},
	})
	if err != nil {
		return conf, err
	}
	if c.Drain && conf.Wait < time.Second && !c.Local {
		return conf, usagef("--wait-time is %s with --drain, but SQS, asked without waiting, may have nothing to say of what is there: want 1s to 20s", c.WaitTime)
	}
	for _, typed := range c.Queues {
		p, err := conf.Names.Pattern(typed)
		if err != nil {
			return conf, usageError{err}
		}
		conf.Patterns = append(conf.Patterns, p)
	}
	return conf, c.checkResults(conf)
}

// checkResults refuses a queue for outcomes that is no such, or that is listened to: an
// outcome is no job, and what came of it would be one more.
func (c *jobWorkerCmd) checkResults(conf jobqueue.Config) error {
	if c.Results == "" {
		return nil
	}
	whole, err := resultsQueue(c.Results)
	if err != nil {
		return usagef("%s: %w", named("results", c.Results), err)
	}
	for i, p := range conf.Patterns {
		if jobqueue.Matches(p, whole) || jobqueue.Matches(p, conf.Names.Main(whole)) {
			return usagef("%s is %q, which %q listens to: outcomes are no jobs; name another queue", named("results", c.Results), c.Results, c.Queues[i])
		}
	}
	return nil
}

// runJob runs a job by processor/command.
func runJob(ctx context.Context, p *programs.Plain, id string, j jobqueue.Job) jobqueue.Outcome {
	argv := j.Argv
	switch {
	case j.Foreign: // as qdone does, to the letter
		argv = []string{"/bin/sh", "-c", "nice " + j.Argv[0]}
	case j.Shell: // which may begin with - or +
		argv = append([]string{"/bin/sh", "-c", "--", j.Argv[0], "sh"}, j.Argv[1:]...)
	}
	end, err := p.Run(ctx, argv, id)
	out := jobqueue.Outcome{Code: end.Code, Signal: end.Signal, Stdout: end.Stdout, Stderr: end.Stderr, Err: err}
	switch {
	case err != nil:
	case end.Expired:
		out.Err = fmt.Errorf("it took longer than --kill-after, %s", p.Timeout)
	case end.Code < 0:
		out.Err = fmt.Errorf("ended by signal %s", end.Signal)
	case end.Code > 0:
		out.Err = fmt.Errorf("exit code %d", end.Code)
	}
	return out
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// encode writes one JSON object on a line, & and < as they are.
func encode(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// event says what a worker does.
func (t *teller) event(e jobqueue.Event) error {
	if !t.people {
		switch e.Event {
		case jobqueue.Queued, jobqueue.Listening, jobqueue.Started, jobqueue.Held:
			return nil // of no use to who looks for what came of jobs
		}
		return t.write(e, "")
	}
	return t.write(e, eventText(e))
}

// eventText is an event for people.
func eventText(e jobqueue.Event) string {
	var b strings.Builder
	switch e.Event {
	case jobqueue.Queued:
		if len(e.Queues) == 0 {
			return "No queues to listen to"
		}
		return "Listening to queues (in this order): " + strings.Join(e.Queues, " ")
	case jobqueue.Listening:
		return "Looking for work on " + e.Queue
	case jobqueue.Started:
		return fmt.Sprintf("  Found job %s\n  Executing job command: %s", e.Job, indented(e.Command))
	case jobqueue.Held:
		return fmt.Sprintf("  Job %s still runs, requesting another %g seconds", e.Job, e.Seconds)
	case jobqueue.Stopped:
		return fmt.Sprintf("Ran %d jobs: %d succeeded %d failed", e.Tally.Succeeded+e.Tally.Failed, e.Tally.Succeeded, e.Tally.Failed) + refusedText(e.Tally.Refused)
	case jobqueue.Refused:
		return fmt.Sprintf("  REFUSED job %s\n  error : %s", e.Job, indented(e.ErrorMessage))
	case jobqueue.Failed:
		fmt.Fprintf(&b, "  FAILED job %s after %.1f s\n", e.Job, e.Seconds)
	default:
		fmt.Fprintf(&b, "  SUCCESS job %s after %.1f s\n", e.Job, e.Seconds)
	}
	if e.ExitCode != nil {
		fmt.Fprintf(&b, "  code  : %d\n", *e.ExitCode)
	}
	for _, said := range [][2]string{{"signal", e.KillSignal}, {"stdout", e.Stdout}, {"stderr", e.Stderr}, {"error ", e.ErrorMessage}} {
		if said[1] != "" {
			fmt.Fprintf(&b, "  %s: %s\n", said[0], indented(strings.TrimRight(said[1], "\n")))
		}
	}
	return b.String()
}

// indented is text of a job, none of whose lines can be taken for one of ours.
func indented(s string) string { return strings.ReplaceAll(s, "\n", "\n          ") }

func refusedText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" %d refused", n)
}
