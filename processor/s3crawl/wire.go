package s3crawl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptrace"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ramify/ramify/internal/pace"
	"github.com/ramify/ramify/processor/s3crawl/listxml"
	"github.com/ramify/ramify/s3client"
)

// call is one LIST on its way through the SDK, found by the middleware in the
// context.
type call struct {
	q    *Query
	page *listxml.Page // the answer; nil before there was one
	sent atomic.Int64  // requests on the wire, those that net/http repeats by itself included
	// trace counts them. It may be called after the answer has come.
	trace     httptrace.ClientTrace
	throttled int64 // answers that ask for fewer requests
}

type callKey struct{}

func newCall(q *Query) *call {
	c := &call{q: q}
	c.trace.WroteRequest = func(w httptrace.WroteRequestInfo) {
		if w.Err == nil {
			c.sent.Add(1)
		}
	}
	return c
}

// wired has the SDK take the steps of onWire.
func (c *Client) wired(o *s3.Options) { o.APIOptions = append(o.APIOptions, c.onWire) }

// onWire adds to the SDK's steps what a listing needs: each attempt is paced, its
// requests are counted, and the answer is decoded and checked where the retryer
// can still ask again.
func (c *Client) onWire(s *middleware.Stack) error {
	if err := s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("PaceList", c.paced), "Retry", middleware.After); err != nil {
		return err
	}
	count := middleware.DeserializeMiddlewareFunc("CountList", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		if c, ok := ctx.Value(callKey{}).(*call); ok {
			ctx = httptrace.WithClientTrace(ctx, &c.trace)
		}
		return next.HandleDeserialize(ctx, in)
	})
	if err := s.Deserialize.Add(count, middleware.After); err != nil {
		return err
	}
	// It would read each body by encoding/xml up to the root.
	refusals, err := s.Deserialize.Remove("S3:ProcessResponseFor200Error")
	if err != nil {
		return err
	}
	d := &deserializer{refusals: refusals}
	d.sdk, err = s.Deserialize.Swap("OperationDeserializer", d)
	return err
}

// paced lets an attempt wait its turn: before it is signed, and outside of the
// retryer's waits.
func (c *Client) paced(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	call, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return next.HandleFinalize(ctx, in)
	}
	turn, err := c.pace.Wait(ctx, call.q.Bucket)
	if err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, err
	}
	before := call.sent.Load()
	out, meta, err := next.HandleFinalize(ctx, in)
	c.pace.Sent(call.sent.Load() - before - 1) // net/http has repeated it
	verdict := pace.Judge(err, s3client.Throttles)
	if verdict == pace.TooFast {
		call.throttled++
	}
	turn.Done(verdict)
	return out, meta, err
}

// deserializer decodes listings in place of the SDK's deserializer, which takes
// 19 times the CPU. All other answers, and what listxml is in doubt of, are left
// to the SDK's.
type deserializer struct {
	sdk      middleware.DeserializeMiddleware
	refusals middleware.DeserializeMiddleware // finds errors that come with status 200, for sdk
}

// ID is that of the SDK's own, which it replaces.
func (*deserializer) ID() string { return "OperationDeserializer" }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (d *deserializer) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return d.theSDK(ctx, in, next)
	}
	out, meta, err := next.HandleDeserialize(ctx, in)
	answer, ok := out.RawResponse.(*smithyhttp.Response)
	if !ok || err != nil || answer.StatusCode < 200 || answer.StatusCode >= 300 {
		return d.sdk.HandleDeserialize(ctx, in, answered(out, meta, err))
	}
	buf := bodies.Get().(*[]byte)
	defer bodies.Put(buf)
	body, err := readBody((*buf)[:0], answer)
	*buf = body
	if err != nil {
		return out, meta, unreadBody(err)
	}
	if c.page == nil {
		c.page = pages.Get().(*listxml.Page)
	}
	c.page.NoETags = !c.q.ETags
	err = c.page.Decode(body)
	switch {
	case errors.Is(err, listxml.ErrDoubt):
		answer.Body = io.NopCloser(bytes.NewReader(body))
		if out, meta, err = d.theSDK(ctx, in, answered(out, meta, nil)); err != nil {
			return out, meta, err
		}
		err = fromSDK(out.Result, c.page)
	case err != nil:
		return out, meta, unreadBody(err)
	case c.q.Versions:
		out.Result = &s3.ListObjectVersionsOutput{} // the page is in the call
	default:
		out.Result = &s3.ListObjectsV2Output{}
	}
	if err == nil {
		err = check(c.q, c.page)
	}
	return out, meta, err
}

// theSDK is what the SDK does with an answer.
func (d *deserializer) theSDK(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	return d.sdk.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(func(ctx context.Context, in middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, meta, err := next.HandleDeserialize(ctx, in)
		if err != nil {
			return out, meta, err
		}
		if out, meta, err = d.refusals.HandleDeserialize(ctx, in, answered(out, meta, nil)); err != nil {
			err = unreadBody(err)
		}
		return out, meta, err
	}))
}

// answered is the next step where it was made already.
func answered(out middleware.DeserializeOutput, meta middleware.Metadata, err error) middleware.DeserializeHandler {
	return middleware.DeserializeHandlerFunc(func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
		return out, meta, err
	})
}

// unreadBody is the error that the SDK makes of a body that it cannot read.
func unreadBody(err error) error {
	return &smithy.DeserializationError{Err: fmt.Errorf("read listing: %w", err)}
}

var bodies = sync.Pool{New: func() any { return new([]byte) }}

const bodyStep = 64 << 10

// readBody appends a whole body, and closes it. A body shorter than was promised
// is an error, io.ErrUnexpectedEOF.
func readBody(b []byte, answer *smithyhttp.Response) ([]byte, error) {
	defer answer.Body.Close()
	promised := answer.ContentLength                                       // -1 or 0: not said
	if want := int(min(promised, s3client.MaxAnswer)) + 1; cap(b) < want { // one more, to read the end with the rest
		b = make([]byte, 0, (want|(bodyStep-1))+1) // pages differ a little: the next one should fit as well
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := answer.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > s3client.MaxAnswer: // also where the HTTP client is the caller's, and unbounded
			return b, fmt.Errorf("body of more than %d bytes", s3client.MaxAnswer)
		case errors.Is(err, io.EOF) && promised > 0 && int64(len(b)) != promised:
			return b, io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, err
		}
	}
}
