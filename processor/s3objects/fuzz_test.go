package s3objects

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/schema"
)

// FuzzEach: whatever nodes are to be made of objects, and whatever these are called, a
// node's args are one JSON object, in which a key is a text and nothing more.
func FuzzEach(f *testing.F) {
	f.Add([]byte(`{"kind":"k","args":{"a":1}}`), "a b", "e")
	f.Add([]byte(`{"kind":"k","args":{"u":["{url}",{"{key}":"{key}"}]}}`), `","x":"`, `{url}`)
	f.Add([]byte(`{"kind":"k","batch":7,"args": { } }`), "\u2028</script>\x00", "")
	f.Fuzz(func(t *testing.T, raw []byte, key, etag string) {
		e, err := parseEach(raw)
		if err != nil {
			return
		}
		require.NoError(t, schema.CheckKind(e.Kind))
		if !utf8.ValidString(key) || !utf8.ValidString(etag) || len(key) > 1024 || len(etag) > 1024 {
			return // nothing of the kind comes out of a page
		}
		m, err := newMaker(e)
		require.NoError(t, err)
		objects := []inventory.Object{{Bucket: "b", Key: key, ETag: etag, Size: 7}, {Bucket: "b", Key: key + "2"}}
		c, err := m.one(&objects[0])
		if e.Batch > 1 {
			c, err = m.many(objects)
		}
		require.NoError(t, err)
		require.True(t, schema.IsObject(c.Args), "%s", c.Args)
		if !e.replaces() && e.Batch <= 1 && !strings.Contains(string(e.Args), `"`) {
			var o Object
			require.NoError(t, lenient(c.Args, &o))
			require.Equal(t, Object{Bucket: "b", Key: key, ETag: etag, Size: 7}, o)
		}
	})
}
