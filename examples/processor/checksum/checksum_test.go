package checksum_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/examples/processor/checksum"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/schema"
)

// A whole tree is walked in a test without an engine, a queue or a file.
func TestChecksum(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700))
	for name, text := range map[string]string{"x.txt": "", "a/y.txt": "hello", "a/b/z.bin": "abc"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	set := processor.Set{checksum.Kind: checksum.Processor{}}

	tree, err := processortest.Walk(t.Context(), set, processor.Node{Kind: checksum.Kind, ID: dir})
	require.NoError(t, err)
	assert.Empty(t, tree.Failed)
	assert.Equal(t, schema.Account{Nodes: 3, Objects: 3, Bytes: 8}, tree.Account)
	rows := string(tree.Streams["rows"].Bytes())
	assert.Equal(t, 3, strings.Count(rows, "\n"))
	assert.Contains(t, rows, `/a/b/z.bin","size":3,"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}`)

	tree, err = processortest.Walk(t.Context(), set, processor.Node{Kind: checksum.Kind, ID: dir, Args: schema.Args(`{"pattern": "*.txt"}`)})
	require.NoError(t, err)
	assert.Equal(t, schema.Account{Nodes: 3, Objects: 2, Bytes: 5}, tree.Account)

	_, err = processortest.Run(t.Context(), checksum.Processor{}, &processor.Node{ID: filepath.Join(dir, "none")})
	assert.True(t, processor.IsPermanent(err), "no retry finds what is not there: %v", err)
	_, err = processortest.Run(t.Context(), checksum.Processor{}, &processor.Node{ID: dir, Args: schema.Args(`{"pattern": "["}`)})
	assert.True(t, processor.IsPermanent(err), "nor mends a pattern: %v", err)
}
