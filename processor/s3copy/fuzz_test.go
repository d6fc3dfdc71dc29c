package s3copy

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schema"
)

// FuzzOrder: no order crashes its reader, and one that it takes writes nowhere within
// what it reads, under the source's prefix or above it.
func FuzzOrder(f *testing.F) {
	f.Add([]byte(`{"to":"s3://dest/p","sse":"aws:kms","above":5242880,"part":5242880}`), "src", "p/")
	f.Add([]byte(`{"to":"s3://src/p/q"}`), "src", "p/")
	f.Add([]byte(`{"to":"s3://dest/","endpoint":"http://127.0.0.1:9000"}`), "dest", "")
	f.Fuzz(func(t *testing.T, raw []byte, bucket, prefix string) {
		o, err := parseOrder(json.RawMessage(raw), bucket, prefix)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.True(t, o.prefix == "" || strings.HasSuffix(o.prefix, "/"))
		if o.bucket == bucket && o.Endpoint == "" {
			require.False(t, strings.HasPrefix(o.prefix, prefix) || strings.HasPrefix(prefix, o.prefix))
		}
		if o.Endpoint != "" {
			u, err := url.Parse(o.Endpoint)
			require.NoError(t, err)
			require.Contains(t, []string{"http", "https"}, u.Scheme)
		}
		folder := folderOf(prefix)
		require.True(t, strings.HasPrefix(o.target(prefix+"k", folder), o.prefix))
		text, err := json.Marshal(o)
		require.NoError(t, err)
		if schema.IsObject(raw) {
			again, err := parseOrder(text, bucket, prefix)
			require.NoError(t, err)
			require.Equal(t, o, again)
		}
	})
}
