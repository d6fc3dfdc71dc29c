package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/schema"
)

// The headers of a signature.
const (
	HeaderKey       = "X-Ramify-Signature-Key"  // the key's name
	HeaderTime      = "X-Ramify-Signature-Time" // when it was signed, in seconds since 1970
	HeaderSignature = "X-Ramify-Signature"      // HMAC-SHA256 in base64url without padding
)

// ErrSignature is returned where a request is not signed by a known key, or was not
// signed just now.
var ErrSignature = errors.New("request is not signed by a known key")

// signed is the bytes that a signature is of: a line each for the scheme, the time,
// the path as it is sent, and the name and time of a periodic task, then the body.
// What decides what is done is in it, so that no request can be played again
// elsewhere or as another task; the first line keeps it apart from the signature of
// a message on a queue.
func signed(h http.Header, path string, body []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(body) + 256)
	for _, line := range []string{"ramify-webhook-1", h.Get(HeaderTime), path, h.Get(HeaderTask), h.Get(HeaderAt)} {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	b.Write(body)
	return b.Bytes()
}

// sign adds the headers of a signature; a nil keyring adds none.
func sign(keys *schema.Keyring, h http.Header, path string, body []byte, now time.Time) {
	if keys == nil {
		return
	}
	h.Set(HeaderTime, strconv.FormatInt(now.Unix(), 10))
	attrs := keys.Sign(signed(h, path, body))
	h.Set(HeaderKey, attrs[schema.AttrKeyID])
	h.Set(HeaderSignature, attrs[schema.AttrSignature])
}

// Verify returns ErrSignature unless the headers of a POST sign its path (as in the
// request line, without a query), its task and its body by one of the keys, at a time
// that is at most window from now.
func Verify(keys *schema.Keyring, h http.Header, path string, body []byte, now time.Time, window time.Duration) error {
	at, err := strconv.ParseInt(h.Get(HeaderTime), 10, 64)
	if err != nil || keys == nil {
		return ErrSignature
	}
	attrs := map[string]string{schema.AttrKeyID: h.Get(HeaderKey), schema.AttrSignature: h.Get(HeaderSignature)}
	if keys.Verify(signed(h, path, body), attrs) != nil {
		return ErrSignature
	}
	if age := now.Sub(time.Unix(at, 0)); age > window || age < -window {
		return fmt.Errorf("%w within %v: do the clocks differ?", ErrSignature, window)
	}
	return nil
}

// requestPath is the path of a request as it was sent.
func requestPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path
}
