package sqs

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
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

func (c *client) close() {
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
}
