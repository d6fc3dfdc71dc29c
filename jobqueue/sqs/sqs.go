// Package sqs keeps named queues on Amazon SQS. Queues are made on demand, their URLs
// remembered, and no attribute is asked for that is not needed: a job that is sent costs
// two requests, or one to a queue that is known.
package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/ramify/ramify/internal/gate"
	"github.com/ramify/ramify/internal/sqsapi"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/queue"
)

// What SQS takes. Source: Amazon SQS Developer Guide, "Amazon SQS message quotas", and
// API reference, "SendMessageBatch" and "ListQueues".
const (
	maxBatch = 10
	maxBytes = 1 << 20
	maxList  = 1000
	maxWait  = 20 * time.Second
)

const (
	patience = 20 * time.Second // for an answer, beside what a long poll waits
	abreast  = 16               // requests of one call at a time
	attempts = 4                // of an entry that SQS could not take just now
)

// Options of queues that are made. The zero value is what our own need.
type Options struct {
	// Tries is how often a message is received before it moves to the failed queue;
	// 0: once.
	Tries int
	// Bare makes queues with SQS's own settings, as qdone does.
	Bare bool
}

// Queues are the queues of one account and region. They implement jobqueue.Queues and
// jobqueue.Past.
type Queues struct {
	api   *sqs.Client
	watch *cloudwatch.Client
	o     Options
	gate  *gate.Gate

	calls, past atomic.Int64

	mu     sync.Mutex
	places map[string]*place
}

// place is where one queue is.
type place struct {
	mu  sync.Mutex // held by whoever finds out
	url string     // "": not known
}

var (
	_ jobqueue.Queues = (*Queues)(nil)
	_ jobqueue.Past   = (*Queues)(nil)
)

// New makes no request. Credentials, region and endpoints are those of cfg.
func New(cfg aws.Config, o Options) *Queues {
	q := &Queues{o: o, gate: gate.New(jobqueue.ErrClosed), places: map[string]*place{}}
	q.api = sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.APIOptions = append(o.APIOptions, counted(&q.calls)) })
	q.watch = cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) { o.APIOptions = append(o.APIOptions, counted(&q.past)) })
	return q
}

// counted counts requests as they go out, repetitions included.
func counted(n *atomic.Int64) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("RamifyCount",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				n.Add(1)
				return next.HandleFinalize(ctx, in)
			}), "Retry", middleware.After)
	}
}

// Calls is how many requests were made of SQS and of CloudWatch.
func (q *Queues) Calls() (queues, past int64) { return q.calls.Load(), q.past.Load() }

// enter begins a call, whose requests have so long, and returns what ends it.
func (q *Queues) enter(ctx context.Context, d time.Duration) (context.Context, func(), error) {
	if err := q.gate.Enter(ctx); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, func() { cancel(); q.gate.Leave() }, nil
}

func (q *Queues) place(name string) *place {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.places[name]
	if p == nil {
		p = &place{}
		q.places[name] = p
	}
	return p
}

// forget is called where a queue was not found at its URL.
func (q *Queues) forget(name string, err error) {
	if errors.Is(err, jobqueue.ErrNoQueue) {
		p := q.place(name)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.url = ""
	}
}

// url is the URL of a queue, which is asked for once.
func (q *Queues) url(ctx context.Context, name string) (string, error) {
	p := q.place(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	return q.locate(ctx, p, name)
}

// locate asks for a URL that is not known; p is locked.
func (q *Queues) locate(ctx context.Context, p *place, name string) (string, error) {
	if p.url != "" {
		return p.url, nil
	}
	out, err := q.api.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", problem("GetQueueUrl", name, err)
	}
	p.url = aws.ToString(out.QueueUrl)
	return p.url, nil
}

// Find is the queues that a pattern names, as jobqueue.Queues says: one request for a
// thousand queues of a pattern, none for a name whose URL is known.
func (q *Queues) Find(ctx context.Context, pattern string) ([]string, error) {
	ctx, leave, err := q.enter(ctx, patience)
	if err != nil {
		return nil, fmt.Errorf("find queues: %w", err)
	}
	defer leave()
	if !jobqueue.IsPattern(pattern) {
		_, err := q.url(ctx, pattern)
		switch {
		case errors.Is(err, jobqueue.ErrNoQueue):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("find queues: %w", err)
		}
		return []string{pattern}, nil
	}
	begin := strings.TrimSuffix(pattern, "*")
	in := &sqs.ListQueuesInput{MaxResults: aws.Int32(maxList)}
	if begin != "" {
		in.QueueNamePrefix = &begin
	}
	var names []string
	for {
		out, err := q.api.ListQueues(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("find queues: %w", problem("ListQueues", pattern, err))
		}
		for _, url := range out.QueueUrls {
			name := url[strings.LastIndexByte(url, '/')+1:]
			if !strings.HasPrefix(name, begin) {
				continue
			}
			p := q.place(name)
			p.mu.Lock()
			p.url = url
			p.mu.Unlock()
			names = append(names, name)
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Receive receives as jobqueue.Queues says. A receive under way is not cut short by
// r.Hurry: SQS may have taken a message for it.
func (q *Queues) Receive(ctx context.Context, name string, r jobqueue.Request) ([]jobqueue.Delivery, error) {
	ctx, leave, err := q.enter(ctx, patience+r.Wait)
	if err != nil {
		return nil, fmt.Errorf("receive messages: %w", err)
	}
	defer leave()
	if r.Max < 1 || r.Max > maxBatch || r.Wait < 0 || r.Wait > maxWait || r.Visibility < time.Second {
		return nil, fmt.Errorf("receive messages: request for %d, %s, %s: %w", r.Max, r.Wait, r.Visibility, jobqueue.ErrInvalid)
	}
	url, err := q.url(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("receive messages: %w", err)
	}
	out, err := q.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: int32(r.Max),
		WaitTimeSeconds: int32(r.Wait / time.Second), VisibilityTimeout: int32(r.Visibility / time.Second),
		MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameMessageGroupId,
		},
	})
	if err != nil {
		err = problem("ReceiveMessage", name, err)
		q.forget(name, err)
		return nil, fmt.Errorf("receive messages: %w", err)
	}
	got := make([]jobqueue.Delivery, len(out.Messages))
	for i := range out.Messages {
		got[i] = delivery(&out.Messages[i])
	}
	return got, nil
}

// delivery is a message in our words.
func delivery(m *types.Message) jobqueue.Delivery {
	return jobqueue.Delivery{
		ID: aws.ToString(m.MessageId), Body: []byte(aws.ToString(m.Body)), Attrs: sqsapi.Texts(m), Receipt: aws.ToString(m.ReceiptHandle),
		Group:    m.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)],
		Receives: sqsapi.Receives(m),
	}
}

// Delete removes a message as jobqueue.Queues says.
func (q *Queues) Delete(ctx context.Context, name, receipt string) error {
	ctx, leave, err := q.enter(ctx, patience)
	if err != nil {
		return fmt.Errorf("delete message: %w", err)
	}
	defer leave()
	url, err := q.url(ctx, name)
	if err == nil {
		_, err = q.api.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: &receipt})
	}
	if err != nil {
		if err = problem("DeleteMessage", name, err); errors.Is(err, jobqueue.ErrLeaseLost) {
			return nil
		}
		return fmt.Errorf("delete message: %w", err)
	}
	return nil
}

// Extend sets how long a message stays hidden as jobqueue.Queues says.
func (q *Queues) Extend(ctx context.Context, name, receipt string, d time.Duration) error {
	ctx, leave, err := q.enter(ctx, patience)
	if err != nil {
		return fmt.Errorf("extend lease: %w", err)
	}
	defer leave()
	url, err := q.url(ctx, name)
	if err == nil {
		_, err = q.api.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
			QueueUrl: &url, ReceiptHandle: &receipt, VisibilityTimeout: int32(d / time.Second),
		})
	}
	if err != nil {
		return fmt.Errorf("extend lease: %w", problem("ChangeMessageVisibility", name, err))
	}
	return nil
}

// Depth asks for the three approximate counts.
func (q *Queues) Depth(ctx context.Context, name string) (queue.Depth, error) {
	_, d, err := q.attributesOf(ctx, name)
	return d, err
}

// State asks for the same and the redrive policy, by one request.
func (q *Queues) State(ctx context.Context, name string) (jobqueue.State, error) {
	attrs, d, err := q.attributesOf(ctx, name, types.QueueAttributeNameRedrivePolicy)
	if err != nil {
		return jobqueue.State{}, err
	}
	var policy struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if text := attrs[string(types.QueueAttributeNameRedrivePolicy)]; text != "" {
		if err := json.Unmarshal([]byte(text), &policy); err != nil {
			return jobqueue.State{}, fmt.Errorf("read redrive policy of queue %s: %w", name, err)
		}
	}
	return jobqueue.State{Depth: d, Failed: policy.Target[strings.LastIndexByte(policy.Target, ':')+1:]}, nil
}

// attributesOf asks for the counts, and for other attributes.
func (q *Queues) attributesOf(ctx context.Context, name string, others ...types.QueueAttributeName) (map[string]string, queue.Depth, error) {
	ctx, leave, err := q.enter(ctx, patience)
	if err != nil {
		return nil, queue.Depth{}, fmt.Errorf("count messages: %w", err)
	}
	defer leave()
	url, err := q.url(ctx, name)
	if err != nil {
		return nil, queue.Depth{}, fmt.Errorf("count messages: %w", err)
	}
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := q.api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: slices.Concat(names, others)})
	if err != nil {
		err = problem("GetQueueAttributes", name, err)
		q.forget(name, err)
		return nil, queue.Depth{}, fmt.Errorf("count messages: %w", err)
	}
	var n [3]int64
	for i, attr := range names {
		if n[i], err = strconv.ParseInt(out.Attributes[string(attr)], 10, 64); err != nil {
			return nil, queue.Depth{}, fmt.Errorf("count messages: read %s of queue %s: %w", attr, name, err)
		}
	}
	return out.Attributes, queue.Depth{Visible: n[0], InFlight: n[1], Delayed: n[2]}, nil
}

// Close waits for what is under way.
func (q *Queues) Close() error {
	q.gate.Close()
	return nil
}
