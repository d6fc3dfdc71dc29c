package filter

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// classLen is the length of the class with which a valid pattern begins.
func classLen(p string) int {
	for i := 1; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case ']':
			return i + 1
		}
	}
	return len(p)
}

// outsideClasses is a segment with its classes and escapes taken out.
func outsideClasses(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
			b.WriteByte('_')
		case '[':
			i += classLen(s[i:]) - 1
			b.WriteByte('_')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// wideClass is the first class of a valid pattern that names '/' or, in a range,
// takes it in; "" if there is none.
func wideClass(p string) string {
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '[':
			class := p[i : i+classLen(p[i:])]
			if strings.Contains(class, "/") || !negated(class) && doublestar.MatchUnvalidated(class, "/") {
				return class
			}
			i += len(class) - 1
		}
	}
	return ""
}

func negated(class string) bool { return class[1] == '^' || class[1] == '!' }

// closeClasses keeps the classes of a valid pattern that say what is not in them
// from matching '/'. It is put in as a range: what follows it may be a '-'.
func closeClasses(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		b.WriteByte(p[i])
		switch p[i] {
		case '\\':
			i++
			b.WriteByte(p[i])
		case '[':
			class := p[i : i+classLen(p[i:])]
			rest := class[1:]
			if negated(class) {
				b.WriteString(class[1:2] + "/-/")
				rest = class[2:]
			}
			b.WriteString(rest)
			i += len(class) - 1
		}
	}
	return b.String()
}
