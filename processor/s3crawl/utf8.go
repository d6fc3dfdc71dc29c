package s3crawl

import (
	"sort"
	"unicode/utf8"
)

// validBound is the smallest valid UTF-8 string of a simple form that is not
// less than s: the longest valid beginning of s and the first character that
// does not sort before what follows it. It is weakly monotone. There is none
// where what follows sorts after U+10FFFF.
//
// UTF-8 sorts as its code points do (RFC 3629, section 1), so the character is
// found by bisection over the code points, surrogates left out.
func validBound(s string) (string, bool) {
	n := 0
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	if n == len(s) {
		return s, true
	}
	const firstSurrogate, surrogates = 0xD800, 0x800
	character := func(i int) string {
		if i >= firstSurrogate {
			i += surrogates
		}
		return string(rune(i))
	}
	const count = utf8.MaxRune + 1 - surrogates
	i := sort.Search(count, func(i int) bool { return character(i) >= s[n:] })
	if i == count {
		return "", false
	}
	return s[:n] + character(i), true
}

// common is how many bytes a and b have in common at their beginning.
func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
