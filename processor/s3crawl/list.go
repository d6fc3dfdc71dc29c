package s3crawl

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor/s3crawl/listxml"
)

// check makes sure that an answer is a whole page of what was asked for, and
// completes its objects. A page that does not say whether it is the last, or
// miscounts, was cut off on its way.
func check(q *Query, pg *listxml.Page) error {
	n := len(pg.Objects) + len(pg.Prefixes)
	switch {
	case !pg.SaysTruncated:
		return badPage("it does not say whether there is more (if the endpoint is not S3, check AWS_ENDPOINT_URL)")
	case pg.KeyCount != n: // none at all stands for 0 on some servers
		return badPage("it counts %d keys and holds %d", pg.KeyCount, n)
	}
	before := q.After
	for i := range pg.Objects {
		o := &pg.Objects[i]
		if err := q.takes(o.Key, before); err != nil {
			return err
		}
		if q.Delimiter != "" && strings.Contains(o.Key[len(q.Prefix):], q.Delimiter) {
			return badPage("key %q is not directly below the prefix", o.Key)
		}
		o.Bucket, before = q.Bucket, o.Key
	}
	before = ""
	for _, name := range pg.Prefixes {
		if err := q.takes(name, before); err != nil {
			return err
		}
		if len(name) <= len(q.Prefix) || !strings.HasSuffix(name, q.Delimiter) {
			return badPage("common prefix %q is not one below %q", name, q.Prefix)
		}
		before = name
	}
	if pg.IsTruncated && len(pg.Objects) == 0 && pg.NextToken == "" {
		return badPage("there is more, but no key and no token to go on from")
	}
	return nil
}

// takes checks a name that follows another.
func (q *Query) takes(name, before string) error {
	switch {
	case !utf8.ValidString(name):
		return badPage("key %q is not UTF-8, as all keys of S3 are", name)
	case !strings.HasPrefix(name, q.Prefix):
		return badPage("key %q does not begin with the prefix", name)
	case name <= before && (before != "" || name == ""):
		return badPage("key %q comes after %q: not in the order of UTF-8", name, before)
	}
	return nil
}

// pageOf is a checked answer as a page, which owns its memory.
func pageOf(pg *listxml.Page) Page {
	return Page{Objects: pg.Objects, Prefixes: pg.Prefixes, More: pg.IsTruncated, Token: pg.NextToken, memory: pg}
}

// fromSDK takes what the SDK's own decoder read.
func fromSDK(out *s3.ListObjectsV2Output, pg *listxml.Page) error {
	pg.Reset()
	pg.IsTruncated, pg.SaysTruncated = aws.ToBool(out.IsTruncated), out.IsTruncated != nil
	pg.KeyCount, pg.SaysKeyCount = int(aws.ToInt32(out.KeyCount)), out.KeyCount != nil
	pg.NextToken = aws.ToString(out.NextContinuationToken)
	plain := func(s string) (string, error) { return s, nil }
	if out.EncodingType == types.EncodingTypeUrl {
		plain = func(s string) (string, error) {
			name, err := url.QueryUnescape(s) // '+' is a space, as S3 writes it
			if err != nil {
				return "", badPage("key %q is not URL-encoded", s)
			}
			return name, nil
		}
	}
	for i := range out.Contents {
		c := &out.Contents[i]
		name, err := plain(aws.ToString(c.Key))
		if err != nil {
			return err
		}
		o := inventory.Object{
			Key: name, Size: aws.ToInt64(c.Size),
			ETag: strings.Trim(aws.ToString(c.ETag), `"`), StorageClass: string(c.StorageClass),
		}
		if c.LastModified != nil {
			o.LastModified = c.LastModified.UTC().Truncate(time.Millisecond)
		}
		pg.Objects = append(pg.Objects, o)
	}
	for i := range out.CommonPrefixes {
		name, err := plain(aws.ToString(out.CommonPrefixes[i].Prefix))
		if err != nil {
			return err
		}
		pg.Prefixes = append(pg.Prefixes, name)
	}
	return nil
}

// pageError is a page that cannot be trusted: the SDK's retryer asks again.
type pageError struct{ what string }

func badPage(format string, a ...any) error { return &pageError{fmt.Sprintf(format, a...)} }

func (e *pageError) Error() string { return "answer is not a whole page: " + e.what }

// RetryableError tells the SDK's retryer to try again.
func (*pageError) RetryableError() bool { return true }
