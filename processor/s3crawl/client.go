package s3crawl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	attempts       = 8                // of one request, with backoff and jitter between them
	checkAttempts  = 3                // while somebody waits to hear what is wrong
	attemptTime    = 60 * time.Second // for one attempt, its body included
	defaultRegion  = "us-east-1"      // where any bucket can be asked for; S3 then names its own
	regionHeader   = "X-Amz-Bucket-Region"
	credentialTime = 3 * time.Second // to find credentials, before a run
)

// Client lists buckets through the AWS SDK. A bucket in another region than the
// configured one is asked for in its own, once S3 has named it.
type Client struct {
	s3      *s3.Client
	regions sync.Map // bucket → its region, where S3 named another than the configured one
}

var _ Lister = (*Client)(nil)

// Connect makes a client from the AWS SDK's usual sources: AWS_ENDPOINT_URL_S3,
// AWS_ENDPOINT_URL, AWS_REGION, AWS_PROFILE, credentials in variables, files or
// from the container or instance. It makes no request. Concurrency is how many
// requests are in flight at most: so many connections are kept.
//
// Source: AWS SDKs and Tools Reference Guide, "Settings reference".
func Connect(ctx context.Context, concurrency int) (*Client, error) {
	// What goes wrong is returned: the SDK need not log it as well.
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	var profile config.SharedConfigProfileNotExistError
	if errors.As(err, &profile) {
		return nil, fmt.Errorf("read AWS configuration: %w; check AWS_PROFILE", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read AWS configuration: %w", err)
	}
	return FromConfig(cfg, concurrency), nil
}

// FromConfig makes a client from a configuration of the caller's own; retries
// and connections are set for a crawl. Where the endpoint is not AWS's, buckets
// are addressed by path.
func FromConfig(cfg aws.Config, concurrency int) *Client {
	return newClient(cfg, concurrency, retry.NewExponentialJitterBackoff(retry.DefaultMaxBackoff))
}

func newClient(cfg aws.Config, concurrency int, backoff retry.BackoffDelayer) *Client {
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	// LoadDefaultConfig has made one where AWS_CA_BUNDLE names certificates.
	if b, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		cfg.HTTPClient = bounded(b.WithTimeout(attemptTime).WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns = max(t.MaxIdleConns, concurrency+16)
			t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, concurrency)
		}))
	}
	return &Client{s3: s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.Backoff = attempts, backoff
			// The SDK's token bucket is shared by all requests of a client: with
			// many in flight, a moment of SlowDown would use it up and fail them all.
			r.RateLimiter = ratelimit.None
			// An answer that cannot be read was cut off on its way; first, since the
			// SDK's own tests see only the code of its request.
			r.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(unreadable)}, r.Retryables...)
		})
	})}
}

func unreadable(err error) aws.Ternary {
	if unread(err) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// ListObjectsV2 lists one page, in the bucket's own region.
func (c *Client) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, opts ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	bucket := aws.ToString(in.Bucket)
	known, _ := c.regions.Load(bucket)
	out, err := c.s3.ListObjectsV2(ctx, in, append(opts, inRegion(known))...)
	if region := c.elsewhere(err); region != "" && region != known {
		c.regions.Store(bucket, region)
		return c.s3.ListObjectsV2(ctx, in, append(opts, inRegion(region))...)
	}
	return out, err
}

func inRegion(region any) func(*s3.Options) {
	return func(o *s3.Options) {
		if r, ok := region.(string); ok {
			o.Region = r
		}
	}
}

// elsewhere is the region that an answer names for a bucket asked for in
// another. With an endpoint of one's own there is nowhere else to go.
func (c *Client) elsewhere(err error) string {
	var answer *smithyhttp.ResponseError
	if err == nil || c.s3.Options().BaseEndpoint != nil || !errors.As(err, &answer) {
		return ""
	}
	switch answer.HTTPStatusCode() {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
		return answer.Response.Header.Get(regionHeader)
	}
	return ""
}

// watch counts the requests that go out on the wire, those that net/http repeats
// by itself included, and checks each answer where the retryer can still ask
// again.
func watch(sent *atomic.Int64) func(*s3.Options) {
	trace := &httptrace.ClientTrace{WroteRequest: func(w httptrace.WroteRequestInfo) {
		if w.Err == nil {
			sent.Add(1)
		}
	}}
	step := middleware.DeserializeMiddlewareFunc("CountList", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		return next.HandleDeserialize(httptrace.WithClientTrace(ctx, trace), in)
	})
	check := middleware.DeserializeMiddlewareFunc("CheckPage", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, meta, err := next.HandleDeserialize(ctx, in)
		if result, ok := out.Result.(*s3.ListObjectsV2Output); ok && err == nil {
			err = checkForm(result)
		}
		return out, meta, err
	})
	return func(o *s3.Options) {
		// The slice is the client's: appending in place would race.
		o.APIOptions = append(slices.Clip(o.APIOptions), func(s *middleware.Stack) error {
			if err := s.Deserialize.Add(step, middleware.After); err != nil {
				return err
			}
			return s.Deserialize.Add(check, middleware.Before)
		})
	}
}
