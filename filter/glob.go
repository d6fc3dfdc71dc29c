package filter

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// glob is one glob without braces, which is held against a key or its last
// segment.
type glob struct {
	pattern string
	last    bool // against the last segment
	suffix  bool // '*' and the tail are all of it

	// What all that matches begins with, has in it, and ends with: quicker to see
	// than a match.
	head, part, tail string
}

func (g *glob) match(key, last string) bool {
	if g.last {
		key = last
	}
	if !strings.HasSuffix(key, g.tail) || !strings.HasPrefix(key, g.head) || !strings.Contains(key, g.part) {
		return false
	}
	return g.suffix && g.last || doublestar.MatchUnvalidated(g.pattern, key)
}

// compile makes globs of which any is met where the text is. doublestar matches;
// what it sees otherwise than we promise is rewritten or refused here: it takes
// {a,b} apart at every match; [^a] and [+-9] would match '/'; dir/** would match
// dir itself, **/* not the nothing that follows dir/ in a key that ends there,
// and ** beside other characters would silently be a *.
func compile(text string) (globs []glob, want string) {
	if text == "" {
		return nil, "a glob, such as *.jpg or logs/**"
	}
	if len(text) > maxGlob {
		return nil, "a glob of at most 65536 bytes"
	}
	if strings.Count(text, "{") > maxOpen {
		return nil, "a glob with at most 64 braces"
	}
	if !doublestar.ValidatePattern(text) {
		return nil, "a glob whose [ and { are closed, with something in the [ ], and without a } or \\ left over"
	}
	if class := wideClass(text); class != "" {
		return nil, "a glob without '/' in " + class + ": it separates segments"
	}
	plain, ok := expand(text)
	if !ok {
		return nil, "a glob whose braces stand for at most 256"
	}
	for _, p := range plain {
		more, want := anchor(p)
		if want != "" {
			return nil, want
		}
		globs = append(globs, more...)
	}
	return globs, ""
}

// anchor makes globs of a pattern without braces: where its slashes tie it, and
// what ** means in it.
func anchor(p string) (globs []glob, want string) {
	if p == "/" {
		p = "/**"
	}
	body, below := strings.CutSuffix(p, "/")
	rooted := strings.Contains(body, "/")
	body = strings.TrimPrefix(body, "/")
	segments := strings.Split(body, "/")
	if below {
		segments = append(segments, "**")
		if !rooted {
			segments = append([]string{"**"}, segments...)
		}
	}
	for i := 0; i < len(segments); i++ {
		s := segments[i]
		if s != "**" && strings.Contains(outsideClasses(s), "**") {
			return nil, "** to be a segment of its own, as in logs/**/*.gz"
		}
		if s == "**" && i > 0 && segments[i-1] == "**" {
			segments = append(segments[:i], segments[i+1:]...)
			i--
		}
	}
	n := len(segments)
	switch {
	case n == 1 && !below && !rooted && segments[0] != "**":
		return []glob{newGlob(segments[0], true)}, ""
	case segments[n-1] == "**": // at least one segment more, which may be empty
		segments = append(segments, "*")
		n++
	}
	globs = []glob{newGlob(strings.Join(segments, "/"), false)}
	if n > 1 && segments[n-1] == "*" && segments[n-2] == "**" {
		end := ""
		if n > 2 {
			end = strings.Join(segments[:n-2], "/") + "/"
		}
		globs = append(globs, newGlob(end, false))
	}
	return globs, ""
}

// meta are the characters that do not stand for themselves.
const meta = `*?[]\`

func newGlob(pattern string, last bool) glob {
	g := glob{last: last}
	if i := strings.IndexAny(pattern, meta); i < 0 {
		g.head, g.tail = pattern, pattern
	} else {
		g.head = pattern[:i]
		g.tail = pattern[strings.LastIndexAny(pattern, meta)+1:]
		if pattern[len(pattern)-len(g.tail)-1] == '\\' {
			g.tail = "" // its first character is escaped
		}
		g.suffix = pattern == "*"+g.tail
	}
	// `**/` may be nothing, with its slash.
	if strings.HasSuffix(strings.TrimSuffix(pattern, g.tail), "**") {
		g.tail = strings.TrimPrefix(g.tail, "/")
	}
	if !strings.ContainsAny(pattern, `[\`) {
		for chunk := range strings.FieldsFuncSeq(pattern, func(r rune) bool { return strings.ContainsRune(meta, r) }) {
			if chunk = strings.TrimPrefix(chunk, "/"); len(chunk) > len(g.part) {
				g.part = chunk
			}
		}
	}
	g.pattern = closeClasses(pattern)
	return g
}
