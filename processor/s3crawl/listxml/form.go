package listxml

import "bytes"

// form is how an object that was read is written: what stands around the texts
// of its elements, byte for byte. An object that is written alike means the same
// but for those texts. So the objects of a page, nearly all of which are written
// alike, are read by comparing; the others are left to the scanner.
type form struct {
	begin span // ends with the start tag of the first text
	slots []slot
}

// slot is the text of an element, and what stands behind it: its end tag, and
// all up to and with the start tag of the next text.
type slot struct {
	field field
	after span
}

func (s span) size() int { return s.to - s.from }

func (d *decoder) form(deleted bool) *form {
	if deleted {
		return &d.forms[1]
	}
	return &d.forms[0]
}

// learn makes the form of an object that was read from doc[at:end]. There is
// none, that is no slots, where it has more than plain tags.
func (f *form) learn(doc []byte, at, end int) {
	f.slots = f.slots[:0]
	markup, depth := &f.begin, 0
	markup.from = at
	for at < end {
		tag := doc[at+1 : at+bytes.IndexByte(doc[at:end], '>')]
		name := bytes.TrimPrefix(tag, []byte("/"))
		for _, c := range name {
			if nameByte[c] == 0 {
				f.slots = f.slots[:0]
				return
			}
		}
		at += len(tag) + 2
		markup.to = at
		text := bytes.IndexByte(doc[at:end], '<') // -1 at the end
		if len(name) < len(tag) {
			depth--
		} else {
			depth++
			if doc[at+text+1] == '/' {
				if depth == 1 { // an object without elements
					return
				}
				s := slot{field: ignored}
				if depth == 2 {
					s.field = fieldOf(name[bytes.IndexByte(name, ':')+1:])
				}
				f.slots = append(f.slots, s)
				markup = &f.slots[len(f.slots)-1].after
				markup.from = at + text
			}
		}
		at += max(text, 0)
	}
}

// alike reads an object that has the form of one before, if the next is such a
// one. What it does not take it leaves as it is.
func (d *decoder) alike() bool {
	if !d.bare || d.empty {
		return false
	}
	d.space()
	return d.fits(false) || d.fits(true)
}

func (d *decoder) fits(deleted bool) bool {
	f := d.form(deleted)
	if len(f.slots) == 0 || !d.stands(f.begin, d.at) {
		return false
	}
	d.add(deleted)
	at := d.at + f.begin.size()
	for i := range f.slots {
		end, ok := d.fill(&f.slots[i], at)
		if !ok {
			d.drop()
			return false
		}
		at = end
	}
	d.at = at
	return true
}

// fill reads a slot's text, and says where what stands behind it ends.
func (d *decoder) fill(s *slot, at int) (end int, ok bool) {
	n := bytes.IndexByte(d.doc[at:], '<')
	if n < 0 || !d.stands(s.after, at+n) {
		return 0, false
	}
	text, r := d.doc[at:at+n], ref{from: int32(at), n: int32(n)}
	switch s.field {
	case lastModified, size, isLatest: // what is read of them has no entities
		ok = true
	case etag:
		r, ok = unquoted(r, text)
	default:
		ok = bytes.IndexByte(text, '&') < 0
	}
	return at + n + s.after.size(), ok && d.set(s.field, r)
}

// stands reports whether what stands in one place stands in another too.
func (s *scanner) stands(what span, at int) bool {
	return bytes.HasPrefix(s.doc[at:], s.doc[what.from:what.to])
}
