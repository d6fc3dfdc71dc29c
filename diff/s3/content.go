package s3

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/s3client"
)

// Why two objects whose ETags differ are taken to differ, as Content says it.
const (
	ByETag     = "etag"
	ByParts    = "etag of parts"      // it tells in which parts an object was uploaded, too
	ByChecksum = "checksum"           // of the whole content
	NoChecksum = "no common checksum" // that S3 keeps of both: whether they differ is not known
	ByBody     = "content"
)

// Content decides about two objects of one size whose ETags differ.
type Content struct {
	A, B *s3client.Client // where the objects are
}

// Parts says more about ETags that differ: one of an object that was uploaded in
// parts is no digest of its content alone, and has a '-' in it.
//
// Source: Amazon S3 API Reference, type Object, "ETag".
func Parts(_ context.Context, a, b *inventory.Object) (same bool, why string, err error) {
	if strings.Contains(a.ETag, "-") || strings.Contains(b.ETag, "-") {
		return false, ByParts, nil
	}
	return false, ByETag, nil
}

// Checksums compares the checksums of the whole content that S3 keeps, by one HEAD
// of each object.
//
// Source: Amazon S3 User Guide, "Checking object integrity in Amazon S3", on
// checksums of full objects and composite ones.
func (c *Content) Checksums(ctx context.Context, a, b *inventory.Object) (same bool, why string, err error) {
	of, err := checksums(ctx, c.A, a)
	if err != nil {
		return false, "", err
	}
	other, err := checksums(ctx, c.B, b)
	if err != nil {
		return false, "", err
	}
	why = NoChecksum
	for algorithm, sum := range of {
		switch theirs, both := other[algorithm]; {
		case !both:
		case sum == theirs:
			same, why = true, "" // also of parts: the same parts are the same content
		case !strings.Contains(sum, "-") && !strings.Contains(theirs, "-"):
			return false, ByChecksum, nil // whatever others say: contents can be made to have one CRC
		}
	}
	return same, why, nil
}

// checksums are those that S3 keeps of an object, by algorithm. One of parts ends
// in '-' and their number.
func checksums(ctx context.Context, c *s3client.Client, o *inventory.Object) (map[string]string, error) {
	var out *s3.HeadObjectOutput
	err := c.Ask(o.Bucket, func(region func(*s3.Options)) (err error) {
		out, err = c.API().HeadObject(ctx, &s3.HeadObjectInput{
			Bucket: &o.Bucket, Key: &o.Key, ChecksumMode: types.ChecksumModeEnabled, IfMatch: aws.String(`"` + o.ETag + `"`),
		}, region)
		return err
	})
	if err != nil {
		_, err = s3client.Explain(fmt.Sprintf("head s3://%s/%s", o.Bucket, s3client.Readable(o.Key)), "s3:GetObject on arn:aws:s3:::"+o.Bucket+"/*", err)
		return nil, err
	}
	sums := map[string]string{}
	for algorithm, sum := range map[string]*string{
		"CRC64NVME": out.ChecksumCRC64NVME, "SHA256": out.ChecksumSHA256, "SHA1": out.ChecksumSHA1, "CRC32C": out.ChecksumCRC32C, "CRC32": out.ChecksumCRC32,
	} {
		if sum == nil {
			continue
		}
		sums[algorithm] = *sum
		if out.ChecksumType == types.ChecksumTypeComposite && !strings.Contains(*sum, "-") {
			sums[algorithm] += "-"
		}
	}
	return sums, nil
}

// Bodies compares what is in the objects, read whole.
func (c *Content) Bodies(ctx context.Context, a, b *inventory.Object) (same bool, why string, err error) {
	of, err := read(ctx, c.A, a)
	if err != nil {
		return false, "", err
	}
	other, err := read(ctx, c.B, b)
	if err != nil {
		return false, "", err
	}
	return of == other, ByBody, nil
}

func read(ctx context.Context, c *s3client.Client, o *inventory.Object) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	if _, err := c.Get(ctx, o.Bucket, o.Key, h, nil); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
