package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/jobqueue"
	programs "github.com/ramify/ramify/processor/command"
	"github.com/ramify/ramify/schema"
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
	if _, err := resultsQueue(c.Queue); err != nil {
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
	screen := console.Screen(std.out, true)
	for _, d := range got {
		if _, err := screen.Write(outcomeLine(d.Body)); err != nil {
			return 0, fmt.Errorf("print outcome: %w", err)
		}
		if err := queues.Delete(context.WithoutCancel(ctx), c.Queue, d.Receipt); err != nil {
			return 0, fmt.Errorf("take outcome out of queue %s: %w", c.Queue, err)
		}
	}
	return len(got), nil
}

// outcomeLine is an outcome as one line. Others may send to the queue, too: what is no
// object cannot pass for one, nor for several.
func outcomeLine(body []byte) []byte {
	var line bytes.Buffer
	if err := json.Compact(&line, body); err != nil || line.Bytes()[0] != '{' {
		line.Reset()
		_ = encode(&line, struct { // of text that was a message's, it cannot fail
			Event string `json:"event"`
			Body  string `json:"body"`
		}{"NO_OUTCOME", string(body)})
		return line.Bytes()
	}
	line.WriteByte('\n')
	return line.Bytes()
}

// resultsQueue checks the name of a queue for outcomes, which is whole. A FIFO queue
// would have them wait for each other.
func resultsQueue(name string) (string, error) {
	whole, err := jobqueue.Names{}.Whole(name)
	if err == nil && jobqueue.IsFIFO(whole) {
		err = fmt.Errorf("queue %q is a FIFO queue: want a standard queue", name)
	}
	return whole, err
}

// mostTold is how many bytes of a command, of each output and of an error are sent.
const mostTold = 8 << 10

// sendOutcome sends what came of a plain job: the line that is printed, shortened.
func sendOutcome(ctx context.Context, q jobqueue.Queues, to string, e jobqueue.Event) error {
	for _, text := range []*string{&e.Command, &e.Stdout, &e.Stderr, &e.ErrorMessage} {
		*text = programs.Middle(*text, mostTold)
	}
	var line bytes.Buffer
	if err := encode(&line, e); err != nil {
		return fmt.Errorf("pack outcome: %w", err)
	}
	return q.Send(ctx, []jobqueue.Posting{{Queue: to, Body: schema.EscapeNonCharacters(bytes.TrimSpace(line.Bytes()))}})[0].Err
}
