package console

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/ramify/ramify/internal/legible"
)

// Clean is text from outside, made harmless and visible: a key can then neither end a
// line nor command the terminal, nor hide in what it differs from another.
func Clean(s string) string { return legible.Text(s) }

// Names writes names among which somebody chooses, no two of which look alike.
type Names = legible.List

// jsonWriter writes JSON text that means the same and is harmless on a terminal:
// encoding/json escapes control characters below 0x20 only.
type jsonWriter struct{ w io.Writer }

// JSONLines is w for lines of JSON that are kept or watched, as logs are: harmless
// wherever they are read, and meaning the same.
func JSONLines(w io.Writer) io.Writer { return jsonWriter{w} }

func (j jsonWriter) Write(p []byte) (int, error) {
	harmless := func(r rune) bool { return r == '\n' || r == utf8.RuneError || legible.Rune(r) }
	if bytes.IndexFunc(p, func(r rune) bool { return !harmless(r) }) < 0 {
		return j.w.Write(p)
	}
	var b bytes.Buffer
	for _, r := range string(p) {
		switch {
		case harmless(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	if _, err := j.w.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Screen is a file for rows that hold what comes from outside: where it is a
// terminal, whatever in them is not printable is written as escapes, in JSON as
// JSON has them. Elsewhere it is the file itself: who reads a pipe wants bytes.
func Screen(f *os.File, json bool) io.Writer {
	switch {
	case !term.IsTerminal(int(f.Fd())):
		return f
	case json:
		return jsonWriter{f}
	default:
		return lineWriter{f}
	}
}

// lineWriter writes whole lines, each cleaned.
type lineWriter struct{ w io.Writer }

func (l lineWriter) Write(p []byte) (int, error) {
	var b strings.Builder
	for line := range strings.Lines(string(p)) {
		text, ended := strings.CutSuffix(line, "\n")
		b.WriteString(Clean(text))
		if ended {
			b.WriteByte('\n')
		}
	}
	if _, err := io.WriteString(l.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// columns is how wide text is on a terminal. It knows the wide characters of
// East Asia and emoji, and marks of no width.
//
// Source: M. Kuhn, "An implementation of wcwidth() and wcswidth()"; Unicode
// Standard Annex 11, "East Asian Width".
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	default:
		return 1
	}
}

var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115f, 1},
		{0x231a, 0x231b, 1},
		{0x2e80, 0x303e, 1},
		{0x3041, 0xa4cf, 1},
		{0xac00, 0xd7a3, 1},
		{0xf900, 0xfaff, 1},
		{0xfe30, 0xfe6f, 1},
		{0xff00, 0xff60, 1},
		{0xffe0, 0xffe6, 1},
	},
	R32: []unicode.Range32{
		{0x1f300, 0x1f64f, 1},
		{0x1f680, 0x1f6ff, 1},
		{0x1f900, 0x1f9ff, 1},
		{0x20000, 0x3fffd, 1},
	},
}

// pad fills text up to a number of columns, on the right.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-columns(s), 0))
}

// padLeft fills text up to a number of columns, on the left.
func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(width-columns(s), 0)) + s
}
