package faults

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ramify/ramify/integration/program"
	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/emulator/elasticmq"
)

// fleet is a queue, a table, and tasks that share them.
type fleet struct {
	*program.User
	main, dead *program.Queue
	tasks      []*program.Process
}

var fleets atomic.Int64

// newFleet makes a queue on ElasticMQ and a table on DynamoDB Local, which the
// environment given may have reached by other ways.
func newFleet(t *testing.T, env ...string) *fleet {
	t.Helper()
	name := fmt.Sprintf("faults-%d-%d", os.Getpid(), fleets.Add(1))
	f := &fleet{User: program.NewUser(t, "")}
	f.Env = append(append(f.Env,
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+strings.ReplaceAll(name, "-", ""), "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_ENDPOINT_URL_SQS="+elasticmq.URL(t), "AWS_ENDPOINT_URL_DYNAMODB="+dynamodblocal.URL(t),
		"RAMIFY_QUEUE="+name, "RAMIFY_LEDGER=dynamodb:"+name, "RAMIFY_SIGNING_KEY=test:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
		// What a task held that is gone is seen again after seconds, not a minute.
		"RAMIFY_VISIBILITY=4s", "RAMIFY_CONCURRENCY=8", "RAMIFY_POLL_RATE=600", "RAMIFY_SWEEP=2s", "RAMIFY_GRACE=10s",
	), env...)
	f.Run(t, "setup").RequireCode(t, 0)
	client := program.SQS(elasticmq.URL(t))
	f.main, f.dead = program.Named(t, client, name), program.Named(t, client, name+"-dead")
	return f
}

// grow starts tasks and waits until each has opened what it works on: one that finds a
// server gone as it begins ends, as it should, and is started again by whoever does so.
func (f *fleet) grow(t *testing.T, n int) {
	t.Helper()
	const begins = `"msg":"task begins"`
	begun := len(f.tasks)
	for range n {
		f.tasks = append(f.tasks, f.Start(t, "task"))
	}
	for _, p := range f.tasks[begun:] {
		p.Stderr.Until(t, "a task to begin", func() bool {
			said := p.Stderr.String()
			return strings.Contains(said, begins) || strings.Contains("\n"+said, "\nramify: ")
		})
		if said := p.Stderr.String(); !strings.Contains(said, begins) {
			t.Fatalf("a task could not begin: %s", said)
		}
	}
}

// seed begins a run and follows it to its end.
func (f *fleet) seed(t *testing.T, run, target string, args ...string) *program.Process {
	t.Helper()
	p := f.Start(t, append([]string{"seed", target, "--run", run, "--watch", "--json"}, args...)...)
	p.Stderr.Await(t, "run "+run+"\n")
	return p
}

// patience is how long a whole walk may take on a machine that does much else.
func patience() time.Duration {
	if program.Soak() {
		return 40 * time.Minute
	}
	return 8 * time.Minute
}

// said is the end of what each task said.
func (f *fleet) said() string {
	var b strings.Builder
	for i, p := range f.tasks {
		text := p.Stderr.String()
		fmt.Fprintf(&b, "task %d: %s\n", i, text[max(len(text)-2000, 0):])
	}
	return b.String()
}

// whole waits for the end of a run and fails the test unless the tree was counted as
// it is, and nothing is left of it in either queue.
func (f *fleet) whole(t *testing.T, end *program.Process, tr tree) {
	t.Helper()
	r := end.WaitFor(t, patience())
	if r.Code != 0 {
		t.Log(f.said())
	}
	r.RequireCode(t, 0)
	tr.whole(t, program.ParseSummary(t, r.Stdout))
	f.main.AwaitEmpty(t, f.said)
	if d := f.dead.Depth(t); d != (program.Depth{}) {
		t.Errorf("the dead-letter queue has %+v: %.2000q", d, f.dead.Take(t))
	}
}

// drain sends all tasks home: each ends well, and has said nothing but JSON.
func (f *fleet) drain(t *testing.T) {
	t.Helper()
	for _, p := range f.tasks {
		p.Signal(t, program.Terminate)
	}
	for _, p := range f.tasks {
		r := p.Wait(t)
		r.RequireCode(t, 0)
		if text := program.Plain(t, r.Stderr); text != "" {
			t.Errorf("a task said %q", program.Shortened(text))
		}
	}
	f.tasks = nil
}

// state is what `ramify status` says of a run.
func (f *fleet) state(t *testing.T, run string) program.Summary {
	t.Helper()
	r := f.Run(t, "status", run, "--json")
	r.RequireCode(t, 0)
	return program.ParseSummary(t, r.Stdout)
}
