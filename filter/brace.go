package filter

// maxBraces is how many globs the braces of one may stand for.
const maxBraces = 256

// A node's args may bring a glob of any length, and to take braces apart is to copy all
// of it for each: those that are nested 100,000 deep would want 40 GB. An object's key
// has at most 1,024 bytes.
const (
	maxGlob = 64 << 10 // bytes
	maxOpen = 64       // braces in one, beside and within each other
)

// expand takes the braces of a valid pattern apart; ok is false if there would be
// too many.
func expand(p string) (all []string, ok bool) {
	open := indexOutside(p, '{')
	if open < 0 {
		return []string{p}, true
	}
	depth, start := 0, open+1
	var parts []string
	end := -1
	for i := open; i < len(p) && end < 0; i++ {
		switch p[i] {
		case '\\':
			i++
		case '[':
			i += classLen(p[i:]) - 1
		case '{':
			depth++
		case ',':
			if depth == 1 {
				parts, start = append(parts, p[start:i]), i+1
			}
		case '}':
			if depth--; depth == 0 {
				parts, end = append(parts, p[start:i]), i
			}
		}
	}
	for _, part := range parts {
		more, ok := expand(p[:open] + part + p[end+1:])
		if all = append(all, more...); !ok || len(all) > maxBraces {
			return nil, false
		}
	}
	return all, true
}

// indexOutside is where c stands for the first time outside of classes and not
// escaped, or -1.
func indexOutside(p string, c byte) int {
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case c:
			return i
		case '\\':
			i++
		case '[':
			i += classLen(p[i:]) - 1
		}
	}
	return -1
}
