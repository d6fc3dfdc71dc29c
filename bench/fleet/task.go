package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/ledger/none"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor/synthetic"
	"github.com/ramify/ramify/queue/sqs"
	"github.com/ramify/ramify/seed"
)

// Config is what an SDK client of a server for tests needs.
func Config(endpoint string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("bench", "bench", ""),
	}
}

// Task is a `ramify task` without a ledger. It says neither when a tree is done
// nor, before it ends, how many nodes it has processed: that the queue is empty
// says the first, its metrics say the second. It implements Walker.
type Task struct {
	*process

	fanout  int
	queue   *sqs.Queue // asked directly, not through a proxy
	metrics bytes.Buffer
	walks   int
	nodes   int64 // that all walks have
}

// StartTask starts the program as a task on the queue of a place. The queue is at
// server, too, where a proxy does not count who asks.
func StartTask(ctx context.Context, p Place, server, program string, env ...string) (*Task, error) {
	q, err := sqs.Open(ctx, Config(server), Place{Endpoint: server, Name: p.Name}.URL())
	if err != nil {
		return nil, fmt.Errorf("start task: %w", err)
	}
	t := &Task{fanout: p.Fanout, queue: q}
	t.process, err = begin(ctx, program, append(p.env(), append([]string{
		"RAMIFY_QUEUE=" + p.URL(), "RAMIFY_LEDGER=none", "RAMIFY_INLINE=0", "RAMIFY_CONCURRENCY=256",
		"AWS_ENDPOINT_URL_S3=" + p.Endpoint,
	}, env...)...), &t.metrics)
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return t, nil
}

// Walk posts a root and returns when the queue is empty.
func (t *Task) Walk(ctx context.Context, depth int) (time.Duration, error) {
	t.walks++
	spec := synthetic.Spec{Shape: synthetic.Uniform, Fanout: t.fanout, Depth: depth}
	l := none.New(none.Options{Post: func(context.Context, ledger.Plan) error { return nil }})
	began := time.Now()
	if err := seed.Run(ctx, l, &post.Poster{Queue: t.queue}, ledger.Run{
		ID: fmt.Sprintf("walk-%d", t.walks), Root: ledger.Kid{Kind: synthetic.Kind, ID: synthetic.RootID, Args: spec.Args()},
	}); err != nil {
		return 0, fmt.Errorf("walk tree: %w", err)
	}
	look := time.NewTimer(soonest)
	defer look.Stop()
	for {
		select {
		case <-look.C:
		case err := <-t.exited:
			t.exited <- err
			return 0, fmt.Errorf("walk tree: the task ended: %w\n%.2000s", err, t.log.Bytes())
		case <-ctx.Done():
			return 0, fmt.Errorf("walk tree: %w", context.Cause(ctx))
		}
		d, err := t.queue.Depth(ctx)
		if err != nil {
			return 0, fmt.Errorf("walk tree: %w", err)
		}
		if d.Total() == 0 { // a message is deleted after its children are posted
			t.nodes += int64(Nodes(t.fanout, depth))
			return time.Since(began), nil
		}
		look.Reset(min(max(soonest, time.Duration(d.Total())*50*time.Microsecond), time.Second))
	}
}

// soonest is when the queue is looked at again where it is about to be empty. Not
// as often while it holds many messages: ElasticMQ counts them one by one.
const soonest = 20 * time.Millisecond

// Stop ends the task and compares the nodes that it has counted with those there
// were.
func (t *Task) Stop() error {
	if err := errors.Join(t.drain(), t.wait(), t.queue.Close()); err != nil {
		return fmt.Errorf("stop task: %w\n%.2000s", err, t.log.Bytes())
	}
	var nodes int64
	for line := range strings.Lines(t.metrics.String()) {
		var figures struct{ Nodes float64 }
		if err := json.Unmarshal([]byte(line), &figures); err != nil {
			return fmt.Errorf("read metrics of the task: %w", err)
		}
		nodes += int64(figures.Nodes)
	}
	if nodes < t.nodes { // more: messages that were delivered twice
		return fmt.Errorf("stop task: it has processed %d nodes, want %d at least", nodes, t.nodes)
	}
	return nil
}

// CPU is what a task that has stopped used.
func (t *Task) CPU() time.Duration {
	return t.cmd.ProcessState.UserTime() + t.cmd.ProcessState.SystemTime()
}

// Create makes the queue of a name, and its dead-letter queue.
func Create(ctx context.Context, server, name string) error {
	cfg := Config(server)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	cfg.HTTPClient = &http.Client{Transport: transport}
	_, err := sqs.Create(ctx, cfg, name, sqs.Settings{})
	return err
}
