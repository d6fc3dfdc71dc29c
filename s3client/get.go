package s3client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// worthAttempt is the bytes of content from which an attempt that was cut off
// has brought something: the next is then the first again.
const worthAttempt = 64 << 10

// Get writes the content of an object to w, from its first byte to its last. A
// body that is cut off goes on where it was cut, if the object is still the same.
// Its errors are final and in one line; permanent says that no retry will mend
// it. An error of w comes back wrapped, and ends it.
//
// Count, where set, is told how many requests went out on the wire.
func (c *Client) Get(ctx context.Context, bucket, key string, w io.Writer, count func(requests int64)) (permanent bool, err error) {
	return c.GetContent(ctx, Content{Bucket: bucket, Key: key}, w, count)
}

// Content is that of an object, as it was when it was listed.
type Content struct {
	Bucket, Key string
	ETag        string // without quotes; "" is any
	Version     string // "" is the current one
}

// errChanged is that the object is not the one that was listed.
var errChanged = errors.New("it is not the object that was listed: it has changed since")

// GetContent is Get of an object as it was listed: where it has changed since, that
// is an error, and permanent.
func (c *Client) GetContent(ctx context.Context, o Content, w io.Writer, count func(requests int64)) (permanent bool, err error) {
	bucket, key := o.Bucket, o.Key
	g := &get{client: c, bucket: bucket, key: key, version: o.Version, to: &sink{w: w}}
	if o.ETag != "" {
		g.etag, g.listed = `"`+o.ETag+`"`, true
	}
	err = g.run(context.WithValue(ctx, contentKey{}, true))
	if count != nil {
		count(g.sent.Load())
	}
	if g.to.err != nil {
		return false, fmt.Errorf("get %s: %w", g.name(), g.to.err)
	}
	if g.listed && (errors.Is(err, errChanged) || statusOf(err) == http.StatusPreconditionFailed) {
		return true, &lineError{fmt.Sprintf("get %s: %v", g.name(), errChanged), err}
	}
	return Explain("get "+g.name(),
		"s3:GetObject on arn:aws:s3:::"+bucket+"/"+Readable(key)+", and kms:Decrypt on its key if it is encrypted,", err)
}

// get is one object on its way.
type get struct {
	client      *Client
	bucket, key string
	version     string
	etag        string // of the listing, or the first answer
	listed      bool   // the ETag is that of the listing
	to          *sink
	sent        atomic.Int64
}

func (g *get) name() string { return "s3://" + g.bucket + "/" + Shorten(Readable(g.key), 200) }

func (g *get) run(ctx context.Context) error {
	for failed := 0; ; {
		before := g.to.n
		err := g.attempt(ctx)
		var cut *cutError
		if g.to.err != nil || !errors.As(err, &cut) {
			return err // nil, too
		}
		if failed++; g.to.n-before >= worthAttempt {
			failed = 1
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if failed == Attempts || failed == g.client.tries {
			return err
		}
		if err := g.pause(ctx, failed, err); err != nil {
			return err
		}
	}
}

// attempt asks for what is missing and takes as much of it as comes.
func (g *get) attempt(ctx context.Context) error {
	var out *s3.GetObjectOutput
	err := g.client.Ask(g.bucket, func(region func(*s3.Options)) (err error) {
		in := &s3.GetObjectInput{Bucket: &g.bucket, Key: &g.key}
		if g.version != "" {
			in.VersionId = &g.version
		}
		if g.etag != "" {
			in.IfMatch = &g.etag
		}
		if g.to.n > 0 {
			in.Range = aws.String(fmt.Sprintf("bytes=%d-", g.to.n))
		}
		out, err = g.client.api.GetObject(ctx, in, g.counted, region)
		return err
	})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	if etag := aws.ToString(out.ETag); g.etag == "" {
		g.etag = etag
	} else if etag != "" && etag != g.etag {
		if g.listed {
			return errChanged
		}
		return &AnswerError{"the object has changed while it was read"}
	}
	if said := aws.ToString(out.ContentRange); g.to.n > 0 && !strings.HasPrefix(said, fmt.Sprintf("bytes %d-", g.to.n)) {
		if said != "" {
			return &AnswerError{fmt.Sprintf("asked for what follows byte %d, it sent %q", g.to.n, Readable(said))}
		}
		// A server that knows no ranges begins anew.
		if _, err := io.CopyN(io.Discard, out.Body, g.to.n); err != nil {
			return &cutError{err}
		}
	}
	if _, err := io.Copy(g.to, out.Body); err != nil {
		return &cutError{err}
	}
	return nil
}

// counted has the SDK count the requests on the wire, those that net/http
// repeats by itself included, and check no digest: whoever asks has one.
func (g *get) counted(o *s3.Options) {
	o.RetryMaxAttempts = g.client.tries
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	trace := &httptrace.ClientTrace{WroteRequest: func(w httptrace.WroteRequestInfo) {
		if w.Err == nil {
			g.sent.Add(1)
		}
	}}
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CountGet", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return next.HandleDeserialize(httptrace.WithClientTrace(ctx, trace), in)
		}), middleware.After)
	})
}

// pause waits before the next attempt.
func (g *get) pause(ctx context.Context, failed int, why error) error {
	delay, err := g.client.backoff.BackoffDelay(failed, why)
	if err != nil {
		return err
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// IsMissing reports whether an error of Get says that there is no such object,
// as far as these credentials are told: who may not list is told that access is
// denied.
func IsMissing(err error) bool {
	status := statusOf(err)
	return status == http.StatusNotFound || status == http.StatusForbidden
}

// cutError is a body that ended before its end.
type cutError struct{ err error }

func (e *cutError) Error() string { return "its content was cut off: " + e.err.Error() }
func (e *cutError) Unwrap() error { return e.err }

// sink remembers how much was written, and that no more can be.
type sink struct {
	w   io.Writer
	n   int64
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.n += int64(n)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

// ForContent is a context for a request for an object's content by the caller's
// own means: its answer may be as long as it is.
func ForContent(ctx context.Context) context.Context {
	return context.WithValue(ctx, contentKey{}, true)
}
