// Package legible writes text of strangers (keys, names of nodes, what programs and
// servers said) so that whoever reads it sees all of it, and that it does nothing else.
package legible

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Text is s made harmless and visible: what is not printable, or takes no room (control
// characters, also those of 8 bits, spaces other than U+0020, separators, marks that
// turn the direction of writing, selectors and fillers that nobody sees, bytes that are no
// UTF-8) is written as Go escapes it. So it can neither end a line nor command a terminal,
// and two texts that differ in such a character alone do not look alike. Text that is
// legible already stays as it is.
//
// Source: ECMA-48, "Control functions for coded character sets"; Unicode Technical
// Report 36, "Unicode Security Considerations"; Unicode Standard Annex 44,
// "Default_Ignorable_Code_Point".
func Text(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !Rune(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r != utf8.RuneError && Rune(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		default:
			spell(&b, r)
		}
		i += n
	}
	return b.String()
}

func spell(b *strings.Builder, r rune) {
	switch {
	case r < 0x80:
		fmt.Fprintf(b, `\x%02x`, r)
	case r <= 0xffff:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

// Rune reports whether a character is seen where it is written, and does nothing else.
func Rune(r rune) bool {
	return unicode.IsPrint(r) && (r < 0x34f || !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector))
}

// List writes texts among which somebody chooses, such as the prefixes of a table. The
// zero value is an empty one.
type List struct {
	seen map[string]string // what was written first, by how it looks
}

// mostSeen is how many texts a List remembers: only such as may look like another.
const mostSeen = 100_000

// Text is s as Text of the package has it, but for what looks like another: backslashes are
// doubled where they could be taken for an escape, and a text that looks like one that was
// written before, being in another normal form of Unicode, is spelled out in ASCII. Letters
// of different scripts that look alike stay as they are.
//
// Source: Unicode Standard Annex 15, "Unicode Normalization Forms".
func (l *List) Text(s string) string {
	look := Text(s)
	if strings.Contains(s, `\`) && (look != s || escape.MatchString(s)) {
		look = Text(strings.ReplaceAll(s, `\`, `\\`))
	}
	if ascii(look) {
		return look
	}
	key := norm.NFC.String(look)
	first, known := l.seen[key]
	switch {
	case known && first != s, ascii(key): // such as the sign of Kelvin, which is a K
		return spelled(s)
	case !known && len(l.seen) < mostSeen:
		if l.seen == nil {
			l.seen = map[string]string{}
		}
		l.seen[key] = s
	}
	return look
}

// escape is what reads like one of ours.
var escape = regexp.MustCompile(`\\[\\nrtxuU]`)

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// spelled is s in ASCII.
func spelled(s string) string {
	var b strings.Builder
	for _, r := range Text(strings.ReplaceAll(s, `\`, `\\`)) {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			spell(&b, r)
		}
	}
	return b.String()
}
