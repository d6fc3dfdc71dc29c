package s3client

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// What was listed is read, or it is said that it has changed, for good: by servers
// that know If-Match and by those that do not.
func TestGetContentIsWhatWasListed(t *testing.T) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"conditions": func(h http.Handler) http.Handler { return h },
		"none": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Del("If-Match")
				h.ServeHTTP(w, r)
			})
		},
	} {
		s := &store{body: bytes.Repeat([]byte("x"), 1000), etag: `"e"`, ranges: true, cuts: []int{500}}
		c := clientOf(t, wrap(s))
		var got bytes.Buffer
		if _, err := c.GetContent(t.Context(), Content{Bucket: "b", Key: "k", ETag: "e"}, &got, nil); err != nil || got.Len() != 1000 {
			t.Errorf("%s: %d bytes, %v", name, got.Len(), err)
		}
		got.Reset()
		permanent, err := c.GetContent(t.Context(), Content{Bucket: "b", Key: "k", ETag: "old"}, &got, nil)
		if !permanent || err == nil || !strings.Contains(err.Error(), "it has changed since") || got.Len() != 0 {
			t.Errorf("%s: changed: permanent %t, %v, %d bytes", name, permanent, err, got.Len())
		}
	}
}

func TestGetContentOfAVersion(t *testing.T) {
	var asked string
	c := clientOf(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.Query().Get("versionId") }))
	if _, err := c.GetContent(t.Context(), Content{Bucket: "b", Key: "k", Version: "v7"}, &bytes.Buffer{}, nil); err != nil || asked != "v7" {
		t.Errorf("version %q was asked for, %v", asked, err)
	}
}
