package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Crew is `ramify task` processes on one queue and one ledger, and S3 at an
// endpoint, as a stack would have them.
type Crew struct {
	Queue, Table, S3 string // endpoints: of SQS, of DynamoDB and of where objects are
	Name             string // of the queue and the table
	Program          string // ramify

	tasks []*process
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
		t, err := begin(ctx, c.Program, append(c.env(), fmt.Sprintf("RAMIFY_CONCURRENCY=%d", slots)), nil)
		if err != nil {
			return err
		}
		c.tasks = append(c.tasks, t)
	}
	return nil
}

// Stop ends all tasks. One that had ended before is an error.
func (c *Crew) Stop() error {
	var failed error
	for _, t := range c.tasks {
		failed = errors.Join(failed, t.drain())
	}
	for _, t := range c.tasks {
		if err := t.wait(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("stop task: %w\n%.2000s", err, t.log.Bytes()))
		}
	}
	c.tasks = nil
	return failed
}
