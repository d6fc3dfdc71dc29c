package sqs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"
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
