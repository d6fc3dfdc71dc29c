package console

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzClean: no text of a stranger commands a terminal or forges a line, in text, in
// JSON, or as an attribute of a log record on either.
func FuzzClean(f *testing.F) {
	f.Add(hostile)
	f.Add("\xc2")
	f.Add("level=ERROR msg=\"forged\"")
	f.Add(`{"level":"ERROR"}`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Clean(s) {
			if !unicode.IsPrint(r) || r == utf8.RuneError {
				t.Fatalf("%q became %q, which has %U", s, Clean(s), r)
			}
		}
		if again := Clean(Clean(s)); again != Clean(s) {
			t.Fatalf("%q is cleaned to %q, and that to %q", s, Clean(s), again)
		}
		for _, terminal := range []bool{true, false} {
			var b bytes.Buffer
			Logger(&b, terminal, true).Warn("m", "key", s, s, "value")
			line, ended := strings.CutSuffix(b.String(), "\n")
			if !ended {
				t.Fatalf("%q is no line", b.String())
			}
			if strings.ContainsAny(line, "\n\r") || terminal && strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("logged as %q", line)
			}
			if !terminal && !json.Valid([]byte(line)) {
				t.Fatalf("logged as %q", line)
			}
		}
	})
}
