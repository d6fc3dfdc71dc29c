package s3crawl

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Check says in one line what would keep a crawl of the bucket from working:
// no credentials, no access, no such bucket, a wrong region, an endpoint that
// does not answer or is not S3. It makes one LIST and does not retry for long.
// nil where the bucket can be listed, also if no key begins with prefix. Of the
// query it takes Bucket, Prefix and Versions.
func (c *Client) Check(ctx context.Context, q Query) error {
	// An endpoint that hangs is not waited for once per attempt.
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	if err := c.checkCredentials(ctx); err != nil {
		return explain(q, err)
	}
	pg, err := c.list(ctx, &q, 1, func(o *s3.Options) { o.RetryMaxAttempts = checkAttempts })
	pg.Release()
	return explain(q, err)
}

// Endpoint is where buckets are asked for; "" is AWS itself.
func (c *Client) Endpoint() string {
	return strings.TrimRight(aws.ToString(c.s3.Options().BaseEndpoint), "/")
}

// checkCredentials looks for credentials, but not for as long as the SDK waits
// for an instance's metadata where there is no instance.
func (c *Client) checkCredentials(ctx context.Context) error {
	provider := c.s3.Options().Credentials
	if provider == nil {
		return &credentialsError{errors.New("none configured")}
	}
	within, cancel := context.WithTimeoutCause(ctx, credentialTime, errors.New("found none in time"))
	defer cancel()
	if _, err := provider.Retrieve(within); err != nil {
		if ctx.Err() == nil && within.Err() != nil {
			err = context.Cause(within)
		}
		return &credentialsError{err}
	}
	return nil
}
