package s3copy

import (
	"bytes"
	"context"
	"crypto/md5" // #nosec G501 -- S3's own digest of content
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"golang.org/x/sync/semaphore"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/s3client"
)

// throughPart is the largest part that goes through the task: it lies in memory
// meanwhile.
const throughPart = 64 << 20

// memory is the bytes of content that are in memory of all copies of a process, at
// most, but for a single piece that is larger.
var memory = newRoom(throughMost)

// room is bytes that are shared.
type room struct {
	bytes *semaphore.Weighted
	most  int64
}

func newRoom(most int64) *room { return &room{semaphore.NewWeighted(most), most} }

// take waits for so many bytes. What is larger than the whole room has it for itself:
// it would wait for ever.
func (r *room) take(ctx context.Context, n int64) (release func(), err error) {
	n = min(n, r.most)
	if err := r.bytes.Acquire(ctx, n); err != nil {
		return nil, err
	}
	return func() { r.bytes.Release(n) }, nil
}

// unsigned leaves content out of the signature: it has its MD5.
func unsigned(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
}

// through copies an object by GET and PUT.
func (c *copier) through(ctx context.Context, o *inventory.Object) (string, error) {
	release, err := memory.take(ctx, o.Size)
	if err != nil {
		return "", err
	}
	defer release()
	in := &s3.GetObjectInput{Bucket: &c.source, Key: &o.Key, IfMatch: given(quoted(o.ETag)), ChecksumMode: types.ChecksumModeEnabled}
	got, content, err := c.get(ctx, in, o.Size)
	if err != nil {
		return "", err
	}
	h := &s3.HeadObjectOutput{
		ContentType: got.ContentType, CacheControl: got.CacheControl, ContentDisposition: got.ContentDisposition,
		ContentEncoding: got.ContentEncoding, ContentLanguage: got.ContentLanguage, WebsiteRedirectLocation: got.WebsiteRedirectLocation,
		ExpiresString: got.ExpiresString, Metadata: got.Metadata, TagCount: got.TagCount,
		ServerSideEncryption: got.ServerSideEncryption, SSECustomerAlgorithm: got.SSECustomerAlgorithm,
		ChecksumCRC64NVME: got.ChecksumCRC64NVME, ChecksumCRC32C: got.ChecksumCRC32C, ChecksumCRC32: got.ChecksumCRC32,
		ChecksumSHA256: got.ChecksumSHA256, ChecksumSHA1: got.ChecksumSHA1, ChecksumType: got.ChecksumType,
	}
	a, err := c.attributes(ctx, o, h)
	if err != nil {
		return "", err
	}
	sum := md5.Sum(content)
	if plain(o.ETag) && digest(h) && hex.EncodeToString(sum[:]) != o.ETag {
		return "", c.unequal(o, "MD5, as it was read,")
	}
	key := c.target(o.Key)
	put := &s3.PutObjectInput{
		Bucket: &c.order.bucket, Key: &key, StorageClass: c.class(o.StorageClass), ContentLength: aws.Int64(int64(len(content))),
		ServerSideEncryption: types.ServerSideEncryption(c.order.SSE), SSEKMSKeyId: given(c.order.KMSKey),
		ContentType: a.contentType, CacheControl: a.cache, ContentDisposition: a.disposition, ContentEncoding: a.encoding,
		ContentLanguage: a.language, WebsiteRedirectLocation: a.redirect, Expires: a.expires, Metadata: a.metadata, Tagging: a.tags,
		ContentMD5: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	}
	res, err := ask(ctx, c.to, "put", c.order.bucket, c.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
		put.Body = bytes.NewReader(content)
		return c.to.s3.API().PutObject(ctx, put, append(opts, unsigned)...)
	})
	if err != nil {
		return "", err
	}
	made := copied{
		etag: strings.Trim(aws.ToString(res.ETag), `"`), sse: res.ServerSideEncryption,
		sums: sums{res.ChecksumCRC64NVME, res.ChecksumCRC32C, res.ChecksumCRC32, res.ChecksumSHA256, res.ChecksumSHA1}.whole(res.ChecksumType),
	}
	return c.verify(ctx, o, made, h)
}

// partThrough copies a part by GET and UploadPart.
func (u *upload) partThrough(ctx context.Context, i int, span string, n int64, match *string) (etag *string, err error) {
	release, err := memory.take(ctx, n)
	if err != nil {
		return nil, err
	}
	defer release()
	_, content, err := u.get(ctx, &s3.GetObjectInput{Bucket: &u.source, Key: &u.o.Key, IfMatch: match, Range: &span}, n)
	if err != nil {
		return nil, err
	}
	sum := md5.Sum(content)
	return u.put(ctx, i+1, content, aws.String(base64.StdEncoding.EncodeToString(sum[:])))
}

// get reads content of the source of so many bytes. What is cut off is read again.
func (c *copier) get(ctx context.Context, in *s3.GetObjectInput, n int64) (out *s3.GetObjectOutput, content []byte, err error) {
	ctx = s3client.ForContent(ctx)
	for range s3client.Attempts {
		out, err = ask(ctx, c.from, "get", c.source, c.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
			return c.from.s3.API().GetObject(ctx, in, opts...)
		})
		if err != nil {
			return nil, nil, err
		}
		content = make([]byte, n)
		_, err = io.ReadFull(out.Body, content)
		if err == nil {
			var more [1]byte
			if extra, end := out.Body.Read(more[:]); extra > 0 || end != nil && !errors.Is(end, io.EOF) {
				err = fmt.Errorf("more than %d bytes", n)
			}
		}
		_ = out.Body.Close() // all of it was read, or it is read again
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		err = &s3client.AnswerError{What: fmt.Sprintf("its content was cut off: %v", err)}
	}
	return out, content, err
}

func quoted(etag string) string {
	if etag == "" {
		return ""
	}
	return `"` + etag + `"`
}
