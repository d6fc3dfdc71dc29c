package sqs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"

	"github.com/ramify/ramify/internal/pace"
	"github.com/ramify/ramify/queue"
)

// client is the SDK's, with connections for all requests that may be under way.
type client struct {
	*sqs.Client
	http *http.Client // ours to close; nil where the caller has brought one
}

func newClient(cfg aws.Config) *client {
	c := &client{}
	buildable, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if ok || cfg.HTTPClient == nil {
		if !ok {
			buildable = awshttp.NewBuildableClient()
		}
		t := buildable.GetTransport()
		// Otherwise ten are kept, and the others are made anew for each request.
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 4*requests
		t.ResponseHeaderTimeout = maxWait + patience
		c.http = &http.Client{Transport: t, Timeout: buildable.GetTimeout()}
		cfg.HTTPClient = c.http
	}
	c.Client = sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		// The SDK fails a whole request for one bad body, and checks no
		// attributes: digest.go checks both, entry by entry.
		o.DisableMessageChecksumValidation = true
		o.APIOptions = append(o.APIOptions, watchAttempts)
	})
	return c
}

// once switches the SDK's retries off: an answer that was lost must be known to
// the caller, who marks what is sent again as a possible duplicate.
func once(o *sqs.Options) { o.Retryer = aws.NopRetryer{} }

// attempt is for how long one attempt of a request waits that the SDK makes again:
// an answer that was lost must not take the patience of all of them.
const attempt = 3 * time.Second

// slowError is the error of an attempt that was not answered in time. What it is made
// of is text only: the SDK does not repeat what it knows for the end of a context.
type slowError struct{ said string }

func (e slowError) Error() string { return e.said }

// RetryableError has the SDK make the request again.
func (slowError) RetryableError() bool { return true }

// again bounds each attempt of a request that may be made twice.
func again(o *sqs.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		bound := middleware.FinalizeMiddlewareFunc("AttemptTimeout", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			once, cancel := context.WithTimeout(ctx, attempt)
			defer cancel()
			out, metadata, err := next.HandleFinalize(once, in)
			if err != nil && ctx.Err() == nil && errors.Is(once.Err(), context.DeadlineExceeded) {
				err = slowError{fmt.Sprintf("no answer in %s: %v", attempt, err)}
			}
			return out, metadata, err
		})
		return stack.Finalize.Insert(bound, "Retry", middleware.After)
	})
}

func (c *client) close() {
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
}

// pressure is whether SQS has asked for fewer requests in answer to any attempt of
// one, which a retry of the SDK may then have hidden. It travels in the context.
type pressure struct{ felt atomic.Bool }

type pressureKey struct{}

func watchAttempts(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("RamifyPressure",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			out, about, err := next.HandleFinalize(ctx, in)
			if p, _ := ctx.Value(pressureKey{}).(*pressure); p != nil && err != nil && tooFast(err) {
				p.felt.Store(true)
			}
			return out, about, err
		}), "Retry", middleware.After)
}

// paced waits until the queue bears one more request of an action, or the context
// of waiting ends, and tells the pacer what came of it: the errors of its entries.
func (q *Queue) paced(ctx, waiting context.Context, to string, do func(context.Context) []error) error {
	turn, err := q.pace.Wait(waiting, to)
	if err != nil {
		return err
	}
	var p pressure
	verdict := pace.Other
	defer func() { turn.Done(verdict) }()
	for _, err := range do(context.WithValue(ctx, pressureKey{}, &p)) {
		switch {
		case err == nil && verdict == pace.Other:
			verdict = pace.Fine
		case errors.Is(err, errThrottled), errors.Is(err, errOverLimit):
			verdict = pace.TooFast
		}
	}
	if p.felt.Load() {
		verdict = pace.TooFast
	}
	return nil
}

// pacedBatch is what makes one request, with its turn. Once the queue is closed
// there is as long to wait for one as for an answer.
func pacedBatch[E any](q *Queue, action string, do func(context.Context, []E) []error) func(context.Context, []E) []error {
	to := q.dependency(action)
	return func(ctx context.Context, entries []E) []error {
		waiting, giveUp := context.WithCancelCause(ctx)
		defer giveUp(nil)
		defer context.AfterFunc(q.closing, func() {
			time.AfterFunc(patience, func() { giveUp(queue.ErrClosed) })
		})()
		var errs []error
		err := q.paced(ctx, waiting, to, func(ctx context.Context) []error {
			errs = do(ctx, entries)
			return errs
		})
		if err != nil {
			return all(len(entries), err)
		}
		return errs
	}
}

// dependency is how the pacer calls an action on the queue: SQS throttles each on
// its own.
func (q *Queue) dependency(action string) string { return "sqs:" + action + " on queue " + q.name }

// Slowed is how many requests at a time are made of each action that SQS has asked
// to slow down, and that has not recovered yet, as "sqs:SendMessageBatch on queue
// nodes"; nil if there is none.
func (q *Queue) Slowed() map[string]int { return q.pace.Slowed() }

// OnTurn has f called when an action begins or ends to be slowed. It must return
// at once.
func (q *Queue) OnTurn(f func(pace.Turn)) { q.pace.OnTurn(f) }
