package s3

import (
	"bytes"
	"context"
	"crypto/md5" // #nosec G501 -- S3 checks it, and the manifest asks for it
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ramify/ramify/sink"
)

// plainly has the SDK add no checksum of its own: every body goes with its MD5,
// which stores of all kinds check, and some know nothing else.
func plainly(o *s3.Options) {
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.Retryer = retry.AddWithErrorCodes(o.Retryer, repeated...)
}

func digest(body []byte) *string {
	sum := md5.Sum(body)
	return aws.String(base64.StdEncoding.EncodeToString(sum[:]))
}

// condition is what must hold for an object to be put.
type condition func(*s3.PutObjectInput)

func ifAbsent(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

func ifMatch(etag string) condition { return func(in *s3.PutObjectInput) { in.IfMatch = &etag } }

func metadata(m map[string]string) condition {
	return func(in *s3.PutObjectInput) { in.Metadata = m }
}

// put writes an object at once. Won is false where a condition was not met. An
// answer may be lost after the store has acted, and the SDK asks again: who put if
// absent and lost looks at what is there, which may be its own.
func (s *Sink) put(ctx context.Context, key string, body []byte, conditions ...condition) (won bool, err error) {
	err = s.client.Ask(s.bucket, func(region func(*s3.Options)) error {
		in := &s3.PutObjectInput{
			Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(body),
			ContentLength: aws.Int64(int64(len(body))), ContentMD5: digest(body),
		}
		for _, c := range conditions {
			c(in)
		}
		_, err := s.client.API().PutObject(ctx, in, plainly, region)
		return err
	})
	if len(conditions) > 0 && refused(err) {
		return false, nil
	}
	if err != nil {
		return false, s.problem("put", "PutObject", key, err)
	}
	return true, nil
}

// get reads a small object. Its error wraps errMissing if there is none.
func (s *Sink) get(ctx context.Context, key string) ([]byte, error) {
	var body bytes.Buffer
	if err := s.copyTo(ctx, &body, key); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}

// copyTo writes an object's content to w.
func (s *Sink) copyTo(ctx context.Context, w io.Writer, key string) error {
	permanent, err := s.client.Get(ctx, s.bucket, key, w, nil)
	switch {
	case missing(err):
		return fmt.Errorf("get %s: %w", s.url(key), errMissing)
	case permanent && statusOf(err) == http.StatusForbidden:
		// Who may not list a bucket is told that what is not there is denied.
		return fmt.Errorf("%w: %w (and s3:ListBucket on arn:aws:s3:::%s)", sink.ErrFull, err, s.bucket)
	case permanent:
		return fmt.Errorf("%w: %w", sink.ErrFull, err)
	}
	return err
}

// stream has an object's content read as it comes. What reads may stop early, by
// errStopped.
func (s *Sink) stream(ctx context.Context, key string, read func(*reader) error) error {
	r, w := io.Pipe()
	var got error
	var writer sync.WaitGroup
	writer.Go(func() {
		got = s.copyTo(ctx, w, key)
		_ = w.CloseWithError(got) // never fails
	})
	err := read(newReader(r))
	_ = r.CloseWithError(errStopped) // never fails
	writer.Wait()
	switch {
	case errors.Is(err, errStopped):
		return nil
	case errors.Is(got, errStopped) || got == nil:
		return err
	default:
		return got // of which err is the end of the pipe
	}
}

// head is the ETag and metadata of an object; "" where there is none.
func (s *Sink) head(ctx context.Context, key string) (etag string, size int64, meta map[string]string, err error) {
	var out *s3.HeadObjectOutput
	err = s.client.Ask(s.bucket, func(region func(*s3.Options)) (err error) {
		out, err = s.client.API().HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key}, region)
		return err
	})
	switch {
	case missing(err):
		return "", 0, nil, nil
	case err != nil:
		return "", 0, nil, s.problem("look at", "GetObject and s3:ListBucket", key, err)
	}
	return aws.ToString(out.ETag), aws.ToInt64(out.ContentLength), out.Metadata, nil
}

// copyWhole copies an object of up to 5 GiB inside the store.
func (s *Sink) copyWhole(ctx context.Context, to, from string) error {
	source := (&url.URL{Path: s.bucket + "/" + from}).EscapedPath()
	err := s.client.Ask(s.bucket, func(region func(*s3.Options)) error {
		_, err := s.client.API().CopyObject(ctx, &s3.CopyObjectInput{Bucket: &s.bucket, Key: &to, CopySource: &source}, plainly, region)
		return err
	})
	if err != nil {
		return s.problem("copy to", "PutObject, and s3:GetObject", to, err)
	}
	return nil
}

// probed are the stores and prefixes that were found to put if absent.
var probed sync.Map

// probe puts an object if absent until the store refuses: the object stays, so
// that most tasks ask once.
func (s *Sink) probe(ctx context.Context, key string) error {
	store := s.client.Endpoint() + " " + s.url(key)
	if _, ok := probed.Load(store); ok {
		return nil
	}
	for range 2 {
		won, err := s.put(ctx, key, []byte(rand.Text()), ifAbsent)
		if codeOf(err) == codeNotSupported {
			break
		}
		if err != nil {
			return err
		}
		if !won {
			probed.Store(store, true)
			return nil
		}
	}
	where := s.client.Endpoint()
	if where == "" {
		where = "of bucket " + s.bucket
	}
	return fmt.Errorf("store %s %w", where, ErrUnconditional)
}
