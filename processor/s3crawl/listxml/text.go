package listxml

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// ref is a text: a part of the document, or of what the scanner keeps.
type ref struct {
	from, n int32
	kept    bool
}

func (s *scanner) bytes(r ref) []byte {
	if r.kept {
		return s.kept[r.from : r.from+r.n]
	}
	return s.doc[r.from : r.from+r.n]
}

// prolog looks at the document as a whole, and reads its declaration.
func (s *scanner) prolog() error {
	s.doc = bytes.TrimPrefix(s.doc, []byte("\xef\xbb\xbf"))
	ascii, err := s.survey()
	if err != nil {
		return err
	}
	s.space()
	rest := s.doc[s.at:]
	if !bytes.HasPrefix(rest, []byte("<?xml")) || len(rest) > 5 && nameByte[rest[5]] != 0 {
		return nil
	}
	n := bytes.Index(rest, []byte("?>"))
	if n < 0 {
		return s.cutShort()
	}
	s.at += n + 2
	if !declares(rest[5:n], ascii) {
		return ErrDoubt
	}
	return nil
}

// survey sees to it that all characters are such as XML allows.
func (s *scanner) survey() (ascii bool, err error) {
	const (
		all  = 0x0101010101010101
		high = 0x80 * all
	)
	doc, above := s.doc, uint64(0)
	for ; len(doc) >= 32; doc = doc[32:] {
		w := binary.LittleEndian.Uint64(doc)
		x := binary.LittleEndian.Uint64(doc[8:])
		y := binary.LittleEndian.Uint64(doc[16:])
		z := binary.LittleEndian.Uint64(doc[24:])
		above |= w | x | y | z
		// Source: Sean Eron Anderson, "Bit Twiddling Hacks", "Determine if a word
		// has a byte less than n".
		if ((w-0x20*all)&^w|(x-0x20*all)&^x|(y-0x20*all)&^y|(z-0x20*all)&^z)&high != 0 && controls(doc[:32]) {
			return false, ErrDoubt
		}
	}
	for _, c := range doc {
		above |= uint64(c)
	}
	if controls(doc) {
		return false, ErrDoubt
	}
	doc = s.doc
	ascii = above&high == 0
	if !ascii && (!utf8.Valid(doc) || bytes.Contains(doc, []byte("\ufffe")) || bytes.Contains(doc, []byte("\uffff"))) {
		return false, ErrDoubt
	}
	s.bare = bytes.IndexByte(doc, '\r') < 0 && !bytes.Contains(doc, []byte("]]>"))
	return ascii, nil
}

// controls reports whether there are control characters that XML does not allow.
func controls(b []byte) bool {
	for _, c := range b {
		if c < ' ' && !isSpace(c) {
			return true
		}
	}
	return false
}

// declares reports whether what is said between "<?xml" and "?>" is known, and
// the encoding one that this is.
func declares(b []byte, ascii bool) bool {
	for n := 0; ; n++ {
		b = bytes.TrimLeft(b, " \t\r\n")
		if len(b) == 0 {
			return n > 0
		}
		name, rest, found := bytes.Cut(b, []byte("="))
		name = bytes.TrimRight(name, " \t\r\n")
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if !found || len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' {
			return false
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return false
		}
		value := rest[1 : end+1]
		switch string(name) {
		case "version":
			if n > 0 || string(value) != "1.0" {
				return false
			}
		case "encoding":
			switch {
			case bytes.EqualFold(value, []byte("UTF-8")):
			case ascii && bytes.EqualFold(value, []byte("US-ASCII")):
			default:
				return false
			}
		case "standalone":
		default:
			return false
		}
		b = rest[end+2:]
	}
}

// value reads the text of the element just opened, and its end tag. Elements
// within it are in doubt.
func (s *scanner) value() (ref, error) {
	if text, ok := s.plain(); ok && s.bare && bytes.IndexByte(text, '&') < 0 {
		return s.take(text), nil
	}
	return s.assemble()
}

// quoted is value, and passes over an escaped quote at both ends: what an ETag
// stands in.
func (s *scanner) quoted() (ref, error) {
	text, ok := s.plain()
	if !ok || !s.bare {
		return s.assemble()
	}
	if r, ok := unquoted(ref{n: int32(len(text))}, text); ok {
		at := s.take(text).from
		return ref{from: at + r.from, n: r.n}, nil
	}
	return s.assemble()
}

// unquoted is a text without an escaped quote at both ends; not ok where there
// are other entities.
func unquoted(r ref, text []byte) (ref, bool) {
	for _, quote := range [...]string{"&quot;", "&#34;"} {
		n := len(quote)
		if len(text) >= 2*n && string(text[:n]) == quote && string(text[len(text)-n:]) == quote {
			r.from, r.n, text = r.from+int32(n), r.n-int32(2*n), text[n:len(text)-n]
			break
		}
	}
	return r, bytes.IndexByte(text, '&') < 0
}

// plain finds the text up to the next tag, if that ends the element just opened.
func (s *scanner) plain() (text []byte, ok bool) {
	if s.empty {
		return nil, false
	}
	rest := s.doc[s.at:]
	n := bytes.IndexByte(rest, '<')
	want := s.open[len(s.open)-1]
	name := s.doc[want.from:want.to]
	end := n + 2 + len(name)
	if n < 0 || end >= len(rest) || rest[n+1] != '/' || rest[end] != '>' || string(rest[n+2:end]) != string(name) {
		return nil, false
	}
	return rest[:n], true
}

// take moves behind the end tag that follows a plain text.
func (s *scanner) take(text []byte) ref {
	r := ref{from: int32(s.at), n: int32(len(text))}
	last := len(s.open) - 1
	s.at += len(text) + 3 + s.open[last].to - s.open[last].from
	s.open = s.open[:last]
	return r
}

// assemble reads a text piece by piece.
func (s *scanner) assemble() (ref, error) {
	from := len(s.kept)
	done := func() (ref, error) { return ref{int32(from), int32(len(s.kept) - from), true}, nil }
	if s.empty {
		_, _, err := s.child()
		if err != nil {
			return ref{}, err
		}
		return done()
	}
	for {
		n := bytes.IndexByte(s.doc[s.at:], '<')
		if n < 0 || s.at+n+1 == len(s.doc) {
			return ref{}, s.cutShort()
		}
		var err error
		if s.kept, err = s.resolve(s.kept, s.doc[s.at:s.at+n]); err != nil {
			return ref{}, err
		}
		s.at += n
		switch s.doc[s.at+1] {
		case '/':
			if err := s.end(); err != nil {
				return ref{}, err
			}
			return done()
		case '!', '?':
			cdata, err := s.aside()
			if err != nil {
				return ref{}, err
			}
			s.kept = appendLines(s.kept, s.doc[cdata.from:cdata.to])
		default:
			return ref{}, ErrDoubt
		}
	}
}

// appendLines appends text with its line ends made "\n" (section 2.11).
func appendLines(b, text []byte) []byte {
	for {
		n := bytes.IndexByte(text, '\r')
		if n < 0 {
			return append(b, text...)
		}
		b = append(append(b, text[:n]...), '\n')
		text = bytes.TrimPrefix(text[n+1:], []byte("\n"))
	}
}

// entities checks a text that does not matter.
func (s *scanner) entities(text []byte) error {
	for {
		n := bytes.IndexByte(text, '&')
		if n < 0 {
			if !s.bare && bytes.Contains(text, []byte("]]>")) {
				return ErrDoubt
			}
			return nil
		}
		_, size, err := s.entity(text[n:])
		if err != nil {
			return err
		}
		text = text[n+size:]
	}
}

// resolve appends a text as it is meant.
func (s *scanner) resolve(b, text []byte) ([]byte, error) {
	if !s.bare && bytes.Contains(text, []byte("]]>")) {
		return b, s.malformed("']]>' outside of a CDATA section")
	}
	for {
		n := bytes.IndexByte(text, '&')
		if n < 0 {
			return appendLines(b, text), nil
		}
		b = appendLines(b, text[:n])
		r, size, err := s.entity(text[n:])
		if err != nil {
			return b, err
		}
		b = utf8.AppendRune(b, r)
		text = text[n+size:]
	}
}

// entity reads the entity that a text begins with.
func (s *scanner) entity(text []byte) (r rune, size int, err error) {
	n := bytes.IndexByte(text[:min(len(text), maxEntity)], ';')
	if n < 0 {
		if len(text) >= maxEntity {
			return 0, 0, ErrDoubt
		}
		return 0, 0, s.malformed("'&' without ';'")
	}
	name := text[1:n]
	switch string(name) {
	case "lt":
		return '<', n + 1, nil
	case "gt":
		return '>', n + 1, nil
	case "amp":
		return '&', n + 1, nil
	case "apos":
		return '\'', n + 1, nil
	case "quot":
		return '"', n + 1, nil
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, 0, s.malformed("an entity that is not defined")
	}
	base, digits := int64(10), name[1:]
	if digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	code := int64(0)
	for _, c := range digits {
		d := int64(unhex[c])
		if d >= base {
			return 0, 0, s.malformed("a character reference that is no number")
		}
		code = min(code*base+d, utf8.MaxRune+1)
	}
	switch {
	case len(digits) == 0:
		return 0, 0, s.malformed("a character reference without a number")
	case code >= 0xd800 && code <= 0xdfff:
		return 0, 0, ErrDoubt // half of a UTF-16 pair
	case code < ' ' && code != '\t' && code != '\n' && code != '\r', code == 0xfffe, code == 0xffff, code > utf8.MaxRune:
		return 0, 0, s.malformed("a reference to a character that XML does not allow")
	}
	return rune(code), n + 1, nil
}

// maxEntity is the longest entity looked for: enough for any number without
// many leading zeros.
const maxEntity = 32
