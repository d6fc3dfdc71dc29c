package ledger_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

func kids() *rapid.Generator[[]ledger.Kid] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ledger.Kid {
		k := ledger.Kid{
			Kind:   rapid.SampledFrom([]string{"s3.crawl", "command", "k"}).Draw(t, "kind"),
			ID:     rapid.StringN(0, 30, 60).Draw(t, "id"),
			Weight: rapid.Uint32().Draw(t, "weight"),
			Deeper: rapid.IntRange(0, schema.MaxDepth).Draw(t, "deeper"),
		}
		if a := rapid.SampledFrom([]string{"", `{}`, `{"a":1}`}).Draw(t, "args"); a != "" {
			k.Args = schema.Args(a)
		}
		if rapid.Bool().Draw(t, "is group") {
			g := schema.GroupPID(schema.PID{1}, rapid.Uint64().Draw(t, "group"), 0, 0)
			k.Group, k.Count = &g, rapid.Uint64().Draw(t, "count")
		}
		return k
	}), 0, ledger.MaxKids)
}

func TestPackedKidsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := kids().Draw(t, "kids")
		got, err := ledger.UnpackKids(ledger.PackKids(want))
		require.NoError(t, err)
		require.Len(t, got, len(want))
		for i := range want {
			assert.Equal(t, want[i], got[i])
		}
	})
}

func TestPackerStopsAtItsLimits(t *testing.T) {
	var small ledger.Packer
	for i := range ledger.MaxKids {
		require.True(t, small.Add(ledger.Kid{Kind: "k", ID: fmt.Sprint(i)}), "kid %d", i)
	}
	assert.False(t, small.Add(ledger.Kid{Kind: "k", ID: "one more"}))
	assert.Equal(t, ledger.MaxKids, small.Len())

	var large ledger.Packer
	big := ledger.Kid{Kind: "k", ID: string(make([]byte, 4000))}
	assert.True(t, large.Add(big), "the first always fits")
	assert.False(t, large.Add(ledger.Kid{Kind: "k", ID: "x"}))

	// A plan of real prefixes: 256 of them are one plan.
	var prefixes ledger.Packer
	for i := range ledger.MaxKids {
		k := ledger.Kid{
			Kind: "s3.crawl", ID: fmt.Sprintf("s3://bucket/usr/share/doc/libexample%d/", i),
			Args: schema.Args(`{"bucket":"bucket"}`),
		}
		require.True(t, prefixes.Add(k), "prefix %d", i)
	}
}

func FuzzUnpackKids(f *testing.F) {
	f.Add(ledger.PackKids([]ledger.Kid{{Kind: "k", ID: "a"}, {Kind: "k", ID: "ab", Args: schema.Args(`{}`)}}))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		kids, err := ledger.UnpackKids(b)
		if err == nil && len(kids) > len(b) {
			t.Fatalf("%d kids from %d bytes", len(kids), len(b))
		}
	})
}
