package listxml

import "bytes"

// scanner reads a document once, from front to back, element by element. Names
// are told without their namespace prefixes, as the SDK takes them.
type scanner struct {
	doc   []byte
	at    int
	bare  bool   // neither a carriage return nor "]]>" anywhere: text is as it stands but for entities
	open  []span // the names of the open elements, prefixes included, the root's first
	empty bool   // the element just opened has ended already: <a/>
	kept  []byte // texts that do not stand in the document as they are meant
}

// span is a part of the document.
type span struct{ from, to int }

// deepest is how many elements may be open at a time.
const deepest = 1000

func (s *scanner) malformed(what string) error { return &SyntaxError{s.at, what} }

func (s *scanner) cutShort() error { return &SyntaxError{len(s.doc), "it ends within an element"} }

// root moves to the first element.
func (s *scanner) root() (local []byte, err error) {
	if err := s.prolog(); err != nil {
		return nil, err
	}
	local, ok, err := s.child()
	if err == nil && !ok {
		err = s.malformed("it ends without an element")
	}
	return local, err
}

// tail makes sure that nothing follows the root.
func (s *scanner) tail() error {
	_, ok, err := s.child()
	if err == nil && ok {
		return ErrDoubt
	}
	return err
}

// child moves to the next element in the one that is open, past white space,
// comments and instructions. It is not ok at the end of the open element, whose
// end tag it reads, or of the document where none is open.
func (s *scanner) child() (local []byte, ok bool, err error) {
	if s.empty {
		s.empty = false
		s.open = s.open[:len(s.open)-1]
		return nil, false, nil
	}
	for {
		for s.at < len(s.doc) && isSpace(s.doc[s.at]) {
			s.at++
		}
		switch {
		case s.at == len(s.doc) && len(s.open) == 0:
			return nil, false, nil
		case s.at == len(s.doc), s.at+1 == len(s.doc) && (len(s.open) > 0 || s.doc[s.at] == '<'):
			return nil, false, s.cutShort()
		case s.doc[s.at] != '<':
			return nil, false, ErrDoubt // text among elements
		}
		switch s.doc[s.at+1] {
		case '/':
			return nil, false, s.end()
		case '!', '?':
			if cdata, err := s.aside(); err != nil || cdata.to > cdata.from {
				return nil, false, doubt(err)
			}
		default:
			local, err = s.start()
			return local, true, err
		}
	}
}

// doubt is the error, or ErrDoubt where there is none.
func doubt(err error) error {
	if err == nil {
		return ErrDoubt
	}
	return err
}

// start reads a start tag, whose '<' is at s.at, and opens its element.
func (s *scanner) start() (local []byte, err error) {
	from := s.at + 1
	i, colon := from, -1
	for i < len(s.doc) && nameByte[s.doc[i]] != 0 {
		if s.doc[i] == ':' {
			if colon >= 0 {
				return nil, s.malformed("a name with two colons")
			}
			colon = i
		}
		i++
	}
	switch {
	case i == len(s.doc):
		return nil, s.cutShort()
	case s.doc[i] >= 0x80:
		return nil, ErrDoubt // a name beyond ASCII
	case i == from || nameByte[s.doc[from]] != startsName:
		return nil, s.malformed("'<' without the name of an element")
	case colon == from || colon == i-1:
		return nil, ErrDoubt
	case len(s.open) == deepest:
		return nil, ErrDoubt
	}
	s.open = append(s.open, span{from, i})
	local = s.doc[from:i]
	if colon >= 0 {
		local = s.doc[colon+1 : i]
	}
	s.at = i
	if s.doc[i] != '>' {
		return local, s.attributes()
	}
	s.at++
	return local, nil
}

// attributes reads the rest of a start tag. What attributes say does not matter.
func (s *scanner) attributes() error {
	for {
		spaced := s.space()
		if s.at == len(s.doc) {
			return s.cutShort()
		}
		switch s.doc[s.at] {
		case '>':
			s.at++
			return nil
		case '/':
			if s.at+1 == len(s.doc) {
				return s.cutShort()
			}
			if s.doc[s.at+1] != '>' {
				return s.malformed("'/' within a tag")
			}
			s.at += 2
			s.empty = true
			return nil
		}
		if !spaced {
			return ErrDoubt
		}
		if err := s.attribute(); err != nil {
			return err
		}
	}
}

func (s *scanner) attribute() error {
	from := s.at
	colons := 0
	for s.at < len(s.doc) && nameByte[s.doc[s.at]] != 0 {
		if s.doc[s.at] == ':' {
			colons++
		}
		s.at++
	}
	switch {
	case s.at == len(s.doc):
		return s.cutShort()
	case s.doc[s.at] >= 0x80:
		return ErrDoubt
	case s.at == from || nameByte[s.doc[from]] != startsName || colons > 1:
		return s.malformed("what is no attribute within a tag")
	}
	s.space()
	if s.at == len(s.doc) {
		return s.cutShort()
	}
	if s.doc[s.at] != '=' {
		return s.malformed("an attribute without a value")
	}
	s.at++
	s.space()
	if s.at == len(s.doc) {
		return s.cutShort()
	}
	quote := s.doc[s.at]
	if quote != '"' && quote != '\'' {
		return s.malformed("an attribute without quotes")
	}
	n := bytes.IndexByte(s.doc[s.at+1:], quote)
	if n < 0 {
		return s.cutShort()
	}
	value := s.doc[s.at+1 : s.at+1+n]
	if bytes.IndexByte(value, '<') >= 0 {
		return s.malformed("'<' within an attribute")
	}
	if err := s.entities(value); err != nil {
		return err
	}
	s.at += n + 2
	return nil
}

// end reads an end tag, whose '<' is at s.at, and closes its element.
func (s *scanner) end() error {
	if len(s.open) == 0 {
		return s.malformed("an end tag, but no element is open")
	}
	want := s.open[len(s.open)-1]
	name := s.doc[want.from:want.to]
	i := s.at + 2
	if len(s.doc)-i <= len(name) {
		return s.cutShort()
	}
	if !bytes.Equal(s.doc[i:i+len(name)], name) || nameByte[s.doc[i+len(name)]] != 0 || s.doc[i+len(name)] >= 0x80 {
		return s.malformed("the end tag of another element")
	}
	s.at = i + len(name)
	s.space()
	if s.at == len(s.doc) {
		return s.cutShort()
	}
	if s.doc[s.at] != '>' {
		return s.malformed("an end tag without '>'")
	}
	s.at++
	s.open = s.open[:len(s.open)-1]
	return nil
}

// aside passes over a comment or an instruction, or says where the text of a
// CDATA section is.
func (s *scanner) aside() (cdata span, err error) {
	rest := s.doc[s.at:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		n := bytes.Index(rest[4:], []byte("--"))
		if n < 0 || 4+n+2 == len(rest) {
			return cdata, s.cutShort()
		}
		if rest[4+n+2] != '>' {
			return cdata, s.malformed("'--' within a comment")
		}
		s.at += 4 + n + 3
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		if len(s.open) == 0 {
			return cdata, ErrDoubt
		}
		n := bytes.Index(rest[9:], []byte("]]>"))
		if n < 0 {
			return cdata, s.cutShort()
		}
		cdata = span{s.at + 9, s.at + 9 + n}
		s.at += 9 + n + 3
	case rest[1] == '?':
		return cdata, s.instruction()
	case cutOff(rest, "<!--"), cutOff(rest, "<![CDATA["):
		return cdata, s.cutShort()
	default: // a DOCTYPE
		return cdata, ErrDoubt
	}
	return cdata, nil
}

// cutOff reports whether the document ends within a mark.
func cutOff(rest []byte, mark string) bool {
	return len(rest) < len(mark) && string(rest) == mark[:len(rest)]
}

// instruction passes over a processing instruction that is not <?xml.
func (s *scanner) instruction() error {
	i := s.at + 2
	for i < len(s.doc) && nameByte[s.doc[i]] != 0 {
		i++
	}
	name := s.doc[s.at+2 : i]
	if len(name) == 0 || nameByte[name[0]] != startsName || bytes.EqualFold(name, []byte("xml")) || i < len(s.doc) && s.doc[i] >= 0x80 {
		return ErrDoubt
	}
	n := bytes.Index(s.doc[i:], []byte("?>"))
	if n < 0 {
		return s.cutShort()
	}
	s.at = i + n + 2
	return nil
}

// skip passes over the element just opened, with all that is in it.
func (s *scanner) skip() error {
	for depth := len(s.open) - 1; len(s.open) > depth; {
		if s.empty {
			s.empty = false
			s.open = s.open[:len(s.open)-1]
			continue
		}
		n := bytes.IndexByte(s.doc[s.at:], '<')
		if n < 0 || s.at+n+1 == len(s.doc) {
			return s.cutShort()
		}
		if err := s.entities(s.doc[s.at : s.at+n]); err != nil {
			return err
		}
		s.at += n
		var err error
		switch s.doc[s.at+1] {
		case '/':
			err = s.end()
		case '!', '?':
			_, err = s.aside()
		default:
			_, err = s.start()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) space() (found bool) {
	for s.at < len(s.doc) && isSpace(s.doc[s.at]) {
		s.at++
		found = true
	}
	return found
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// nameByte marks the ASCII characters of names.
var nameByte = func() (t [256]byte) {
	for c := range 256 {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':':
			t[c] = startsName
		case c >= '0' && c <= '9' || c == '-' || c == '.':
			t[c] = insideName
		}
	}
	return t
}()

const (
	insideName = 1 + iota
	startsName
)
