// Package sqs is a sink that sends rows to an Amazon SQS queue, at least once: a
// row comes again when an attempt is repeated, and also comes when its attempt is
// not the one that counts. Each message says whose rows it has, so that who reads
// the queue can tell.
package sqs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ramify/ramify/internal/batch"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/sink"
)

// Attributes of a message. Its body are whole rows in the run's format, the part's
// share of those of one attempt on one node. Parts of an attempt are numbered from
// 1, in the order in which the rows were written.
const (
	AttrRun      = "ramify-run"
	AttrNode     = "ramify-node"     // identity of the node, as a schema.PID is written: 22 characters
	AttrAttempt  = "ramify-attempt"  // 16 hexadecimal digits, random; who takes rows once takes one attempt a node
	AttrStream   = "ramify-stream"   // "rows"
	AttrPart     = "ramify-part"     // decimal
	AttrFormat   = "ramify-format"   // "csv", "ndjson" or "keys"
	AttrEncoding = "ramify-encoding" // "base64" of a body that is not text SQS takes, else missing
)

// Options of a Sink.
type Options struct {
	Format inventory.Format // of the rows: keys, csv or ndjson, not compressed

	// MessageBytes is the size of a message with its attributes, at most: 1 KiB to
	// 1 MiB, which is what SQS takes; 0 is 240 KiB, which older readers take, too.
	MessageBytes int

	// Inner keeps everything but the rows and decides which leaf was first; it is
	// closed with the sink. Nil keeps nothing, and every leaf settles its own account.
	Inner sink.Sink
}

// What SQS takes. Source: Amazon SQS Developer Guide, "Amazon SQS message quotas",
// and API reference, "SendMessageBatch".
const (
	maxBatch   = 10      // entries of a request
	maxBytes   = 1 << 20 // of a message, and of all messages of a request
	usualBytes = 240 << 10
	leastBytes = 1 << 10
)

// How requests are made.
const (
	linger   = 10 * time.Millisecond // what a request to SQS takes
	requests = 16                    // under way at a time
	patience = 30 * time.Second      // for an answer: a request may be 1 MiB
)

// Sink sends rows to a queue, and hands everything else to another sink.
type Sink struct {
	sink.Sink // the inner one

	client  *sqs.Client
	release func()
	url     string
	name    string
	options Options
	bytes   int // of a message, at most
	sends   *batch.Batcher[message]
	closed  atomic.Bool
	pause   func(ctx context.Context, failed int) error // before sending again
}

var _ sink.Sink = (*Sink)(nil)

// Open opens the standard queue of a URL, which must exist. Credentials, region
// and endpoint are those of cfg; a region that it lacks is taken from the URL. It
// makes one request, GetQueueAttributes.
func Open(ctx context.Context, cfg aws.Config, queueURL string, o Options) (*Sink, error) {
	s, err := open(ctx, cfg, queueURL, o)
	if err != nil {
		return nil, fmt.Errorf("open results: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, cfg aws.Config, queueURL string, o Options) (*Sink, error) {
	u, err := url.Parse(queueURL)
	if err != nil || u.Host == "" || u.Path == "" {
		return nil, fmt.Errorf("queue URL is %q, want https://sqs.REGION.amazonaws.com/ACCOUNT/NAME", queueURL)
	}
	if strings.HasSuffix(u.Path, ".fifo") {
		return nil, fmt.Errorf("queue %s is a FIFO queue; results go to a standard queue", queueURL)
	}
	switch o.Format {
	case inventory.Keys, inventory.CSV, inventory.NDJSON:
	default:
		return nil, fmt.Errorf("format %s does not go into messages; want keys, csv or ndjson", o.Format)
	}
	if o.MessageBytes == 0 {
		o.MessageBytes = usualBytes
	}
	if o.MessageBytes < leastBytes || o.MessageBytes > maxBytes {
		return nil, fmt.Errorf("messages of %d bytes; want %d to %d", o.MessageBytes, leastBytes, maxBytes)
	}
	if o.Inner == nil {
		o.Inner = sink.Discard{}
	}
	if cfg.Region == "" {
		cfg.Region = regionOf(u.Hostname())
	}
	s := &Sink{Sink: o.Inner, url: queueURL, name: u.Path[strings.LastIndexByte(u.Path, '/')+1:], options: o, bytes: o.MessageBytes, pause: pause}
	s.client, s.release = newClient(cfg)
	if err := s.look(ctx); err != nil {
		s.release()
		return nil, err
	}
	s.sends = batch.New(batch.Options[message]{
		Entries: maxBatch, Bytes: maxBytes, Size: message.size, Requests: requests, Linger: linger, Do: s.send,
	})
	return s, nil
}

// regionOf finds the region in the host of a queue's URL.
func regionOf(host string) string {
	if rest, ok := strings.CutPrefix(host, "sqs."); ok {
		region, _, _ := strings.Cut(rest, ".")
		return region
	}
	return ""
}

// look sees that the queue is there and takes messages of the size.
func (s *Sink) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	name := types.QueueAttributeNameMaximumMessageSize
	out, err := s.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &s.url, AttributeNames: []types.QueueAttributeName{name}})
	if err != nil {
		return s.problem("GetQueueAttributes", err)
	}
	if most, err := strconv.Atoi(out.Attributes[string(name)]); err == nil {
		s.bytes = min(s.bytes, most)
	}
	return nil
}

// Open begins an attempt, of the inner sink too.
func (s *Sink) Open(ctx context.Context, a sink.Attempt) (sink.Part, error) {
	inner, err := s.Sink.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return &part{Part: inner, sink: s, attempt: a}, nil
}

// Finish has nothing to make of rows that are sent; the inner sink finishes what it
// has. Its location is the queue's URL.
func (s *Sink) Finish(ctx context.Context, committed iter.Seq2[sink.Committed, error]) (sink.Summary, error) {
	sum, err := s.Sink.Finish(ctx, committed)
	if err != nil {
		return sink.Summary{}, err
	}
	sum.Location = s.url
	return sum, nil
}

// Close lets go at once what waits to be sent, waits for the answers, and closes
// the inner sink.
func (s *Sink) Close() error {
	s.closed.Store(true)
	s.sends.Close()
	s.release()
	return s.Sink.Close()
}

var errClosed = errors.New("results are closed")
