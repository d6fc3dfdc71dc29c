package webhook

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/ramify/ramify/schema"
)

// setHeader sets a header unless its value is empty. The value may be whatever a
// message says: what could end the line, or is no text, becomes a space.
func setHeader(h http.Header, name, value string) {
	if value = cleaned(value); value != "" {
		h.Set(name, value)
	}
}

// cleaned is a value that can stand in a header. Source: RFC 9110, "Field Values".
func cleaned(value string) string {
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, " ")
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, value))
}

// isToken reports whether a text can be part of a header's name. Source: RFC 9110,
// "Tokens".
func isToken(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return name != ""
}

// CheckPath says what is wrong with a path that a message asks to be posted to: it
// must lead to one place below the application's URL, and to no other by any
// reading.
func CheckPath(p string) error {
	bad := &schema.FieldError{Field: "path", Value: p, Want: "a path such as /thumbnails, of at most 1024 letters, digits and -._~!$&'()*+,;=:@/"}
	if len(p) > 1024 || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") {
		return bad
	}
	for i := range len(p) {
		switch c := p[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0:
		default: // no percent sign: %2e%2e is a way up to some
			return bad
		}
	}
	if clean := path.Clean(p); clean != p && clean+"/" != p {
		return bad
	}
	for element := range strings.SplitSeq(p, "/") { // servers of Java drop ";…" from it: /..; is a way up to them
		if name, _, with := strings.Cut(element, ";"); with && (name == "" || name == "." || name == "..") {
			return bad
		}
	}
	return nil
}

// join is the path of a URL with another below it.
func join(base *url.URL, p string) *url.URL {
	if p == "" {
		return base
	}
	u := *base
	u.Path = strings.TrimSuffix(base.Path, "/") + p
	u.RawPath = ""
	return &u
}
