package filter_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/inventory"
)

func parse(t require.TestingT, exprs ...string) *filter.Filter {
	f, err := filter.Parse(exprs, time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	return f
}

func TestGlobs(t *testing.T) {
	for _, c := range []struct{ glob, matches, not string }{ // keys with blanks between them; _ is an empty key
		{"*.jpg", "a.jpg x/a.jpg x/y/.jpg", "a.jpg/ a.jpeg jpg"},
		{"a", "a x/a x//a /a", "ab a/ a/b"},
		{"/a", "a", "x/a /a a/"},
		{"//a", "/a", "a x/a //a"},
		{"logs/", "logs/ logs/a x/logs/a/b x/logs/", "logs xlogs/a logs.txt"},
		{"/logs/", "logs/ logs/a/b", "x/logs/a logs"},
		{"logs/**", "logs/ logs/a logs/a/b logs//", "logs xlogs/a x/logs/a"},
		{"logs/*", "logs/ logs/a", "logs logs/a/b logs//"},
		{"logs/**/*.gz", "logs/a.gz logs/x/y/a.gz logs//a.gz", "a.gz logs/a.gz/ x/logs/a.gz"},
		{"**/b/c", "b/c a/b/c /b/c", "xb/c b/c/"},
		{"a/**/b", "a/b a/x/b a//b a/x/y/b", "ab a/xb a/b/"},
		{"**", "_ a a/b / // a/", ""},
		{"/", "_ a a/b / // a/", ""},
		{"*", "_ a a/b / // a/", ""},
		{"/*", "_ a", "a/ /a a/b"},
		{"a/*/c", "a/b/c a//c", "a/c a/b/x/c"},
		{"a?c", "abc x/a€c", "ac a/c abbc"},
		{"a[!b]c", "axc", "abc a/c ac"},
		{"a[^-b]c", "axc", "abc a-c a/c"},
		{"x/a[^b-]c", "x/adc", "x/abc x/a-c x/a/c"},
		{"[a-c]", "a x/b c", "d ac -"},
		{"[]-a]", "", "a"}, // refused
		{"*.{jpg,png}", "a.jpg x/b.png", "a.gif a.jpg,png"},
		{"{a,b/c}/d", "a/d b/c/d", "b/d x/a/d c/d"},
		{"{a,{b,c}x}", "a bx cx", "b c"},
		{"a{,b}", "a ab x/ab", "b abb"},
		{`a\*b`, "a*b", "axb"},
		{`\{a,b\}`, "{a,b}", "a"},
		{`[{,}]`, "{ , }", "{}"},
		{`\!a`, "!a x/!a", "a"},
		{`\size=0`, "size=0", "a"},
		{`a\b`, "ab", `a\b`},
		{`a\\b`, `a\b`, "ab"},
		{"dir", "dir", "dir/ dir/x"},
	} {
		t.Run(c.glob, func(t *testing.T) {
			f, err := filter.Parse([]string{c.glob}, time.Time{})
			if err != nil {
				assert.Empty(t, c.matches, "%v", err)
				return
			}
			for _, key := range strings.Fields(c.matches) {
				key = strings.TrimPrefix(key, "_")
				assert.True(t, f.Match(&inventory.Object{Key: key}, 0), "%q", key)
			}
			for _, key := range strings.Fields(c.not) {
				assert.False(t, f.Match(&inventory.Object{Key: key}, 0), "%q", key)
			}
		})
	}
}

// Globs see the key below the folder that the target lies in.
func TestGlobsBelowAFolder(t *testing.T) {
	o := &inventory.Object{Key: "photos/2024/a.jpg"}
	assert.True(t, parse(t, "/2024/*").Match(o, len("photos/")))
	assert.False(t, parse(t, "/photos/**").Match(o, len("photos/")))
	assert.True(t, parse(t, "/photos/**").Match(o, 0))
	assert.False(t, parse(t, "/a").Match(&inventory.Object{Key: "p"}, 5), "a key no longer than the folder")
}

func TestSeveralGlobs(t *testing.T) {
	f := parse(t, "*.jpg", "*.png", "!thumbs/", "!/a.png")
	for key, want := range map[string]bool{
		"a.jpg": true, "x/b.png": true, "a.png": false, "x/a.png": true, "thumbs/a.jpg": false, "x/thumbs/a.jpg": false, "a.gif": false,
	} {
		assert.Equal(t, want, f.Match(&inventory.Object{Key: key}, 0), key)
	}
	only := parse(t, "!*.tmp")
	assert.True(t, only.Match(&inventory.Object{Key: "a"}, 0))
	assert.False(t, only.Match(&inventory.Object{Key: "a.tmp"}, 0))
}

// Globs drawn as what they mean, not as text: a list of segments, each a list of
// atoms, or "**".
type (
	pattern struct {
		segments      [][]atom // nil: **
		rooted, below bool     // begins, ends with a slash
	}
	atom struct {
		kind rune // 'c'haracter, '*', '?', '[', '{'
		char rune
		set  string
		not  bool
		alts [][]atom
	}
)

const alphabet = "ab.-*]{,€"

func atoms(deep int) *rapid.Generator[[]atom] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) atom {
		kinds := "ccccc**?["
		if deep > 0 {
			kinds += "{"
		}
		a := atom{kind: rapid.SampledFrom([]rune(kinds)).Draw(t, "kind")}
		switch a.kind {
		case 'c':
			a.char = rapid.SampledFrom([]rune(alphabet)).Draw(t, "char")
		case '[':
			a.set = string(rapid.SliceOfNDistinct(rapid.SampledFrom([]rune(alphabet)), 1, 4, rapid.ID[rune]).Draw(t, "set"))
			a.not = rapid.Bool().Draw(t, "not")
		case '{':
			a.alts = rapid.SliceOfN(atoms(deep-1), 1, 3).Draw(t, "alternatives")
		}
		return a
	}), 0, 4)
}

func (p pattern) String() string {
	var texts []string
	for _, s := range p.segments {
		if s == nil {
			texts = append(texts, "**")
		} else {
			texts = append(texts, textOf(s))
		}
	}
	text := strings.Join(texts, "/")
	if p.rooted {
		text = "/" + text
	}
	if p.below {
		text += "/"
	}
	return text
}

func textOf(segment []atom) string {
	var b strings.Builder
	escape := func(r rune) {
		if r < utf8.RuneSelf && (r < 'a' || r > 'z') {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	for _, a := range segment {
		switch a.kind {
		case 'c':
			escape(a.char)
		case '[':
			b.WriteByte('[')
			if a.not {
				b.WriteByte('^')
			}
			for _, r := range a.set {
				escape(r)
			}
			b.WriteByte(']')
		case '{':
			var alts []string
			for _, alt := range a.alts {
				alts = append(alts, textOf(alt))
			}
			b.WriteString("{" + strings.Join(alts, ",") + "}")
		default:
			b.WriteRune(a.kind)
		}
	}
	return b.String()
}

// matchSegment is the plainest way to see whether a segment's atoms match.
func matchSegment(as []atom, s []rune) bool {
	if len(as) == 0 {
		return len(s) == 0
	}
	a, rest := as[0], as[1:]
	switch a.kind {
	case '*':
		for i := range len(s) + 1 {
			if matchSegment(rest, s[i:]) {
				return true
			}
		}
		return false
	case '{':
		return slices.ContainsFunc(a.alts, func(alt []atom) bool { return matchSegment(slices.Concat(alt, rest), s) })
	}
	if len(s) == 0 {
		return false
	}
	one := a.kind == '?' || a.kind == 'c' && a.char == s[0] || a.kind == '[' && strings.ContainsRune(a.set, s[0]) != a.not
	return one && matchSegment(rest, s[1:])
}

func matchSegments(segments [][]atom, key []string) bool {
	if len(segments) == 0 {
		return len(key) == 0
	}
	if segments[0] != nil {
		return len(key) > 0 && matchSegment(segments[0], []rune(key[0])) && matchSegments(segments[1:], key[1:])
	}
	if len(segments) == 1 {
		return len(key) > 0 // what lies below a folder is not the folder
	}
	for i := range len(key) + 1 {
		if matchSegments(segments[1:], key[i:]) {
			return true
		}
	}
	return false
}

func (p pattern) match(key string) bool {
	segments, parts := p.segments, strings.Split(key, "/")
	tied := p.rooted || len(segments) > 1
	if p.below {
		segments = append(slices.Clone(segments), nil)
	}
	if !tied {
		segments = append([][]atom{nil}, segments...)
	}
	return matchSegments(segments, parts)
}

// Every glob matches what it means and nothing else.
func TestGlobsAgainstTheirMeaning(t *testing.T) {
	segment := rapid.Custom(func(t *rapid.T) []atom {
		if rapid.IntRange(0, 3).Draw(t, "**") == 0 {
			return nil
		}
		return append([]atom{}, atoms(2).Draw(t, "atoms")...)
	})
	rapid.Check(t, func(t *rapid.T) {
		p := pattern{
			segments: rapid.SliceOfN(segment, 1, 4).Draw(t, "segments"),
			rooted:   rapid.Bool().Draw(t, "rooted"), below: rapid.Bool().Draw(t, "below"),
		}
		text := p.String()
		if text == "" || !readsAsDrawn(p) {
			t.Skip("it does not read as it was drawn")
		}
		f, err := filter.Parse([]string{text}, time.Time{})
		if err != nil && strings.Contains(err.Error(), "braces stand for") {
			t.Skip(err)
		}
		require.NoError(t, err)
		again, err := filter.Decode(f.Encode())
		require.NoError(t, err)
		keys := rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom([]rune("ab.*-/////€")), 0, 8, -1), 1, 20).Draw(t, "keys")
		for _, key := range keys {
			o := &inventory.Object{Key: key}
			require.Equal(t, p.match(key), f.Match(o, 0), "glob %q, key %q", text, key)
			require.Equal(t, f.Match(o, 0), again.Match(o, 0))
		}
	})
}

// readsAsDrawn is false of patterns whose text is that of another: an empty
// segment at an end is a slash more, two stars that meet are no stars.
func readsAsDrawn(p pattern) bool {
	first, last := p.segments[0], p.segments[len(p.segments)-1]
	if first != nil && !certain(first) || last != nil && !certain(last) {
		return false
	}
	return !slices.ContainsFunc(p.segments, func(s []atom) bool {
		return slices.ContainsFunc(kindsOf(s), func(kinds string) bool { return strings.Contains(kinds, "**") })
	})
}

// certain reports whether a segment has something in it whatever its braces are.
func certain(s []atom) bool {
	return slices.ContainsFunc(s, func(a atom) bool { return a.kind != '{' })
}

// kindsOf is the kinds of a segment's atoms, for every choice of its braces.
func kindsOf(s []atom) []string {
	all := []string{""}
	for _, a := range s {
		choices := []string{string(a.kind)}
		if a.kind == '{' {
			choices = nil
			for _, alt := range a.alts {
				choices = append(choices, kindsOf(alt)...)
			}
		}
		var longer []string
		for _, begun := range all {
			for _, choice := range choices {
				longer = append(longer, begun+choice)
			}
		}
		all = longer
	}
	return all
}

func TestManyBracesAreRefused(t *testing.T) {
	_, err := filter.Parse([]string{strings.Repeat("{a,b}", 9)}, time.Time{})
	require.ErrorContains(t, err, "at most 256")
	_, err = filter.Parse([]string{strings.Repeat("{a,b}", 8)}, time.Time{})
	require.NoError(t, err)
	_, err = filter.Parse([]string{strings.Repeat("{a,b}", 10000)}, time.Time{})
	assert.ErrorContains(t, err, "at most 64 braces")
}

// A glob comes with a node: what is nested without end must cost neither memory nor time.
func TestGlobsThatAreTooLong(t *testing.T) {
	const n = 100_000
	for _, text := range []string{
		strings.Repeat("{", n), strings.Repeat("{a,", n) + strings.Repeat("}", n), strings.Repeat("{a}", n),
		strings.Repeat("a", 64<<10+1), strings.Repeat("é", n),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := filter.Parse([]string{text}, time.Time{})
		runtime.ReadMemStats(&after)
		require.ErrorContains(t, err, "want a glob of at most 65536 bytes")
		assert.Less(t, len(err.Error()), 1000)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
	}
	for text, fine := range map[string]bool{
		strings.Repeat("{a,", 64) + "b" + strings.Repeat("}", 64):                                true,
		strings.Repeat("{a,", 65) + "b" + strings.Repeat("}", 65):                                false,
		strings.Repeat("{a}", 65):                                                                false,
		strings.Repeat(`\{`, 65):                                                                 false,
		"{" + strings.Repeat(strings.Repeat("k", 250)+",", 255) + strings.Repeat("k", 250) + "}": true,
	} {
		_, err := filter.Parse([]string{text}, time.Time{})
		if fine {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "want a glob with at most 64 braces")
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	keys := make([]inventory.Object, 1000)
	for i := range keys {
		keys[i] = inventory.Object{Key: fmt.Sprintf("usr/share/doc/libsomething-perl/examples/%04d/photo-of-something-%d.%s", i, i, []string{"html", "jpg", "tar.gz"}[i%3])}
	}
	for _, c := range [][]string{
		{"*.jpg", "*.png", "*.gif"},
		{"**/examples/**/*.html", "!**/test*/**", "*photo*something*.jpg"},
		{"usr/**/lib*/**/*[0-9].tar.*", "!tmp/", "*.{jpg,jpeg}"},
	} {
		f := parse(b, c...)
		b.Run(strings.Join(c, " "), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				f.Match(&keys[i%len(keys)], 4)
			}
		})
	}
}
