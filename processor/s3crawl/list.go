package s3crawl

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ramify/ramify/inventory"
)

// Lister is what a crawl needs of S3; *Client and *s3.Client are listers. It is
// called from as many goroutines as there are slots.
type Lister interface {
	ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, opts ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
}

// pageKeys is how many keys S3 puts on a page at most.
const pageKeys = 1000

// query asks for one page.
type query struct {
	bucket, prefix string
	delimiter      string
	after          string // keys after it; "" from the start
	token          string // continues a page that had one, instead of after
}

// page is one checked and decoded page.
type page struct {
	objects  []inventory.Object
	prefixes []string // with a delimiter: the common prefixes
	more     bool
	token    string // for the page after it, if there is one
}

// list gets one page. What comes back is in order, after q.after and below
// q.prefix, complete by its own count, and says whether there is more. The
// requests that went out on the wire for it are counted, repeated ones too.
func list(ctx context.Context, l Lister, q query, count func(sent int64)) (page, error) {
	var sent atomic.Int64
	defer func() { count(sent.Load()) }()
	in := &s3.ListObjectsV2Input{
		Bucket:       &q.bucket,
		MaxKeys:      aws.Int32(pageKeys),
		EncodingType: types.EncodingTypeUrl, // XML 1.0 cannot carry all characters of a key
	}
	for _, f := range []struct {
		to    **string
		value string
	}{{&in.Prefix, q.prefix}, {&in.Delimiter, q.delimiter}, {&in.ContinuationToken, q.token}} {
		if f.value != "" {
			*f.to = &f.value
		}
	}
	if q.token == "" && q.after != "" {
		in.StartAfter = &q.after
	}
	out, err := l.ListObjectsV2(ctx, in, watch(&sent))
	if err != nil {
		return page{}, err
	}
	return decode(out, q)
}

// decode checks a page and takes it out of its encoding. A lister that is not
// the SDK's client has not checked its form yet.
func decode(out *s3.ListObjectsV2Output, q query) (page, error) {
	if err := checkForm(out); err != nil {
		return page{}, err
	}
	pg := page{
		more:    *out.IsTruncated,
		token:   aws.ToString(out.NextContinuationToken),
		objects: make([]inventory.Object, len(out.Contents)),
	}
	plain := func(s string) (string, error) { return s, nil }
	if out.EncodingType == types.EncodingTypeUrl {
		plain = url.QueryUnescape // '+' is a space, as S3 writes it
	}
	before := q.after
	take := func(encoded *string, before string) (string, error) {
		name, err := plain(aws.ToString(encoded))
		switch {
		case err != nil:
			return "", badPage("key %q is not URL-encoded", aws.ToString(encoded))
		case !utf8.ValidString(name):
			return "", badPage("key %q is not UTF-8, as all keys of S3 are", name)
		case !strings.HasPrefix(name, q.prefix):
			return "", badPage("key %q does not begin with the prefix", name)
		case name <= before && (before != "" || name == ""):
			return "", badPage("key %q comes after %q: not in the order of UTF-8", name, before)
		}
		return name, nil
	}
	for i := range out.Contents {
		c := &out.Contents[i]
		key, err := take(c.Key, before)
		if err != nil {
			return page{}, err
		}
		if q.delimiter != "" && strings.Contains(key[len(q.prefix):], q.delimiter) {
			return page{}, badPage("key %q is not directly below the prefix", key)
		}
		if size := aws.ToInt64(c.Size); size < 0 || size > maxSize {
			return page{}, badPage("key %q has a size of %d", key, *c.Size)
		}
		before = key
		o := &pg.objects[i]
		*o = inventory.Object{
			Bucket: q.bucket, Key: key, Size: aws.ToInt64(c.Size),
			ETag: strings.Trim(aws.ToString(c.ETag), `"`), StorageClass: string(c.StorageClass),
		}
		if c.LastModified != nil {
			o.LastModified = c.LastModified.UTC().Truncate(time.Millisecond)
		}
	}
	before = ""
	for i := range out.CommonPrefixes {
		name, err := take(out.CommonPrefixes[i].Prefix, before)
		if err != nil {
			return page{}, err
		}
		if len(name) <= len(q.prefix) || !strings.HasSuffix(name, q.delimiter) {
			return page{}, badPage("common prefix %q is not one below %q", name, q.prefix)
		}
		before = name
		pg.prefixes = append(pg.prefixes, name)
	}
	if pg.more && len(pg.objects) == 0 && pg.token == "" {
		return page{}, badPage("there is more, but no key and no token to go on from")
	}
	if pg.more && pg.token != "" && pg.token == q.token { // asked with it again, it would answer so for ever
		return page{}, badPage("its token for the next page is its own")
	}
	return pg, nil
}

// checkForm checks what can be checked without decoding: a page that does not
// say whether it is the last, or miscounts, was cut off on its way.
func checkForm(out *s3.ListObjectsV2Output) error {
	n := len(out.Contents) + len(out.CommonPrefixes)
	switch {
	case out.IsTruncated == nil:
		return badPage("it does not say whether there is more (if the endpoint is not S3, check AWS_ENDPOINT_URL)")
	case int(aws.ToInt32(out.KeyCount)) != n: // none at all stands for 0 on some servers
		return badPage("it counts %d keys and holds %d", aws.ToInt32(out.KeyCount), n)
	}
	return nil
}

// pageError is a page that cannot be trusted: the SDK's retryer asks again.
type pageError struct{ what string }

func badPage(format string, a ...any) error { return &pageError{fmt.Sprintf(format, a...)} }

func (e *pageError) Error() string { return "answer is not a whole page: " + e.what }

// RetryableError tells the SDK's retryer to try again.
func (*pageError) RetryableError() bool { return true }
