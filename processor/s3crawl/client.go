package s3crawl

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ramify/ramify/internal/pace"
	"github.com/ramify/ramify/s3client"
)

// Client lists buckets through the AWS SDK.
type Client struct {
	s3   *s3client.Client
	pace *pace.Pacer
}

var _ Lister = (*Client)(nil)

// On lists by a client.
func On(c *s3client.Client) *Client { return &Client{s3: c, pace: pace.New(0)} }

// Limit caps the client's requests, retries included, at so many a second; 0 is
// no cap. It must not be called once there are requests.
func (c *Client) Limit(perSecond int) { c.pace = pace.New(perSecond) }

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
	err := c.s3.Ask(q.Bucket, func(region func(*s3.Options)) (err error) {
		opts := append(slices.Clip(opts), c.wired, region)
		if q.Versions {
			_, err = c.s3.API().ListObjectVersions(ctx, q.versionsInput(keys), opts...)
		} else {
			_, err = c.s3.API().ListObjectsV2(ctx, q.objectsInput(keys), opts...)
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
