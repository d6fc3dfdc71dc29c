package s3crawl

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	// maxAnswer is more than any page has: 1,000 keys of 1,024 bytes, three
	// characters each where URL-encoded, and what is said of them, are 4 MB.
	maxAnswer    = 16 << 20
	maxRedirects = 3 // S3 sends on once, while a new bucket's name spreads
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
		if len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return frozen.CheckRedirect(r, via)
	}
	return &c
}

// short cuts off answers that are too long.
type short struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (s short) RoundTrip(r *http.Request) (*http.Response, error) {
	out, err := s.RoundTripper.RoundTrip(r)
	if err == nil {
		out.Body = &shortBody{ReadCloser: out.Body, left: maxAnswer}
	}
	return out, err
}

type shortBody struct {
	io.ReadCloser
	left int
}

func (b *shortBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, badPage("it is longer than any page of S3 (if the endpoint is not S3, check AWS_ENDPOINT_URL)")
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
