package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/webhook"
)

// Poster posts to the application: a *webhook.Client.
type Poster interface {
	Post(ctx context.Context, w *webhook.Work) (webhook.Answer, error)
}

// Options are what the processor needs.
type Options struct {
	Poster Poster // nil: the task was told of no application, which fails each node
	Queue  string // what the application is told of where the node waited; default "ramify"
	Now    func() time.Time
}

// Processor processes nodes of Kind, and of whatever kinds it is registered for.
//
// A node that fails is tried again as any other; a 404, too, since the daemon knows
// no failure for good. Given up at once are a node whose args are wrong, one whose
// answer cannot be used, and one of which the application says so. The retry waits at
// least as long as a Retry-After asks for. An application gets a node again when the
// task dies, or its lease is lost, before the node is committed: webhook.Node.Key is
// equal then.
type Processor struct{ o Options }

var _ processor.Apart = (*Processor)(nil)

// New makes the processor.
func New(o Options) *Processor {
	if o.Queue == "" {
		o.Queue = "ramify"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Processor{o}
}

// Apart implements processor.Apart: whoever does a node's work may take it for done
// when it has answered.
func (p *Processor) Apart() {}

// Process posts the node and takes up its answer.
func (p *Processor) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	a, err := parseArgs(n.Args)
	if err != nil {
		return processor.Permanent(err)
	}
	if p.o.Poster == nil {
		return processor.Permanent(errors.New("post node: this task has no application to post it to: set --webhook-url or RAMIFY_WEBHOOK_URL"))
	}
	key := n.Key().String()
	if n.Epoch > 0 {
		key += "-" + strconv.Itoa(n.Epoch) // redriven on purpose: it is another piece of work
	}
	text, err := body(n, key)
	if err != nil {
		return processor.Permanent(err)
	}
	out.Request("post", 1)
	answer, err := p.o.Poster.Post(ctx, &webhook.Work{
		ID: key, Queue: p.o.Queue, Received: p.o.Now(), Receives: n.Tries + 1,
		Task: a.Task, At: a.At, Path: a.Path,
		Attrs: map[string]string{"Ramify-Run": n.Run, "Ramify-Kind": n.Kind},
		Body:  text,
	})
	if err != nil {
		return failure(err)
	}
	return take(answer, out)
}

// failure is an error with what the engine should know of it.
func failure(err error) error {
	status := (*webhook.StatusError)(nil)
	switch {
	case errors.Is(err, webhook.ErrAnswer):
		return processor.Permanent(err)
	case !errors.As(err, &status):
		return err
	case status.GiveUp:
		return processor.Permanent(err)
	default:
		return processor.Later(err, status.After)
	}
}

// take takes up what an application has answered.
func take(a webhook.Answer, out processor.Out) error {
	var rows bytes.Buffer
	for _, r := range a.Rows {
		if err := json.Compact(&rows, r); err != nil {
			return processor.Permanent(fmt.Errorf("take answer: %w", err))
		}
		rows.WriteByte('\n')
	}
	// Also without rows: another attempt may be answered otherwise.
	if err := out.Write(sink.Rows, rows.Bytes(), len(a.Rows)); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	out.Count(a.Objects, a.Bytes)
	for _, c := range a.Children {
		if err := out.Child(processor.Child{Kind: c.Kind, ID: c.ID, Args: c.Args, Weight: c.Weight}); err != nil {
			return fmt.Errorf("take answer: %w", err)
		}
	}
	return nil
}
