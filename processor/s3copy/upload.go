package s3copy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl"
)

// An upload that was interrupted must be found again: by the attempt after a
// SIGKILL, which may be another task's, and without a place to remember it in.
// ListMultipartUploads tells nothing of an upload that could say whose it is, but
// ListParts tells the sizes of its parts. So the last six of the 10,000 are ours:
// the sizes of the first two say which object is copied, 32 bits of them, those of
// the others all that the copy is to equal, 64 bits: parts of two versions must
// never be put together. S3 forgets parts that are not named when an upload is
// completed. No other upload looks like this: of a part that is not the last, S3
// wants 5 MiB.
const (
	objectSigns  = 2
	versionSigns = 4
	signs        = objectSigns + versionSigns
	firstSign    = maxParts - signs + 1 // the number of the first of these parts
)

// upload is a copy in parts.
type upload struct {
	*copier
	o       *inventory.Object
	key     string
	size    int64 // of a part
	count   int   // of parts
	id      string
	with    attributes
	sign    [signs]int64 // sizes of the parts from firstSign on
	mu      sync.Mutex
	parts   []*string // ETags of those that are there
	resumed int
}

// signed are the sizes that say what is copied, and all that was settled when the
// upload began: content, what the object has besides it, and how it is stored.
func (u *upload) signed() (sizes [signs]int64) {
	object := []string{"ramify", u.source, u.o.Key, u.order.bucket, u.key}
	version := append(slices.Clone(object),
		u.o.ETag, fmt.Sprint(u.o.Size), fmt.Sprint(u.size), string(u.class(u.o.StorageClass)), u.order.SSE, u.order.KMSKey)
	version = append(version, u.with.texts()...)
	for i := range sizes {
		texts := version
		at := i - objectSigns
		if i < objectSigns {
			texts, at = object, i
		}
		sum := sha256.Sum256(framed(texts))
		sizes[i] = 1 + int64(binary.BigEndian.Uint16(sum[2*at:])) // 1 to 65,536
	}
	return sizes
}

// framed is texts one after the other, so that no other texts are the same.
func framed(texts []string) (b []byte) {
	for _, t := range texts {
		b = binary.AppendUvarint(b, uint64(len(t)))
		b = append(b, t...)
	}
	return b
}

// inParts copies an object in parts, each by UploadPartCopy, or through the task.
func (c *copier) inParts(ctx context.Context, o *inventory.Object) (message string, err error) {
	h, err := c.headSource(ctx, o)
	if err != nil {
		return "", err
	}
	u := &upload{copier: c, o: o, key: c.target(o.Key)}
	if u.size, err = c.partSize(ctx, o); err != nil {
		return "", err
	}
	u.count = max(1, int((o.Size+u.size-1)/u.size))
	if u.count > realest || u.size > maxCopy {
		return "", &failure{Code: codeTooBig, Message: fmt.Sprintf("copy s3://%s/%s: %d bytes are more than an object can have", c.source, o.Key, o.Size), Permanent: true}
	}
	if u.with, err = c.attributes(ctx, o, h); err != nil {
		return "", err
	}
	u.sign, u.parts = u.signed(), make([]*string, u.count)
	others, err := u.find(ctx)
	if err == nil && u.id == "" {
		err = u.begin(ctx)
	}
	if err == nil {
		err = u.all(ctx)
	}
	var made copied
	if err == nil {
		made, err = u.complete(ctx, h)
	}
	if err != nil {
		if !u.worthKeeping(ctx, err) {
			u.abort(ctx, u.id)
		}
		return "", err
	}
	for _, id := range others {
		u.abort(ctx, id)
	}
	if message, err = c.verify(ctx, o, made, h); err == nil && u.resumed > 0 {
		message += fmt.Sprintf("; %d of %d parts were there from before", u.resumed, u.count)
	}
	return message, err
}

// partSize is that of the source, where it came in equal parts, so that the copy's
// ETag is the source's; else one that suffices.
func (c *copier) partSize(ctx context.Context, o *inventory.Object) (int64, error) {
	size := c.order.Part
	most := int64(maxCopy)
	if c.order.Through {
		most = throughPart
	}
	if _, n, ok := strings.Cut(o.ETag, "-"); ok && size == 0 {
		first, err := c.head(ctx, c.from, &s3.HeadObjectInput{
			Bucket: &c.source, Key: &o.Key, IfMatch: aws.String(`"` + o.ETag + `"`), PartNumber: aws.Int32(1),
		})
		if err != nil {
			f, all := judge("", "", err)
			if all != nil || f.Code == changed || ctx.Err() != nil {
				return 0, err
			}
		} else if l := *first.ContentLength; l > 0 && l <= most && fmt.Sprint((o.Size+l-1)/l) == n && (l >= minPart || l >= o.Size) {
			size = l
		}
	}
	if size == 0 {
		size = usualest
		if c.order.Through {
			size = throughCopy
		}
	}
	if size*realest < o.Size {
		size = (o.Size/realest + 1<<20) &^ (1<<20 - 1)
	}
	return size, nil
}

// begin begins an upload with what the source has besides its content, and signs
// it.
func (u *upload) begin(ctx context.Context) error {
	a := u.with
	in := &s3.CreateMultipartUploadInput{
		Bucket: &u.order.bucket, Key: &u.key, StorageClass: u.class(u.o.StorageClass),
		ServerSideEncryption: types.ServerSideEncryption(u.order.SSE), SSEKMSKeyId: given(u.order.KMSKey),
		ContentType: a.contentType, CacheControl: a.cache, ContentDisposition: a.disposition, ContentEncoding: a.encoding,
		ContentLanguage: a.language, WebsiteRedirectLocation: a.redirect, Expires: a.expires, Metadata: a.metadata, Tagging: a.tags,
	}
	got, err := ask(ctx, u.to, "begin-upload", u.order.bucket, u.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
		return u.to.s3.API().CreateMultipartUpload(ctx, in, opts...)
	})
	if err != nil {
		return err
	}
	u.id = aws.ToString(got.UploadId)
	for i, size := range u.sign {
		if _, err := u.put(ctx, firstSign+i, make([]byte, size), nil); err != nil {
			return err
		}
	}
	return nil
}

// length is the bytes of a part, counted from 0.
func (u *upload) length(i int) int64 { return min(u.size, u.o.Size-int64(i)*u.size) }

// all copies the parts that are missing, on the object's own slot and on borrowed
// ones.
func (u *upload) all(ctx context.Context) error {
	var (
		next    int
		failed  error
		workers sync.WaitGroup
	)
	take := func() int {
		u.mu.Lock()
		defer u.mu.Unlock()
		for failed == nil && next < u.count {
			if next++; u.parts[next-1] == nil {
				return next - 1
			}
		}
		return -1
	}
	var work func(slot processor.Slot, i int)
	hire := func() {
		for {
			slot, ok := u.out.Borrow()
			if !ok {
				return
			}
			i := take()
			if i < 0 {
				slot.Return()
				return
			}
			workers.Go(func() { work(slot, i) })
		}
	}
	work = func(slot processor.Slot, i int) {
		if slot != nil {
			defer slot.Return()
		}
		for ; i >= 0; i = take() {
			hire()
			etag, err := u.part(ctx, i)
			if err == nil && u.due() {
				err = s3crawl.ErrLater
			}
			u.mu.Lock()
			u.parts[i] = etag
			if err != nil && (failed == nil || errors.Is(failed, s3crawl.ErrLater)) {
				failed = err // no other begins; of those under way S3 must hear the end before it can be aborted
			}
			u.mu.Unlock()
			if slot != nil && slot.Wanted() {
				return
			}
		}
	}
	work(nil, take())
	workers.Wait()
	for i := range u.parts {
		if u.parts[i] == nil && failed == nil {
			// Borrowed slots were wanted elsewhere, with the last parts to come.
			if u.parts[i], failed = u.part(ctx, i); failed != nil {
				break
			}
		}
	}
	for i := range u.parts {
		if u.parts[i] == nil {
			return failed
		}
	}
	return nil
}

// part copies one part and returns its ETag.
func (u *upload) part(ctx context.Context, i int) (etag *string, err error) {
	from, n := int64(i)*u.size, u.length(i)
	match := aws.String(`"` + u.o.ETag + `"`)
	span := fmt.Sprintf("bytes=%d-%d", from, from+n-1)
	if u.order.Through {
		return u.partThrough(ctx, i, span, n, match)
	}
	source := sourceOf(u.source, u.o.Key)
	in := &s3.UploadPartCopyInput{
		Bucket: &u.order.bucket, Key: &u.key, UploadId: &u.id, PartNumber: aws.Int32(int32(i) + 1),
		CopySource: &source, CopySourceRange: &span, CopySourceIfMatch: match,
	}
	got, err := ask(ctx, u.to, "copy-part", u.order.bucket, u.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.UploadPartCopyOutput, error) {
		return u.to.s3.API().UploadPartCopy(ctx, in, opts...)
	})
	if err != nil {
		return nil, err
	}
	if got.CopyPartResult == nil || got.CopyPartResult.ETag == nil {
		return nil, errNoPart
	}
	return got.CopyPartResult.ETag, nil
}

// put uploads a part from memory.
func (u *upload) put(ctx context.Context, number int, content []byte, md5 *string) (etag *string, err error) {
	in := &s3.UploadPartInput{
		Bucket: &u.order.bucket, Key: &u.key, UploadId: &u.id, PartNumber: aws.Int32(int32(number)),
		ContentLength: aws.Int64(int64(len(content))), ContentMD5: md5,
	}
	got, err := ask(ctx, u.to, "put-part", u.order.bucket, u.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
		in.Body = bytes.NewReader(content)
		return u.to.s3.API().UploadPart(ctx, in, append(opts, unsigned)...)
	})
	if err != nil {
		return nil, err
	}
	if got.ETag == nil {
		return nil, errNoPart
	}
	return got.ETag, nil
}

// complete makes the object of its parts.
func (u *upload) complete(ctx context.Context, h *s3.HeadObjectOutput) (copied, error) {
	parts := make([]types.CompletedPart, u.count)
	for i, etag := range u.parts {
		parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i) + 1), ETag: etag}
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &u.order.bucket, Key: &u.key, UploadId: &u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	got, err := ask(ctx, u.to, "complete-upload", u.order.bucket, u.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
		return u.to.s3.API().CompleteMultipartUpload(ctx, in, opts...)
	})
	if err != nil {
		return copied{}, err
	}
	made := copied{
		etag: strings.Trim(aws.ToString(got.ETag), `"`), sse: got.ServerSideEncryption,
		sums: sums{got.ChecksumCRC64NVME, got.ChecksumCRC32C, got.ChecksumCRC32, got.ChecksumSHA256, got.ChecksumSHA1}.whole(got.ChecksumType),
	}
	if made.etag == u.o.ETag || made.sums != nil || sumsOf(h) == nil {
		return made, nil
	}
	// S3 has summed the parts up, but does not say so here.
	it, err := u.head(ctx, u.to, &s3.HeadObjectInput{Bucket: &u.order.bucket, Key: &u.key})
	if err != nil {
		return copied{}, err
	}
	made.sums = sumsOf(it)
	return made, nil
}

// worthKeeping reports whether an attempt to come can go on with the upload.
func (u *upload) worthKeeping(ctx context.Context, err error) bool {
	if u.id == "" || ctx.Err() != nil || errors.Is(err, s3crawl.ErrLater) {
		return true
	}
	f, all := judge("", "", err)
	return all != nil || !f.Permanent
}

// aborts are how often it is tried: a part that was under way may come after it.
//
// Source: Amazon S3 API Reference, "AbortMultipartUpload".
const aborts = 3

// abort removes an upload, as far as that can be done: whoever has a rule for
// uploads that are not completed does not need it.
func (u *upload) abort(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for range aborts {
		_, _ = ask(ctx, u.to, "abort-upload", u.order.bucket, u.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
			return u.to.s3.API().AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.order.bucket, Key: &u.key, UploadId: &id}, opts...)
		})
		if u.list(ctx, id, "0", func(*types.Part) {}) != nil {
			return // there is no such upload any more
		}
	}
}
