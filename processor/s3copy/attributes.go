package s3copy

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ramify/ramify/inventory"
)

// attributes are what an object has besides its content, where S3 does not copy
// them itself.
type attributes struct {
	contentType, cache, disposition, encoding, language, redirect *string

	expires  *time.Time
	metadata map[string]string
	tags     *string // as a query
}

// attributes reads those of the source.
func (c *copier) attributes(ctx context.Context, o *inventory.Object, h *s3.HeadObjectOutput) (a attributes, err error) {
	a = attributes{
		contentType: h.ContentType, cache: h.CacheControl, disposition: h.ContentDisposition, encoding: h.ContentEncoding,
		language: h.ContentLanguage, redirect: h.WebsiteRedirectLocation, metadata: h.Metadata,
	}
	if t, err := http.ParseTime(aws.ToString(h.ExpiresString)); err == nil {
		a.expires = &t
	}
	if aws.ToInt32(h.TagCount) == 0 {
		return a, nil
	}
	got, err := ask(ctx, c.from, "tags", c.source, c.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.GetObjectTaggingOutput, error) {
		return c.from.s3.API().GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &c.source, Key: &o.Key}, opts...)
	})
	if err != nil {
		return a, err
	}
	v := url.Values{}
	for _, t := range got.TagSet {
		v.Set(aws.ToString(t.Key), aws.ToString(t.Value))
	}
	if len(v) > 0 {
		a.tags = aws.String(v.Encode())
	}
	return a, nil
}

// texts are what the attributes say, in an order that does not change.
func (a *attributes) texts() (all []string) {
	for _, s := range []*string{a.contentType, a.cache, a.disposition, a.encoding, a.language, a.redirect, a.tags} {
		all = append(all, strconv.FormatBool(s != nil), aws.ToString(s))
	}
	expires := ""
	if a.expires != nil {
		expires = a.expires.UTC().Format(time.RFC3339)
	}
	all = append(all, expires)
	for _, name := range slices.Sorted(maps.Keys(a.metadata)) {
		all = append(all, name, a.metadata[name])
	}
	return all
}
