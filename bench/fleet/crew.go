package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Crew is `ramify task` processes on one queue and one ledger, and S3 at an
// endpoint, as a stack would have them.
type Crew struct {
	Queue, Table string // of SQS and DynamoDB, and
	S3           string // where objects are: endpoints
	Name         string // of the queue and the table
	Program      string // ramify

	tasks []*crewTask
}

type crewTask struct {
	cmd    *exec.Cmd
	alive  io.Closer // the keeper's standard input
	log    bytes.Buffer
	exited chan error
}

func (c *Crew) env() []string {
	return append(Place{Endpoint: c.Queue, Name: c.Name}.env(),
		"TMPDIR="+os.TempDir(), "AWS_ENDPOINT_URL_DYNAMODB="+c.Table, "AWS_ENDPOINT_URL_S3="+c.S3,
		"RAMIFY_QUEUE="+c.Name, "RAMIFY_LEDGER=dynamodb:"+c.Name)
}

// Run runs a command of the program to its end.
func (c *Crew) Run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, c.Program, args...)
	cmd.Env = c.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run ramify %s: %w\n%.2000s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Start adds n tasks of so many slots each.
func (c *Crew) Start(ctx context.Context, n, slots int) error {
	for range n {
		t := &crewTask{exited: make(chan error, 1)}
		t.cmd = exec.CommandContext(ctx, "sh", "-c", keeper, "keeper", c.Program, "task")
		t.cmd.Env = append(c.env(), fmt.Sprintf("RAMIFY_CONCURRENCY=%d", slots))
		t.cmd.Stderr = &t.log
		var err error
		if t.alive, err = t.cmd.StdinPipe(); err == nil {
			err = t.cmd.Start()
		}
		if err != nil {
			return fmt.Errorf("start task: %w", err)
		}
		go func() { t.exited <- t.cmd.Wait() }()
		c.tasks = append(c.tasks, t)
	}
	return nil
}

// Stop ends all tasks. One that had ended before is an error.
func (c *Crew) Stop() error {
	var failed error
	for _, t := range c.tasks {
		failed = errors.Join(failed, t.alive.Close())
	}
	for _, t := range c.tasks {
		var err error
		select {
		case err = <-t.exited:
		case <-time.After(time.Minute):
			err = errors.Join(errors.New("it does not drain"), t.cmd.Process.Kill(), <-t.exited)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("stop task: %w\n%.2000s", err, t.log.Bytes()))
		}
	}
	c.tasks = nil
	return failed
}
