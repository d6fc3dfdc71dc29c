package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/queue/sqs"
)

type resultsCmd struct {
	Queue  string `arg:"" help:"Name of the queue, as a job names it under results."`
	Follow bool   `short:"f" help:"Wait for more, until interrupted."`
	Local  bool   `help:"The queue is one of this machine, in the folder of --state: no AWS."`
	Region string `help:"AWS region of the queue (default: the SDK's)." env:"-" placeholder:"NAME"`
}

// held is for how long outcomes are hidden that were received and are not yet printed.
const held = 30 * time.Second

// Run implements the command.
func (c *resultsCmd) Run(ctx context.Context, g *cli, std streams) error {
	if err := sqs.CheckName(c.Queue); err != nil {
		return usageError{err}
	}
	queues, end, err := (&queueFlags{Local: c.Local, Region: c.Region}).openQueues(ctx, g, 1)
	if err != nil {
		return err
	}
	defer end()
	for {
		n, err := c.take(ctx, queues, std)
		switch {
		case ctx.Err() != nil:
			return nil // what was received and not printed is seen again
		case errors.Is(err, jobqueue.ErrNoQueue) && c.Follow:
			// It is made when a first outcome is sent.
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Second):
			}
		case errors.Is(err, jobqueue.ErrNoQueue):
			return usagef("queue %s is not there: no outcome was sent to it yet", c.Queue)
		case err != nil:
			return err
		case n == 0 && !c.Follow:
			return nil
		}
	}
}

// take prints some outcomes and then deletes them: whoever is killed between the two
// prints them again.
func (c *resultsCmd) take(ctx context.Context, queues jobqueue.Queues, std streams) (int, error) {
	wait := time.Second
	if c.Follow {
		wait = 20 * time.Second
	}
	got, err := queues.Receive(ctx, c.Queue, jobqueue.Request{Max: 10, Wait: wait, Visibility: held, Hurry: ctx.Done()})
	if err != nil {
		return 0, err
	}
	for _, d := range got {
		if _, err := fmt.Fprintf(std.out, "%s\n", d.Body); err != nil {
			return 0, fmt.Errorf("print outcome: %w", err)
		}
		if err := queues.Delete(context.WithoutCancel(ctx), c.Queue, d.Receipt); err != nil {
			return 0, fmt.Errorf("take outcome out of queue %s: %w", c.Queue, err)
		}
	}
	return len(got), nil
}
