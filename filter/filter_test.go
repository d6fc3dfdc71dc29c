package filter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/inventory"
)

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		expr string
		size int64
		want bool
	}{
		{"size>=10MiB", 10 << 20, true},
		{"size>=10MiB", 10<<20 - 1, false},
		{"size<1GB", 999_999_999, true},
		{"size<1GB", 1_000_000_000, false},
		{"size=0", 0, true},
		{"size=0", 1, false},
		{"size<=1.5kib", 1536, true},
		{"size>1.5KiB", 1536, false},
		{"SIZE > 5 tb", 5_000_000_000_001, true},
		{"size<=9223372036854775807", 1<<63 - 1, true},
		{"size<9223372036854775807", 1<<63 - 1, false},
		{"size=9007199254740993", 9007199254740993, true},
		{"size=9007199254740993", 9007199254740992, false},
		{"size>=100B", 100, true},
	} {
		assert.Equal(t, c.want, parse(t, c.expr).Match(&inventory.Object{Size: c.size}, 0), "%s %d", c.expr, c.size)
	}
	assert.False(t, parse(t, "size=0").Match(&inventory.Object{IsDeleteMarker: true}, 0), "a delete marker has no size")
}

func TestDates(t *testing.T) {
	for _, c := range []struct {
		expr, date string
		want       bool
	}{
		{"modified>=2026-01-01", "2026-01-01T00:00:00Z", true},
		{"modified>=2026-01-01", "2025-12-31T23:59:59.999Z", false},
		{"modified>2026-01-01", "2026-01-01T23:59:59.999Z", false},
		{"modified>2026-01-01", "2026-01-02T00:00:00Z", true},
		{"modified<=2026-01-01", "2026-01-01T23:59:59.999Z", true},
		{"modified<=2026-01-01", "2026-01-02T00:00:00Z", false},
		{"modified<2026-01-01", "2026-01-01T00:00:00Z", false},
		{"modified=2026-01-01", "2026-01-01T12:00:00Z", true},
		{"modified=2026-01-01", "2026-01-02T00:00:00Z", false},
		{"modified<2026-01-01T12:00:00Z", "2026-01-01T11:59:59Z", true},
		{"modified<2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z", false},
		{"modified<=2026-01-01T12:00:00.5+01:00", "2026-01-01T11:00:00.5Z", true},
		{"modified=2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z", true},
		// It is noon on 2026-03-08.
		{"modified>-7d", "2026-03-01T12:00:01Z", true},
		{"modified>-7d", "2026-03-01T12:00:00Z", false},
		{"modified<-1w", "2026-03-01T11:59:59Z", true},
		{"modified<=-36h", "2026-03-07T00:00:00Z", true},
		{"modified>=-90m", "2026-03-08T10:29:59Z", false},
		{"modified>=-10s", "2026-03-08T11:59:50Z", true},
		{"modified<-100000d", "1700-01-01T00:00:00Z", true},
	} {
		date, err := time.Parse(time.RFC3339, c.date)
		require.NoError(t, err)
		assert.Equal(t, c.want, parse(t, c.expr).Match(&inventory.Object{LastModified: date}, 0), "%s %s", c.expr, c.date)
	}
	assert.False(t, parse(t, "modified<2026-01-01").Match(&inventory.Object{}, 0), "no date is known")
}

func TestClasses(t *testing.T) {
	for _, c := range []struct {
		exprs string
		class string
		want  bool
	}{
		{"class=glacier", "GLACIER", true},
		{"class=GLACIER", "STANDARD", false},
		{"class=GLACIER class=DEEP_ARCHIVE", "DEEP_ARCHIVE", true},
		{"class!=GLACIER class!=DEEP_ARCHIVE", "DEEP_ARCHIVE", false},
		{"class!=GLACIER", "STANDARD", true},
		{"class=GLACIER", "", false},
	} {
		assert.Equal(t, c.want, parse(t, strings.Fields(c.exprs)...).Match(&inventory.Object{StorageClass: c.class}, 0), "%s %s", c.exprs, c.class)
	}
}

// What is stored with a run means the same whenever it is read.
func TestAgesAreStoredAsTimes(t *testing.T) {
	f := parse(t, "*.jpg", "modified>-7d", "modified<=2026-03-07", `!a"\*b`+"\n")
	assert.Equal(t, `["*.jpg","modified\u003e2026-03-01T12:00:00Z","modified\u003c=2026-03-07","!a\"\\*b\n"]`, f.Encode())
	again, err := filter.Decode(f.Encode())
	require.NoError(t, err)
	assert.Equal(t, f.Encode(), again.Encode())

	none, err := filter.Decode("")
	require.NoError(t, err)
	assert.True(t, none.Match(&inventory.Object{}, 0))
	assert.Empty(t, none.Encode())
	_, err = filter.Decode("{")
	assert.ErrorContains(t, err, "decode filter")
}

func TestErrors(t *testing.T) {
	for expr, want := range map[string]string{
		"":               "a glob, such as",
		"!":              "a glob, such as",
		"a[":             "a glob whose [ and { are closed",
		"a{b":            "are closed",
		"a}":             "left over",
		`a\`:             "left over",
		"[]":             "are closed",
		"a**":            "** to be a segment of its own, as in logs/**/*.gz",
		"x/a**/b":        "** to be a segment of its own",
		"{a,b**}":        "** to be a segment of its own",
		"a[/]":           "a glob without '/' in [/]: it separates segments",
		"a[+-9]":         "a glob without '/' in [+-9]",
		"a[^/]":          "a glob without '/' in [^/]",
		"size>10XB":      "a size: a number of bytes, or one with B, kB, ",
		"size>":          "a size",
		"size>-1":        "a size",
		"size>1e3":       "a size",
		"size>9999999PB": "a size",
		"size>NaN":       "a size",
		"size!=0":        "one of >=, <=, >, <, = after size",
		"modified!=x":    "one of >=, <=, >, <, = after modified",
		"modified>soon":  "a day such as 2026-01-31, a time such as",
		"modified>-7y":   "an age such as -7d",
		"modified>-d":    "an age",
		"modified=-7d":   "< or > before an age",
		"modified<2026":  "a day such as",
		"class=":         "a storage class",
		"class>GLACIER":  "= or != between class and its value",
		"a\xff":          "UTF-8",
		"!size>1":        "a bound without !, turned round",
	} {
		_, err := filter.Parse([]string{expr}, time.Now())
		var bad *filter.Error
		if assert.ErrorAs(t, err, &bad, expr) {
			assert.Equal(t, expr, bad.Expr)
			assert.Contains(t, bad.Want, want, expr)
		}
	}
}

// All bounds must hold, and the globs; order does not matter.
func TestBoundsAndGlobs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		exprs := rapid.Permutation([]string{"size>=10", "size<20", "*.jpg", "*.png", "!b*", "class=A", "class=B"}).Draw(t, "exprs")
		o := &inventory.Object{
			Key:  rapid.SampledFrom([]string{"a.jpg", "a.png", "b.png", "a.gif"}).Draw(t, "key"),
			Size: rapid.Int64Range(5, 25).Draw(t, "size"), StorageClass: rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "class"),
		}
		want := o.Size >= 10 && o.Size < 20 && (o.Key == "a.jpg" || o.Key == "a.png") && o.StorageClass != "C"
		assert.Equal(t, want, parse(t, exprs...).Match(o, 0))
	})
}

// Whatever is given, Parse says no or gives a filter that can be stored and
// matches any key alike before and after.
func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"*.jpg", "!**/a/**", "{a,b}/[^c]?", `\{x`, "size>=1.5GiB", "modified>-7d", "class!=X", "//", "[^-a]", "{,}", "a/{,**}/", "{**,a}", "[!]a]", "**/**", "/", "{/,a}",
	} {
		f.Add(expr, "a/b//c.jpg")
	}
	f.Fuzz(func(t *testing.T, expr, key string) {
		made, err := filter.Parse([]string{expr}, time.Unix(1e9, 0))
		if err != nil {
			return
		}
		again, err := filter.Decode(made.Encode())
		if err != nil {
			t.Fatalf("%q is stored as %s: %v", expr, made.Encode(), err)
		}
		o := &inventory.Object{Key: key, Size: int64(len(key)), LastModified: time.Unix(1e9, 0)}
		if made.Match(o, 0) != again.Match(o, 0) {
			t.Fatalf("%q matches otherwise once it was stored as %s", expr, made.Encode())
		}
	})
}
