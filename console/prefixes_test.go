package console

import (
	"bytes"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/totals"
)

func prefixLines() []totals.Line {
	dated := inventory.Object{Size: 1536, LastModified: time.Date(2024, 2, 29, 23, 59, 59, 999e6, time.UTC), StorageClass: "STANDARD"}
	all := totals.Line{}
	all.Add(&dated)
	for range 1999 {
		all.Add(&inventory.Object{StorageClass: "GLACIER"})
	}
	evil := totals.Line{Prefix: "a\x1b[2J\u0085/", Depth: 1}
	evil.Add(&inventory.Object{Size: 3})
	return []totals.Line{all, evil}
}

func inOrder(lines []totals.Line, end error) iter.Seq2[totals.Line, error] {
	return func(yield func(totals.Line, error) bool) {
		for _, l := range lines {
			if !yield(l, nil) {
				return
			}
		}
		if end != nil {
			yield(totals.Line{}, end)
		}
	}
}

func TestWritePrefixes(t *testing.T) {
	lines := prefixLines()
	var b bytes.Buffer
	require.NoError(t, WritePrefixes(&b, "s3://b/", lines[0], inOrder(lines, nil)))
	assert.Equal(t, "objects     bytes  newest (UTC)      prefix\n"+
		"  2,000   1.5 KiB  2024-02-29 23:59  s3://b/\n"+
		"      1       3 B                    a\\x1b[2J\\u0085/\n", b.String())
	broken := errors.New("broken")
	require.ErrorIs(t, WritePrefixes(&b, "", lines[0], inOrder(lines, broken)), broken)
}

func TestWritePrefixesJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WritePrefixesJSON(&b, inOrder(prefixLines(), nil)))
	want := `{"prefix":"","depth":0,"objects":2000,"bytes":1536,"newest":"2024-02-29T23:59:59.999Z",` +
		`"classes":{"GLACIER":{"objects":1999,"bytes":0},"STANDARD":{"objects":1,"bytes":1536}}}` + "\n" +
		`{"prefix":"a\u001b[2J\u0085/","depth":1,"objects":1,"bytes":3,"newest":null,"classes":{"":{"objects":1,"bytes":3}}}` + "\n"
	if b.String() != want { // byte by byte: what is escaped matters
		t.Errorf("got %s, want %s", b.String(), want)
	}
	broken := errors.New("broken")
	require.ErrorIs(t, WritePrefixesJSON(&b, inOrder(nil, broken)), broken)
}
