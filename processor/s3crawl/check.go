package s3crawl

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ramify/ramify/s3client"
)

// Check says in one line what would keep a crawl of the bucket from working:
// no credentials, no access, no such bucket, a wrong region, an endpoint that
// does not answer or is not S3. It makes one LIST and does not retry for long.
// nil where the bucket can be listed, also if no key begins with prefix. Of the
// query it takes Bucket, Prefix and Versions.
func (c *Client) Check(ctx context.Context, q Query) error {
	// An endpoint that hangs is not waited for once per attempt.
	ctx, cancel := context.WithTimeout(ctx, s3client.AttemptTime)
	defer cancel()
	if err := c.s3.CheckCredentials(ctx); err != nil {
		return explain(q, err)
	}
	pg, err := c.list(ctx, &q, 1, func(o *s3.Options) { o.RetryMaxAttempts = s3client.BriefAttempts })
	pg.Release()
	return explain(q, err)
}
