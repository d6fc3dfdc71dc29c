// Package sqs is a queue on Amazon SQS: a standard queue, which any number of
// processes share.
//
// Sends, deletes and extensions of all callers share requests (internal/batch):
// SQS charges per request, whether it carries one entry or ten.
package sqs

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/internal/batch"
	"github.com/ramify/ramify/internal/pace"
	"github.com/ramify/ramify/queue"
)

// What SQS takes. Source: Amazon SQS Developer Guide, "Amazon SQS message
// quotas", and API reference, "SendMessageBatch".
const (
	maxBatch      = 10      // entries of a request
	maxBytes      = 1 << 20 // of a message, and of all messages of a request
	maxAttrs      = 8       // SQS takes ten; two are left to whoever stands between
	maxVisibility = 12 * time.Hour
	maxDelay      = 15 * time.Minute
	maxWait       = 20 * time.Second // of one long poll
)

// How requests are made.
const (
	linger   = 10 * time.Millisecond // what a request to SQS takes
	longer   = 20 * time.Millisecond // for what no unit waits for
	requests = 32                    // of one kind under way at a time
	patience = 10 * time.Second      // for an answer
)

// Queue is one SQS queue. It implements queue.Queue.
type Queue struct {
	client *client
	pace   *pace.Pacer
	name   string
	url    *string
	limits queue.Limits
	dead   string // name of its dead-letter queue, or nothing

	sends   *batch.Batcher[posting]
	deletes *batch.Batcher[queue.Receipt]
	extends *batch.Batcher[queue.Lease]

	mu      sync.Mutex
	closing context.Context // ends when Close begins
	close   context.CancelFunc
	calls   sync.WaitGroup
}

var _ queue.Queue = (*Queue)(nil)

// Open opens the standard queue of a name or URL, which must exist. Credentials,
// region and endpoint are those of cfg; a region that it lacks is taken from the
// URL. It makes two requests: GetQueueUrl, unless there is a URL, and
// GetQueueAttributes.
func Open(ctx context.Context, cfg aws.Config, nameOrURL string) (*Queue, error) {
	q, err := open(ctx, cfg, nameOrURL)
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	return q, nil
}

func open(ctx context.Context, cfg aws.Config, nameOrURL string) (*Queue, error) {
	place, err := locate(nameOrURL)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		cfg.Region = place.region
	}
	c := newClient(cfg)
	q := &Queue{client: c, pace: pace.New(0), name: place.name}
	if err := q.look(ctx, place.url); err != nil {
		c.close()
		return nil, err
	}
	q.closing, q.close = context.WithCancel(context.Background())
	q.sends = batch.New(batch.Options[posting]{
		Entries: maxBatch, Bytes: maxBytes, Size: posting.size, Requests: requests, Linger: linger, Do: pacedBatch(q, "SendMessageBatch", q.send),
	})
	q.deletes = batch.New(batch.Options[queue.Receipt]{
		Entries: maxBatch, Requests: requests, Linger: longer, Do: pacedBatch(q, "DeleteMessageBatch", q.remove),
	})
	q.extends = batch.New(batch.Options[queue.Lease]{
		Entries: maxBatch, Requests: requests, Linger: longer, Do: pacedBatch(q, "ChangeMessageVisibilityBatch", q.extend),
	})
	return q, nil
}

// look resolves the queue and reads what it takes.
func (q *Queue) look(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if q.url = &url; url == "" {
		out, err := q.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &q.name}, again)
		if err != nil {
			return q.problem("GetQueueUrl", err)
		}
		q.url = out.QueueUrl
	}
	attrs, err := q.attributes(ctx, types.QueueAttributeNameMaximumMessageSize, types.QueueAttributeNameRedrivePolicy)
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(attrs[string(types.QueueAttributeNameMaximumMessageSize)])
	if err != nil || size > maxBytes {
		size = maxBytes // of an emulator that does not say
	}
	q.dead = deadLetters(attrs[string(types.QueueAttributeNameRedrivePolicy)])
	q.limits = queue.Limits{
		Batch: maxBatch,
		// SQS counts the types of attributes, queue.Entry.Size does not.
		Body:       size - maxAttrs*len(stringType),
		Visibility: maxVisibility,
		Delay:      maxDelay,
	}
	return nil
}

func (q *Queue) attributes(ctx context.Context, names ...types.QueueAttributeName) (map[string]string, error) {
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: q.url, AttributeNames: names}, again)
	if err != nil {
		return nil, q.problem("GetQueueAttributes", err)
	}
	return out.Attributes, nil
}

// OpenDeadLetters opens the queue to which the one of a name or URL moves what
// was received too often; what cannot be executed is sent there, too.
func OpenDeadLetters(ctx context.Context, cfg aws.Config, nameOrURL string) (*Queue, error) {
	of, err := Open(ctx, cfg, nameOrURL)
	if err != nil {
		return nil, err
	}
	defer of.Close() //nolint:errcheck // nothing waits to be sent
	if of.dead == "" {
		return nil, fmt.Errorf("open queue: queue %s has no dead-letter queue: set its redrive policy, or make both by `ramify setup`", of.name)
	}
	if cfg.Region == "" {
		cfg.Region = of.client.Options().Region
	}
	return Open(ctx, cfg, of.dead)
}

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// DeadLetters is the name of the queue to which this one moves what was received
// too often, and nothing if it has none.
func (q *Queue) DeadLetters() string { return q.dead }

// Limits are those of SQS, less what a queue of its own setting takes
// (MaximumMessageSize), and less six bytes for each attribute there may be: SQS
// counts the word "String". Source: Amazon SQS Developer Guide, "Amazon SQS
// message metadata".
func (q *Queue) Limits() queue.Limits { return q.limits }

// Depth asks for the three approximate counts. They are eventually consistent,
// within a minute after producers stop. Source: Amazon SQS API reference,
// "GetQueueAttributes".
func (q *Queue) Depth(ctx context.Context) (queue.Depth, error) {
	ctx, leave, err := q.enter(ctx)
	if err != nil {
		return queue.Depth{}, fmt.Errorf("count messages: %w", err)
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	attrs, err := q.attributes(ctx, names...)
	if err != nil {
		return queue.Depth{}, fmt.Errorf("count messages: %w", err)
	}
	var n [3]int64
	for i, name := range names {
		if n[i], err = strconv.ParseInt(attrs[string(name)], 10, 64); err != nil {
			return queue.Depth{}, fmt.Errorf("count messages: read %s of queue %s: %w", name, q.name, err)
		}
	}
	return queue.Depth{Visible: n[0], InFlight: n[1], Delayed: n[2]}, nil
}

// enter begins a call. Its context ends with the caller's, and when the queue is
// closed.
func (q *Queue) enter(ctx context.Context) (context.Context, func(), error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closing.Err() != nil {
		return nil, nil, queue.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	q.calls.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(q.closing, func() { cancel(queue.ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
		q.calls.Done()
	}, nil
}

// Close ends receives, lets go at once what waits to be sent, deleted or
// extended, and waits for the answers, ten seconds at most; where SQS has asked for
// fewer requests, ten seconds more.
func (q *Queue) Close() error {
	q.mu.Lock()
	q.close()
	q.mu.Unlock()
	q.sends.Close()
	q.deletes.Close()
	q.extends.Close()
	q.calls.Wait()
	q.client.close()
	return nil
}
