package console

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/diff"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/totals"
)

func differences() []diff.Difference {
	a, b := &totals.Line{Prefix: "x/p/", Depth: 1}, &totals.Line{Prefix: "p/", Depth: 1}
	one := inventory.Object{Key: "k", Size: 1536, ETag: "e", LastModified: time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC)}
	a.Add(&one)
	a.AddDigest(&one, 0)
	b.Add(&one)
	b.AddDigest(&one, 0)
	two := inventory.Object{Key: "k", Size: 1537}
	b.Add(&two)
	b.AddDigest(&two, 0)
	return []diff.Difference{
		{Name: "", In: diff.InBoth, LineA: a, LineB: b},
		{Name: "p/", In: diff.InA, LineA: a},
		{Name: "q\x1b/", In: diff.InB, LineB: b},
		{Name: "p/k", IsKey: true, In: diff.InBoth, Why: "size", A: &one, B: &two},
		{Name: "p/l", IsKey: true, In: diff.InBoth, Why: "etag", A: &one, B: &one},
		{Name: "p/m", IsKey: true, In: diff.InA, A: &one},
		{Name: "p/n", IsKey: true, In: diff.InB, B: &two},
	}
}

func TestWriteDifference(t *testing.T) {
	var b bytes.Buffer
	for _, d := range differences() {
		require.NoError(t, WriteDifference(&b, d))
	}
	same(t, b.String(), `differs    (all)  1 object, 1.5 KiB and 2 objects, 3.0 KiB
only in A  p/  1 object, 1.5 KiB
only in B  q\x1b/  2 objects, 3.0 KiB
differs    p/k  1,536 and 1,537 bytes
differs    p/l  etag
only in A  p/m  1.5 KiB
only in B  p/n  1.5 KiB
`)
}

func TestWriteDifferenceJSON(t *testing.T) {
	var b bytes.Buffer
	for _, d := range differences()[1:4] {
		require.NoError(t, WriteDifferenceJSON(&b, d))
	}
	lines := strings.Split(b.String(), "\n")
	require.Len(t, lines, 4)
	assert.Regexp(t, `^\{"type":"prefix","name":"p/","in":"a","a":\{"objects":1,"bytes":1536,"digests":\{"size":"[0-9a-f]{64}","etag":"[0-9a-f]{64}"\}\},"b":null\}$`, lines[0])
	assert.Contains(t, lines[1], `"name":"q\u001b/","in":"b","a":null,"b":{"objects":2,`)
	same(t, lines[2], `{"type":"key","name":"p/k","in":"both","why":"size","a":{"size":1536,"etag":"e","modified":"2024-02-29T23:59:59Z"},"b":{"size":1537,"etag":""}}`)
}

func TestComparison(t *testing.T) {
	digests := &Digests{Size: strings.Repeat("0", 64), ETag: strings.Repeat("1", 64)}
	for want, c := range map[string]Comparison{
		"equal by etag: 1,200 objects, 3 B, digest 1111111111111111\n":                         {Equal: true, Compare: diff.ETag, A: Compared{Objects: 1200, Bytes: 3, Digests: digests}},
		"equal by size: 1,200 objects, 3 B, digest 0000000000000000\n":                         {Equal: true, Compare: diff.Size, A: Compared{Objects: 1200, Bytes: 3, Digests: digests}},
		"equal: there are no objects\n":                                                        {Equal: true},
		"different: 2 prefixes, 1,000 keys\n":                                                  {Prefixes: 2, Keys: 1000},
		"different: 2 prefixes, 0 keys: keys are listed as they are now, and differ no more\n": {Prefixes: 2, Gone: true},
	} {
		var b bytes.Buffer
		require.NoError(t, c.WriteText(&b))
		assert.Equal(t, want, b.String())
	}
	var b bytes.Buffer
	require.NoError(t, Comparison{Keys: 3, Parts: 2}.WriteText(&b))
	assert.Contains(t, b.String(), "the ETags of 2 keys tell in which parts")
	b.Reset()
	require.NoError(t, Comparison{Type: "result", Compare: diff.Size, A: Compared{Run: "a", Target: "s3://a/"}}.WriteJSON(&b))
	same(t, b.String(), `{"type":"result","equal":false,"compare":"size","prefixes":0,"keys":0,"a":{"run":"a","target":"s3://a/","objects":0,"bytes":0,"digests":null},"b":{"run":"","target":"","objects":0,"bytes":0,"digests":null}}`+"\n")
}
