package s3inventory

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schema"
)

// FuzzArgs: no args crash the reader, and what it takes is handed on as it is.
func FuzzArgs(f *testing.F) {
	f.Add([]byte(`{"manifest":"s3://b/inv/"}`))
	f.Add([]byte(`{"file":"s3://b/data/1.csv.gz","size":7,"md5":"d41d8cd98f00b204e9800998ecf8427e","format":"CSV","schema":"Bucket, Key","source":"b"}`))
	f.Add([]byte(`{"manifest":"file:../../etc"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if !schema.IsObject(text) {
			return
		}
		a, err := parseArgs(text)
		if err != nil {
			return
		}
		require.True(t, a.Manifest == "" || a.File == "")
		again, err := parseArgs(a.child(1).Args)
		require.NoError(t, err)
		require.Equal(t, a, again)
	})
}

// FuzzResolve: files that a manifest names lie in its bucket, or below its folder on this
// machine: whoever wrote it chooses no others.
func FuzzResolve(f *testing.F) {
	for _, key := range []string{"data/1.csv", "../../etc/passwd", "/etc/passwd", "a/../../b", "..", "s3://other/x", "file:/etc/passwd", "a\x00b"} {
		f.Add(key, true)
		f.Add(key, false)
	}
	f.Fuzz(func(t *testing.T, key string, byS3 bool) {
		at, err := place("s3://bucket/inv/day/manifest.json").resolve(key, byS3)
		require.NoError(t, err)
		bucket, _, ok := at.object()
		require.True(t, ok && bucket == "bucket", "%q leads to %q", key, at)
		root := t.TempDir()
		at, err = place("file:"+filepath.Join(root, "inv", "day", "manifest.json")).resolve(key, byS3)
		if err != nil {
			return
		}
		path, isLocal := at.path()
		require.True(t, isLocal)
		require.True(t, strings.HasPrefix(path, filepath.Join(root, "inv")+string(filepath.Separator)), "%q leads to %q", key, path)
	})
}
