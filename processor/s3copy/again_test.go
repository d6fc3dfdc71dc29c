package s3copy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// An object that failed is copied again also where what is there is an older one of
// the same size, and nothing but the times tells them apart.
func TestAgainCopiesOverAnOlderOne(t *testing.T) {
	written := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for message, there := range map[string]time.Time{
		"copied: there is no checksum to compare":                                             written.Add(-time.Hour),
		"taken for equal (same size, not older; there is no checksum to compare): not copied": written.Add(time.Hour),
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at, etag := there, "y-2"
			if r.URL.Path == "/a/k" {
				at, etag = written, "x-2"
			}
			switch r.Method {
			case http.MethodHead:
				w.Header().Set("ETag", `"`+etag+`"`)
				w.Header().Set("Content-Length", "3")
				w.Header().Set("Last-Modified", at.Format(http.TimeFormat))
			case http.MethodPut:
				fmt.Fprint(w, `<CopyObjectResult><ETag>"z-1"</ETag></CopyObjectResult>`)
			default:
				fmt.Fprintf(w, `<ListBucketResult><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>k</Key><LastModified>%s</LastModified><ETag>"y-2"</ETag><Size>3</Size></Contents></ListBucketResult>`, there.Format(time.RFC3339))
			}
		}))
		t.Cleanup(s.Close)
		n := &processor.Node{Kind: Kind, Args: schema.Args(`{"bucket":"a","prefix":"","key":"k","size":3,"etag":"x-2","epoch":0,"failed":{"message":"m"},"with":{"to":"s3://b/"}}`)}
		tree, rows := trial{url: s.URL, root: n}.run(t)
		require.Empty(t, tree.Failed)
		require.Equal(t, message, rows["k"][0].ResultMessage)
	}
}

// One checksum that differs decides, whatever others say.
func TestCompareSums(t *testing.T) {
	for _, c := range []struct {
		a, b map[string]string
		name string
		same bool
	}{
		{nil, map[string]string{"SHA1": "x"}, "", false},
		{map[string]string{"SHA1": "x", "CRC32": "y"}, map[string]string{"SHA1": "x"}, "SHA1", true},
		{map[string]string{"SHA256": "x", "CRC32": "y"}, map[string]string{"SHA256": "z", "CRC32": "y"}, "SHA256", false},
		{map[string]string{"SHA256": "x", "CRC32": "y"}, map[string]string{"SHA256": "x", "CRC32": "y"}, "CRC32", true},
	} {
		name, same := compareSums(c.a, c.b)
		require.Equal(t, c.name, name)
		require.Equal(t, c.same, same)
	}
}
