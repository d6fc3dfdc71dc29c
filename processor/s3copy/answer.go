package s3copy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// quickly reads answers to CopyObject without encoding/xml, which takes a quarter
// of the CPU of a copy. What is not of the plain form that S3 gives, and all errors,
// is left to the SDK.
func quickly(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		refusals, err := s.Deserialize.Remove("S3:ProcessResponseFor200Error")
		if err != nil {
			return err
		}
		q := &quick{refusals: refusals}
		q.sdk, err = s.Deserialize.Swap("OperationDeserializer", q)
		return err
	})
}

type quick struct {
	sdk      middleware.DeserializeMiddleware
	refusals middleware.DeserializeMiddleware // finds errors that come with status 200, for sdk
}

// ID is that of the SDK's own, which it replaces.
func (*quick) ID() string { return "OperationDeserializer" }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (q *quick) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, meta, err := next.HandleDeserialize(ctx, in)
	answer, ok := out.RawResponse.(*smithyhttp.Response)
	if ok && err == nil && answer.StatusCode == http.StatusOK {
		var body []byte
		body, err = io.ReadAll(answer.Body)
		answer.Body.Close()
		if res := plainResult(body); res != nil && err == nil {
			out.Result = &s3.CopyObjectOutput{
				CopyObjectResult: res, ServerSideEncryption: types.ServerSideEncryption(answer.Header.Get("X-Amz-Server-Side-Encryption")),
			}
			return out, meta, nil
		}
		answer.Body = io.NopCloser(&replay{body: bytes.NewReader(body), err: err})
		err = nil
	}
	as := func(out middleware.DeserializeOutput, meta middleware.Metadata, err error) middleware.DeserializeHandler {
		return middleware.DeserializeHandlerFunc(func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return out, meta, err
		})
	}
	if err == nil {
		out, meta, err = q.refusals.HandleDeserialize(ctx, in, as(out, meta, nil))
	}
	return q.sdk.HandleDeserialize(ctx, in, as(out, meta, err))
}

// replay is a body that was read, to its end or its error.
type replay struct {
	body *bytes.Reader
	err  error
}

func (r *replay) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if err == io.EOF && r.err != nil {
		err = r.err
	}
	return n, err
}

// plainResult reads a CopyObjectResult whose elements are texts without entities
// but quotes; nil where it is anything else.
func plainResult(b []byte) *types.CopyObjectResult {
	const space = " \t\r\n"
	b = bytes.TrimLeft(b, space)
	if rest, ok := bytes.CutPrefix(b, []byte("<?xml ")); ok {
		_, rest, ok = bytes.Cut(rest, []byte("?>"))
		if !ok {
			return nil
		}
		b = bytes.TrimLeft(rest, space)
	}
	b, ok := bytes.CutPrefix(b, []byte("<CopyObjectResult"))
	if !ok || len(b) == 0 || b[0] != '>' && b[0] != ' ' {
		return nil
	}
	end := bytes.IndexByte(b, '>')
	if end < 0 || end > 0 && b[end-1] == '/' {
		return nil
	}
	var r types.CopyObjectResult
	for b = b[end+1:]; ; {
		b = bytes.TrimLeft(b, space)
		if rest, ok := bytes.CutPrefix(b, []byte("</CopyObjectResult>")); ok {
			if len(bytes.TrimLeft(rest, space)) > 0 || r.ETag == nil {
				return nil
			}
			return &r
		}
		if len(b) < 2 || b[0] != '<' {
			return nil
		}
		end := bytes.IndexByte(b, '>')
		if end < 2 || bytes.ContainsAny(b[1:end], "!?/ <:&\"'") {
			return nil
		}
		name := string(b[1:end])
		text, rest, ok := bytes.Cut(b[end+1:], []byte("</"+name+">"))
		if !ok || bytes.ContainsAny(text, "<>\r") {
			return nil
		}
		value := string(text)
		if strings.Contains(value, "&") {
			if value = strings.NewReplacer("&quot;", `"`, "&#34;", `"`).Replace(value); strings.Contains(value, "&") {
				return nil
			}
		}
		b = rest
		switch name {
		case "ETag":
			r.ETag = &value
		case "ChecksumCRC64NVME":
			r.ChecksumCRC64NVME = &value
		case "ChecksumCRC32C":
			r.ChecksumCRC32C = &value
		case "ChecksumCRC32":
			r.ChecksumCRC32 = &value
		case "ChecksumSHA256":
			r.ChecksumSHA256 = &value
		case "ChecksumSHA1":
			r.ChecksumSHA1 = &value
		case "ChecksumType":
			r.ChecksumType = types.ChecksumType(value)
		}
	}
}
