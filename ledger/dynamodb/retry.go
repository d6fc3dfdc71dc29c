package dynamodb

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"

	"github.com/ramify/ramify/internal/pace"
)

// Attempts of one request, and the pauses between them: about ten seconds in
// all at most, after which the caller repeats the call or lets go of its message.
const (
	attempts   = 10
	firstPause = 25 * time.Millisecond
	longPause  = 2 * time.Second
)

// newRetryer retries what the SDK calls retryable: throttling, 5xx, timeouts and
// lost connections. Every write can be repeated, so an answer may be lost. There
// is no budget of retries over all requests: while a new table splits its
// partitions most of them are throttled, and giving units back to the queue
// would cost more than waiting.
//
// Source: Amazon DynamoDB Developer Guide, "Error handling with DynamoDB",
// "Error retries and exponential backoff".
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return pause(attempt), nil })
	})
}

// pause is any time up to a bound that doubles with each attempt.
func pause(attempt int) time.Duration {
	bound := min(firstPause<<min(attempt, 10), longPause)
	return rand.N(bound) + time.Millisecond
}

// rest waits before an attempt after the first.
func rest(ctx context.Context, attempt int) error {
	timer := time.NewTimer(pause(attempt))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// paced has each attempt of a request wait until the table bears one more: what is
// throttled is repeated, so fewer must be under way at a time, or all of them only
// take turns at being refused. Between attempts a request has no turn.
func (l *Ledger) paced(stack *middleware.Stack) error {
	reads, writes := "reads of table "+l.table, "writes to table "+l.table
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("RamifyPace",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			to := reads
			switch awsmiddleware.GetOperationName(ctx) {
			case "PutItem", "UpdateItem", "DeleteItem":
				to = writes
			}
			turn, err := l.pace.Wait(ctx, to)
			if err != nil {
				// As the SDK has it of a caller who gives up.
				return middleware.FinalizeOutput{}, middleware.Metadata{}, &aws.RequestCanceledError{Err: ctx.Err()}
			}
			verdict := pace.Other
			defer func() { turn.Done(verdict) }()
			out, about, err := next.HandleFinalize(ctx, in)
			verdict = judge(out.Result, err)
			return out, about, err
		}), "Retry", middleware.After)
}

// judge is what an answer says of the pace. A batch may be answered in part, which
// is how DynamoDB throttles it.
func judge(result any, err error) pace.Verdict {
	switch {
	case err == nil:
		if out, ok := result.(*sdk.BatchGetItemOutput); ok && len(out.UnprocessedKeys) > 0 {
			return pace.TooFast
		}
		return pace.Fine
	case throttled(err):
		return pace.TooFast
	case refused(err):
		return pace.Fine // the table did what it was asked
	}
	return pace.Other
}

// Slowed is how many requests at a time are made of the reads or writes that
// DynamoDB has asked to slow down, and that have not recovered yet, as "writes to
// table nodes"; nil if there is none.
func (l *Ledger) Slowed() map[string]int { return l.pace.Slowed() }

// OnTurn has f called when reads or writes begin or end to be slowed. It must
// return at once.
func (l *Ledger) OnTurn(f func(pace.Turn)) { l.pace.OnTurn(f) }
