package sqs

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// newClient is the SDK's, with connections for all requests that may be under way,
// and what releases them. Where the caller has brought an HTTP client it stays his.
func newClient(cfg aws.Config) (c *sqs.Client, release func()) {
	release = func() {}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	if own, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		transport := own.GetTransport()
		transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, requests
		client := &http.Client{Transport: transport, Timeout: patience}
		cfg.HTTPClient, release = client, client.CloseIdleConnections
	}
	return sqs.NewFromConfig(cfg), release
}

// once has the SDK not repeat a request: of its entries only those that failed are
// sent again.
func once(o *sqs.Options) { o.Retryer = aws.NopRetryer{} }

const firstPause, longPause = 50 * time.Millisecond, 5 * time.Second

// pause waits any time up to a bound that doubles with each failure.
func pause(ctx context.Context, failed int) error {
	timer := time.NewTimer(time.Millisecond + rand.N(min(firstPause<<min(failed, 10), longPause)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
