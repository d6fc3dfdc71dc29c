package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/jobqueue"
)

type idleQueuesCmd struct {
	queueFlags
	IdleFor       string   `short:"o" help:"How long nothing must have happened: minutes, or a time such as 2h." default:"60" placeholder:"MINUTES"`
	Delete        bool     `env:"-" help:"Delete queues that are idle, if their failed queues are."`
	Unpair        bool     `help:"A queue and its failed queue are two."`
	IncludeFailed bool     `help:"With --unpair and a *, failed queues, too."`
	JSON          bool     `name:"json" help:"Print one JSON object a line."`
	Queues        []string `arg:"" name:"queue" help:"Names of queues, or beginnings of names and *, in quotes: 'test*'."`
}

// What CloudWatch has: a datapoint a few minutes after what it is of, and hours of the
// last 63 days in one answer of 1,440.
const (
	leastIdle = 5 * time.Minute
	mostIdle  = 50 * 24 * time.Hour
)

// Run implements the command.
func (c *idleQueuesCmd) Run(ctx context.Context, g *cli, std streams) error {
	names, err := c.names(false)
	if err != nil {
		return err
	}
	idleFor, err := time.ParseDuration(c.IdleFor)
	if n, bad := strconv.Atoi(c.IdleFor); bad == nil {
		idleFor, err = time.Duration(n)*time.Minute, nil
	}
	least := leastIdle
	if c.Local {
		least = 0
	}
	if err != nil || idleFor < least || idleFor > mostIdle {
		return usagef("%s is %q, want minutes, or a time, from %v to %v: CloudWatch knows nothing of shorter times", named("idle-for", c.IdleFor), c.IdleFor, leastIdle, mostIdle)
	}
	if c.IncludeFailed && !c.Unpair {
		return usagef("--include-failed is set, but failed queues are looked at with their queues: add --unpair, or leave it out")
	}
	s := jobqueue.Sweep{Names: names, For: idleFor, Delete: c.Delete, Unpair: c.Unpair, IncludeFailed: c.IncludeFailed}
	for _, typed := range c.Queues {
		p, err := names.Pattern(typed)
		if err != nil {
			return usageError{err}
		}
		s.Patterns = append(s.Patterns, p)
	}
	q, closeAll, err := c.openQueues(ctx, g, 1)
	if err != nil {
		return err
	}
	defer closeAll()
	s.Queues, s.Past = q, q
	var told error
	found := 0
	err = s.Run(ctx, func(i jobqueue.Idle) { found++; told = errors.Join(told, c.tell(std, i, idleFor)) })
	if err == nil && found == 0 && !c.JSON {
		fmt.Fprintf(std.err, "There is no queue %s.\n", strings.Join(c.Queues, ", "))
	}
	calls, past := q.Calls()
	if c.JSON {
		told = errors.Join(told, encode(std.out, struct {
			Event           string `json:"event"`
			SQSCalls        int64  `json:"sqsCalls"`
			CloudWatchCalls int64  `json:"cloudWatchCalls"`
		}{"QUEUES_CHECKED", calls, past}))
	} else if !c.Local {
		fmt.Fprintf(std.err, "Used %d SQS and %d CloudWatch API calls.\n", calls, past)
	}
	return errors.Join(err, told)
}

// tell prints what was found: names of idle queues on standard output, the rest for people.
func (c *idleQueuesCmd) tell(std streams, i jobqueue.Idle, idleFor time.Duration) error {
	if c.JSON {
		return encode(console.Screen(std.out, true), i)
	}
	both := i.Queue
	if i.Failed != "" {
		both += " and " + i.Failed
	}
	switch {
	case !i.Idle:
		fmt.Fprintf(std.err, "Queue %s is in use: %s.\n", i.Queue, i.Why)
		return nil
	case i.Deleted:
		fmt.Fprintf(std.err, "Deleted %s.\n", both)
	default:
		fmt.Fprintf(std.err, "Idle for %d minutes: %s.\n", int(idleFor.Minutes()), both)
	}
	_, err := fmt.Fprintln(std.out, i.Queue)
	return err
}
