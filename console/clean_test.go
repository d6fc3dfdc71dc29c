package console

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// hostile is text that would do harm if it were written as it is.
const hostile = "a\nb\r\x1b[2J\x1b]0;t\a\u009b31m\u202egpj.\u2028x\x7f\xff\U000e0041\u200b\t日本é"

func TestCleanIsHarmlessAndStillReadable(t *testing.T) {
	want := `a\nb\r\x1b[2J\x1b]0;t\x07\u009b31m\u202egpj.\u2028x\x7f\xff\U000e0041\u200b\t日本é`
	if got := Clean(hostile); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, s := range []string{"", "photos/2026/a b+c%20.jpg", "日本/é🎉"} {
		if Clean(s) != s {
			t.Errorf("%q was changed to %q", s, Clean(s))
		}
	}
}

func TestCleanLeavesOnlyWhatPrints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		for _, r := range Clean(s) {
			if !unicode.IsPrint(r) || r == utf8.RuneError {
				t.Fatalf("%q became %q, which has %U", s, Clean(s), r)
			}
		}
	})
}

func TestJSONIsHarmlessAndMeansTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.String().Draw(t, "text") + rapid.SampledFrom([]string{"", strings.ToValidUTF8(hostile, "")}).Draw(t, "hostile")
		var b bytes.Buffer
		if err := writeJSON(&b, in); err != nil {
			t.Fatal(err)
		}
		line, ended := strings.CutSuffix(b.String(), "\n")
		for _, r := range line {
			if r != utf8.RuneError && !unicode.IsPrint(r) {
				t.Fatalf("%q has %U", line, r)
			}
		}
		var out string
		if err := json.Unmarshal([]byte(line), &out); err != nil || out != in || !ended {
			t.Fatalf("%q came back as %q (%v)", in, out, err)
		}
	})
}

func TestCutKeepsWithinTheColumns(t *testing.T) {
	paint := (&Terminal{color: true}).paint
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z日本é🎉m\[ ]{0,12}`)
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		width := rapid.IntRange(1, 30).Draw(t, "width")
		plain, styled := a+b, a+paint(b, red)
		short := cut(plain, width)
		if columns(short) > width {
			t.Fatalf("%q has more than %d columns", short, width)
		}
		if columns(plain) <= width && short != plain {
			t.Fatalf("%q was cut to %q, though it fits", plain, short)
		}
		if got := unstyled(cut(styled, width)); got != short {
			t.Fatalf("with colours %q, without %q", got, short)
		}
		if s := cut(styled, width); strings.Contains(s, "\x1b[31m") && !strings.HasSuffix(strings.TrimSuffix(s, "…"), "\x1b[0m") {
			t.Fatalf("%q leaves the terminal coloured", s)
		}
	})
}

func TestColumns(t *testing.T) {
	for s, want := range map[string]int{"abc": 3, "日本": 4, "é": 1, "e\u0301": 1, "🎉": 2, "▕█▏·—": 5, "⣷": 1} {
		if got := columns(s); got != want {
			t.Errorf("%q has %d columns, want %d", s, got, want)
		}
	}
}
