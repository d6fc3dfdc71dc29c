package s3

import (
	"bytes"
	"context"
	"crypto/md5" // #nosec G501 -- the layout of an inventory asks for it
	"encoding/hex"
	"hash"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	// piece is the bytes from which an object is uploaded in several requests. S3
	// takes pieces of 5 MiB and more, 10,000 of them. Source: Amazon S3 User Guide,
	// "Amazon S3 multipart upload limits".
	piece = 8 << 20

	// abortTime is for a request that nobody waits for.
	abortTime = 10 * time.Second
)

// object is one object as it grows: what is small is held and put at once, the
// rest goes in pieces. It serves one goroutine at a time.
type object struct {
	sink *Sink
	key  string

	buf    []byte
	upload *string // its id, once there is one
	pieces []types.CompletedPart
	sum    hash.Hash
	size   int64
	rows   int64
}

func (s *Sink) newObject(key string) *object { return &object{sink: s, key: key, sum: md5.New()} }

// file describes an object.
type file struct {
	Key  string `json:"key"` // below that of the run's parts, or of its results
	Size int64  `json:"size"`
	Rows int64  `json:"rows,omitempty"`
	MD5  string `json:"md5"`
}

func (o *object) write(ctx context.Context, b []byte) error {
	o.sum.Write(b)
	o.size += int64(len(b))
	o.buf = append(o.buf, b...)
	if len(o.buf) < piece {
		return nil
	}
	return o.send(ctx)
}

// send uploads what is held as a piece.
func (o *object) send(ctx context.Context) error {
	s := o.sink
	if o.upload == nil {
		err := s.client.Ask(s.bucket, func(region func(*s3.Options)) error {
			out, err := s.client.API().CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &o.key}, plainly, region)
			if err == nil {
				o.upload = out.UploadId
			}
			return err
		})
		if err != nil {
			return s.problem("begin to upload", "PutObject", o.key, err)
		}
	}
	p := types.CompletedPart{PartNumber: aws.Int32(int32(len(o.pieces) + 1))}
	err := s.client.Ask(s.bucket, func(region func(*s3.Options)) error {
		out, err := s.client.API().UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &s.bucket, Key: &o.key, UploadId: o.upload, PartNumber: p.PartNumber,
			Body: bytes.NewReader(o.buf), ContentLength: aws.Int64(int64(len(o.buf))), ContentMD5: digest(o.buf),
		}, plainly, region)
		if err == nil {
			p.ETag = out.ETag
		}
		return err
	})
	if err != nil {
		return s.problem("upload to", "PutObject", o.key, err)
	}
	o.pieces = append(o.pieces, p)
	o.buf = o.buf[:0]
	return nil
}

// end makes the object durable.
func (o *object) end(ctx context.Context) (file, error) {
	err := o.complete(ctx)
	return file{Key: o.key, Size: o.size, Rows: o.rows, MD5: hex.EncodeToString(o.sum.Sum(nil))}, err
}

func (o *object) complete(ctx context.Context) error {
	s := o.sink
	if o.upload == nil {
		_, err := s.put(ctx, o.key, o.buf)
		return err
	}
	if len(o.buf) > 0 {
		if err := o.send(ctx); err != nil {
			return err
		}
	}
	err := s.client.Ask(s.bucket, func(region func(*s3.Options)) error {
		_, err := s.client.API().CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &s.bucket, Key: &o.key, UploadId: o.upload,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: o.pieces},
		}, plainly, region)
		return err
	})
	if codeOf(err) == codeNoUpload {
		// Completed by a request whose answer was lost. Nobody else has this key, or
		// whoever has writes the same.
		if etag, size, _, looked := s.head(ctx, o.key); looked == nil && etag != "" && size == o.size {
			err = nil
		}
	}
	if err != nil {
		return s.problem("complete", "PutObject", o.key, err)
	}
	o.upload = nil
	return nil
}

// abort forgets what was uploaded; where that fails, the bucket's lifecycle rule
// for incomplete uploads does. It does not depend on the context of the attempt,
// which may have ended.
func (o *object) abort() {
	if o == nil || o.upload == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), abortTime)
	defer cancel()
	s := o.sink
	_ = s.client.Ask(s.bucket, func(region func(*s3.Options)) error {
		_, err := s.client.API().AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &o.key, UploadId: o.upload}, plainly, region)
		return err
	})
	o.upload = nil
}

// writer makes an object an io.Writer for the length of a call.
type writer struct {
	ctx context.Context
	*object
}

// Write implements io.Writer.
func (w writer) Write(b []byte) (int, error) {
	if err := w.write(w.ctx, b); err != nil {
		return 0, err
	}
	return len(b), nil
}
