package s3crawl

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor/s3crawl/listxml"
)

// fromSDK takes what the SDK's own decoder read.
func fromSDK(result any, pg *listxml.Page) error {
	pg.Reset()
	switch out := result.(type) {
	case *s3.ListObjectsV2Output:
		return objectsFromSDK(out, pg)
	case *s3.ListObjectVersionsOutput:
		return versionsFromSDK(out, pg)
	default:
		return unreadBody(fmt.Errorf("result of type %T", result))
	}
}

func objectsFromSDK(out *s3.ListObjectsV2Output, pg *listxml.Page) error {
	pg.IsTruncated, pg.SaysTruncated = aws.ToBool(out.IsTruncated), out.IsTruncated != nil
	pg.KeyCount, pg.SaysKeyCount = int(aws.ToInt32(out.KeyCount)), out.KeyCount != nil
	pg.NextToken = aws.ToString(out.NextContinuationToken)
	n := names{url: out.EncodingType == types.EncodingTypeUrl}
	for i := range out.Contents {
		c := &out.Contents[i]
		pg.Objects = append(pg.Objects, inventory.Object{
			Key: n.plain(c.Key), Size: aws.ToInt64(c.Size), LastModified: utc(c.LastModified),
			ETag: strings.Trim(aws.ToString(c.ETag), `"`), StorageClass: string(c.StorageClass),
		})
	}
	n.prefixes(out.CommonPrefixes, pg)
	return n.err
}

// versionsFromSDK puts versions and delete markers, which the SDK tells apart,
// in their order again: by key, and of one key the newest first.
func versionsFromSDK(out *s3.ListObjectVersionsOutput, pg *listxml.Page) error {
	pg.IsTruncated, pg.SaysTruncated = aws.ToBool(out.IsTruncated), out.IsTruncated != nil
	n := names{url: out.EncodingType == types.EncodingTypeUrl}
	pg.NextKeyMarker, pg.NextVersionIDMarker = n.plain(out.NextKeyMarker), aws.ToString(out.NextVersionIdMarker)
	for i := range out.Versions {
		v := &out.Versions[i]
		pg.Objects = append(pg.Objects, inventory.Object{
			Key: n.plain(v.Key), Size: aws.ToInt64(v.Size), LastModified: utc(v.LastModified),
			ETag: strings.Trim(aws.ToString(v.ETag), `"`), StorageClass: string(v.StorageClass),
			VersionID: aws.ToString(v.VersionId), IsLatest: aws.ToBool(v.IsLatest),
		})
	}
	for i := range out.DeleteMarkers {
		d := &out.DeleteMarkers[i]
		pg.Objects = append(pg.Objects, inventory.Object{
			Key: n.plain(d.Key), LastModified: utc(d.LastModified),
			VersionID: aws.ToString(d.VersionId), IsLatest: aws.ToBool(d.IsLatest), IsDeleteMarker: true,
		})
	}
	if len(out.DeleteMarkers) > 0 {
		slices.SortStableFunc(pg.Objects, func(a, b inventory.Object) int {
			return cmp.Or(strings.Compare(a.Key, b.Key), b.LastModified.Compare(a.LastModified))
		})
	}
	n.prefixes(out.CommonPrefixes, pg)
	return n.err
}

// names takes names out of their encoding; err is the first that is not in it.
type names struct {
	url bool
	err error
}

func (n *names) plain(encoded *string) string {
	s := aws.ToString(encoded)
	if !n.url {
		return s
	}
	name, err := url.QueryUnescape(s) // '+' is a space, as S3 writes it
	if err != nil && n.err == nil {
		n.err = badPage("key %q is not URL-encoded", s)
	}
	return name
}

func (n *names) prefixes(from []types.CommonPrefix, pg *listxml.Page) {
	for i := range from {
		pg.Prefixes = append(pg.Prefixes, n.plain(from[i].Prefix))
	}
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}
