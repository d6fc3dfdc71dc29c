package s3client

import (
	"unicode/utf8"

	"github.com/ramify/ramify/internal/legible"
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

// Readable is s without what would move a terminal's cursor or hide a character: that is
// written as Go escapes it.
func Readable(s string) string { return legible.Text(s) }
