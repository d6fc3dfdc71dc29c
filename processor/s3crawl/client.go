package s3crawl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ramify/ramify/processor/s3crawl/pace"
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
	pace    *pace.Pacer
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
	c := &Client{pace: pace.New(0)}
	c.s3 = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil
		o.APIOptions = append(o.APIOptions, c.onWire)
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.Backoff = attempts, backoff
			// The SDK's token bucket is shared by all requests of a client: with
			// many in flight, a moment of SlowDown would use it up and fail them all.
			r.RateLimiter = ratelimit.None
			// First, since the SDK's own tests of an answer that cannot be read see
			// only the code of its request.
			r.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(passing)}, r.Retryables...)
		})
	})
	return c
}

// Limit caps the client's requests, retries included, at so many a second; 0 is
// no cap. It must not be called once there are requests.
func (c *Client) Limit(perSecond int) { c.pace = pace.New(perSecond) }

// passing finds errors that may pass and that the SDK does not know to: an answer
// that cannot be read was cut off on its way, and what was refused because there
// was too much of it (also by HTTP 429) is asked for again.
func passing(err error) aws.Ternary {
	if unread(err) || throttles(err) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// List implements Lister. The bucket is asked for in its own region.
func (c *Client) List(ctx context.Context, q Query) (Page, error) {
	return c.list(ctx, &q, pageKeys)
}

func (c *Client) list(ctx context.Context, q *Query, keys int32, opts ...func(*s3.Options)) (Page, error) {
	call := newCall(q)
	if q.Count != nil {
		defer func() {
			q.Count("list", call.sent.Load())
			if call.throttled > 0 {
				q.Count("throttled", call.throttled)
			}
		}()
	}
	ctx = context.WithValue(ctx, callKey{}, call)
	err := c.inItsRegion(q.Bucket, func(region func(*s3.Options)) (err error) {
		opts := append(slices.Clip(opts), region)
		if q.Versions {
			_, err = c.s3.ListObjectVersions(ctx, q.versionsInput(keys), opts...)
		} else {
			_, err = c.s3.ListObjectsV2(ctx, q.objectsInput(keys), opts...)
		}
		return err
	})
	var pg Page
	if call.page != nil {
		pg = pageOf(call.page)
	}
	if err != nil {
		pg.Release()
	}
	return pg, err
}

func (q *Query) objectsInput(keys int32) *s3.ListObjectsV2Input {
	in := &s3.ListObjectsV2Input{
		Bucket: &q.Bucket, MaxKeys: &keys, Prefix: given(&q.Prefix), Delimiter: given(&q.Delimiter), ContinuationToken: given(&q.Token),
		EncodingType: types.EncodingTypeUrl, // XML 1.0 cannot carry all characters of a key
	}
	if q.Token == "" {
		in.StartAfter = given(&q.After)
	}
	return in
}

func (q *Query) versionsInput(keys int32) *s3.ListObjectVersionsInput {
	return &s3.ListObjectVersionsInput{
		Bucket: &q.Bucket, MaxKeys: &keys, Prefix: given(&q.Prefix), Delimiter: given(&q.Delimiter),
		KeyMarker: given(&q.After), VersionIdMarker: given(&q.Mark), EncodingType: types.EncodingTypeUrl,
	}
}

// given leaves out what is empty: some servers take an empty parameter for a value.
func given(s *string) *string {
	if *s == "" {
		return nil
	}
	return s
}

// inItsRegion asks for a bucket, and once more if S3 names another region.
func (c *Client) inItsRegion(bucket string, ask func(region func(*s3.Options)) error) error {
	known, _ := c.regions.Load(bucket)
	err := ask(inRegion(known))
	if region := c.elsewhere(err); region != "" && region != known {
		c.regions.Store(bucket, region)
		return ask(inRegion(region))
	}
	return err
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
