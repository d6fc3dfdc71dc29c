package s3client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	// AttemptTime is for one attempt, its body included.
	AttemptTime = 60 * time.Second

	// Attempts are those of one request, with backoff and jitter between them.
	Attempts = 8

	// BriefAttempts are those while somebody waits to hear what is wrong.
	BriefAttempts = 3

	defaultRegion = "us-east-1" // where any bucket can be asked for; S3 then names its own
	regionHeader  = "X-Amz-Bucket-Region"
)

// Client asks S3 through the AWS SDK. A bucket in another region than the
// configured one is asked for in its own, once S3 has named it. It may be used
// from many goroutines.
type Client struct {
	api     *s3.Client
	backoff retry.BackoffDelayer
	tries   int // of a request; 0: Attempts
	http    aws.HTTPClient
	regions sync.Map // bucket → its region, where S3 named another than the configured one
}

// Connect makes a client from the configuration of LoadConfig. It makes no
// request. Concurrency is how many requests are in flight at most: so many
// connections are kept.
func Connect(ctx context.Context, concurrency int) (*Client, error) {
	cfg, err := LoadConfig(ctx)
	if err != nil {
		return nil, err
	}
	return FromConfig(cfg, concurrency), nil
}

// LoadConfig reads the AWS SDK's usual sources: AWS_ENDPOINT_URL_S3,
// AWS_ENDPOINT_URL, AWS_REGION, AWS_PROFILE, credentials in variables, files or
// from the container or instance. It makes no request.
//
// Source: AWS SDKs and Tools Reference Guide, "Settings reference".
func LoadConfig(ctx context.Context) (aws.Config, error) { return LoadAccount(ctx, Account{}) }

// Account is whose S3 is meant, where it is not the one that the environment
// says: what is empty is as there.
type Account struct {
	Profile  string // of the shared configuration files; its credentials, not those in variables
	Region   string
	Endpoint string // a URL; "" of a Profile or Region too is what the environment says
}

// LoadAccount is LoadConfig for an account of the caller's choice.
func LoadAccount(ctx context.Context, a Account) (aws.Config, error) {
	// What goes wrong is returned: the SDK need not log it as well.
	given := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	check := "AWS_PROFILE"
	if a.Profile != "" {
		given, check = append(given, config.WithSharedConfigProfile(a.Profile)), "the profile's name"
	}
	if a.Region != "" {
		given = append(given, config.WithRegion(a.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, given...)
	var profile config.SharedConfigProfileNotExistError
	if errors.As(err, &profile) {
		return aws.Config{}, fmt.Errorf("read AWS configuration: %w; check %s", err, check)
	}
	if err != nil {
		return aws.Config{}, fmt.Errorf("read AWS configuration: %w", err)
	}
	return cfg, nil
}

// FromConfig makes a client from a configuration of the caller's own; retries
// and connections are set for many requests at a time. Where the endpoint is not
// AWS's, buckets are addressed by path.
func FromConfig(cfg aws.Config, concurrency int) *Client {
	return Make(cfg, Options{Concurrency: concurrency})
}

// WithBackoff is FromConfig with waits of the caller's own between attempts.
func WithBackoff(cfg aws.Config, concurrency int, backoff retry.BackoffDelayer) *Client {
	return Make(cfg, Options{Concurrency: concurrency, Backoff: backoff})
}

// Options are how a client is made.
type Options struct {
	Concurrency int // requests in flight at most: so many connections are kept
	Backoff     retry.BackoffDelayer
	Attempt     time.Duration // for one attempt, its body included; 0 is AttemptTime
	// Endpoint is a URL that goes before what the environment says; "" is none. A node may
	// name it, so that addresses that tell secrets to whoever asks are not dialled.
	Endpoint string
}

// Make is FromConfig with options.
func Make(cfg aws.Config, o Options) *Client {
	if o.Backoff == nil {
		o.Backoff = retry.NewExponentialJitterBackoff(retry.DefaultMaxBackoff)
	}
	if o.Attempt == 0 {
		o.Attempt = AttemptTime
	}
	concurrency, backoff := o.Concurrency, o.Backoff
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	// LoadDefaultConfig has made one where AWS_CA_BUNDLE names certificates.
	if b, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		if o.Endpoint != "" {
			b = b.WithDialerOptions(func(d *net.Dialer) { d.ControlContext = noMetadata })
		}
		cfg.HTTPClient = bounded(b.WithTimeout(o.Attempt).WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns = max(t.MaxIdleConns, concurrency+16)
			t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, concurrency)
			if o.Endpoint != "" {
				t.Proxy = noMetadataBy(t.Proxy)
			}
		}))
	}
	return &Client{backoff: backoff, http: cfg.HTTPClient, api: s3.NewFromConfig(cfg, func(opts *s3.Options) {
		if o.Endpoint != "" {
			opts.BaseEndpoint = &o.Endpoint
		}
		opts.UsePathStyle = opts.BaseEndpoint != nil
		opts.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.Backoff = Attempts, backoff
			// The SDK's token bucket is shared by all requests of a client: with
			// many in flight, a moment of SlowDown would use it up and fail them all.
			r.RateLimiter = ratelimit.None
			// First, since the SDK's own tests of an answer that cannot be read see
			// only the code of its request.
			r.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(passing)}, r.Retryables...)
		})
	})}
}

// Briefly is the client for when somebody waits to hear what is wrong: it does not
// retry for long.
func (c *Client) Briefly() *Client {
	return &Client{api: c.api, http: c.http, backoff: c.backoff, tries: BriefAttempts}
}

// CloseIdle closes connections that are not in use.
func (c *Client) CloseIdle() {
	if h, ok := c.http.(*http.Client); ok {
		h.CloseIdleConnections()
	}
}

// API is the SDK's client. What it is asked for a bucket goes through Ask.
func (c *Client) API() *s3.Client { return c.api }

// passing finds errors that may pass and that the SDK does not know to: an answer
// that cannot be read was cut off on its way, and what was refused because there
// was too much of it (also by HTTP 429) is asked for again.
func passing(err error) aws.Ternary {
	if Unread(err) || Throttles(err) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// Ask asks for a bucket, and once more if S3 names another region. What asks
// passes the option on to the SDK.
func (c *Client) Ask(bucket string, ask func(region func(*s3.Options)) error) error {
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
	if err == nil || c.api.Options().BaseEndpoint != nil || !errors.As(err, &answer) {
		return ""
	}
	switch answer.HTTPStatusCode() {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
		return answer.Response.Header.Get(regionHeader)
	}
	return ""
}
