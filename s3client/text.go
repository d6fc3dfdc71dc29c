package s3client

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shorten cuts a string to so many bytes at most, at a character, and marks the
// cut.
func Shorten(s string, most int) string {
	const mark = "…"
	if len(s) <= most {
		return s
	}
	n := most - len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}

// Readable is s without what would move a terminal's cursor or hide a character.
func Readable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsGraphic(r) && !unicode.IsSpace(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}
