package legible_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/internal/legible"
)

func TestWhatNobodySeesIsSpelledOut(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"photos/2026/a b+c%20.jpg":       "photos/2026/a b+c%20.jpg",
		"日本/é🎉":                          "日本/é🎉",
		"cafe\u0301":                     "cafe\u0301",
		"a\nb\r\tc\x00\x1b[2J\x7f":       `a\nb\r\tc\x00\x1b[2J\x7f`,
		"a\u0085\u009b":                  `a\u0085\u009b`,
		"a\u00a0b\u2003c\u3000":          `a\u00a0b\u2003c\u3000`,
		"a\u200bb\u200d\ufeff\u2060":     `a\u200bb\u200d\ufeff\u2060`,
		"\u202egpj.\u200e\u2066":         `\u202egpj.\u200e\u2066`,
		"\u2028\u2029":                   `\u2028\u2029`,
		"a\u00adb":                       `a\u00adb`,
		"a\u034fb\u115f\u3164\uffa0":     `a\u034fb\u115f\u3164\uffa0`, // marks and letters, and yet not seen
		"❤\ufe0f\U000e0100\u180b":        `❤\ufe0f\U000e0100\u180b`,
		"\xff\xc3":                       `\xff\xc3`,
		"\ufffd":                         `\ufffd`,
		"\U000e0041\ue000\U0010ffff\x80": `\U000e0041\ue000\U0010ffff\x80`,
	} {
		if got := legible.Text(in); got != want {
			t.Errorf("%+q became %q, want %q", in, got, want)
		}
	}
}

func TestNothingIsLeftThatIsNotSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		got := legible.Text(s)
		for _, r := range got {
			if r == utf8.RuneError || !legible.Rune(r) {
				t.Fatalf("%q became %q, which has %U", s, got, r)
			}
		}
		if again := legible.Text(got); again != got {
			t.Fatalf("%q became %q, and that %q", s, got, again)
		}
	})
}

func TestNoTwoOfAListLookAlike(t *testing.T) {
	var l legible.List
	for _, one := range []struct{ in, want string }{
		{"caf\u00e9/", "caf\u00e9/"},
		{"cafe\u0301/", `cafe\u0301/`},
		{"caf\u00e9/", "caf\u00e9/"}, // the same again is no other
		{"cafe/", "cafe/"},
		{"a\u200bb/", `a\u200bb/`},
		{`a\u200bb/`, `a\\u200bb/`},
		{`c:\dir/`, `c:\dir/`},
		{"K/", "K/"},
		{"\u212a/", `\u212a/`},
		{"a\\\u200b/", `a\\\u200b/`},
		{"한글/", "한글/"},
		{norm.NFD.String("한글/"), `\u1112\u1161\u11ab\u1100\u1173\u11af/`},
	} {
		if got := l.Text(one.in); got != one.want {
			t.Errorf("%+q became %q, want %q", one.in, got, one.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var l legible.List
		part := rapid.SampledFrom([]string{"e", "\u00e9", "\u0301", `\`, "u200b", "\u200b", "x", "00e9", "u", "\n", "n", "\xff", "/", "K", "\u212a"})
		shown := map[string]string{}
		for _, parts := range rapid.SliceOfN(rapid.SliceOfN(part, 0, 6), 2, 6).Draw(t, "names") {
			s := strings.Join(parts, "")
			look := norm.NFC.String(l.Text(s))
			if other, is := shown[look]; is && other != s {
				t.Fatalf("%+q and %+q are both shown as %q", s, other, look)
			}
			shown[look] = s
		}
	})
}
