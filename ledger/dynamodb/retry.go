package dynamodb

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
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
