package s3client

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	// MaxAnswer is the bytes of an answer other than an object's content, at most.
	// It is more than any page has: 1,000 keys of 1,024 bytes, three characters
	// each where URL-encoded, and what is said of them, are 4 MB.
	MaxAnswer = 16 << 20

	// MaxRedirects is how often one request is sent on. S3 does so once, while a
	// new bucket's name spreads.
	MaxRedirects = 3
)

// bounded is the SDK's client for endpoints that may be anything: what answers
// without end, or sends on in a circle, costs one attempt and not the memory.
// The SDK itself reads answers of any length and follows any number of redirects.
func bounded(b *awshttp.BuildableClient) aws.HTTPClient {
	frozen, ok := b.Freeze().(*http.Client)
	if !ok {
		return b // never so far
	}
	c := *frozen
	c.Transport = short{frozen.Transport}
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > MaxRedirects {
			return http.ErrUseLastResponse
		}
		return frozen.CheckRedirect(r, via)
	}
	return &c
}

// short cuts off answers that are too long, but for the content of objects, the
// end of which is for those to find who asked for it.
type short struct{ http.RoundTripper }

// contentKey is in the context of a request for an object's content.
type contentKey struct{}

// RoundTrip implements http.RoundTripper.
func (s short) RoundTrip(r *http.Request) (*http.Response, error) {
	out, err := s.RoundTripper.RoundTrip(r)
	if err == nil && (r.Context().Value(contentKey{}) == nil || out.StatusCode >= 300) {
		out.Body = &shortBody{ReadCloser: out.Body, left: MaxAnswer}
	}
	return out, err
}

type shortBody struct {
	io.ReadCloser
	left int
}

func (b *shortBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &AnswerError{"answer is not a whole page: it is longer than any page of S3 (if the endpoint is not S3, check AWS_ENDPOINT_URL)"}
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// CloseIdleConnections closes those of the transport that is bounded.
func (s short) CloseIdleConnections() {
	if c, ok := s.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
