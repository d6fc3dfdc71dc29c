package schema

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// field is one name that an object of a message may have. encoding/json takes
// names in any case, twice (merging the two) or not at all; here a message
// without "up" would be taken for the root and settle the run.
type field struct {
	name string
	must bool    // always there
	in   []field // the fields of its value, an object; nil where they do not matter
}

var (
	placeFields = []field{
		{name: "pid", must: true},
		{name: "slot", must: true},
	}
	accountFields = []field{
		{name: "n"}, {name: "o"}, {name: "b"}, {name: "f"}, {name: "r"},
	}
	headerFields = []field{
		{name: "k", must: true},
		{name: "own", must: true, in: accountFields},
		{name: "up", must: true, in: placeFields},
		{name: "red"},
	}
	messageFields = []field{
		{name: "v", must: true},
		{name: "run", must: true},
		{name: "op", must: true},
		{name: "kind", must: true},
		{name: "id", must: true},
		{name: "args"},
		{name: "up", must: true, in: placeFields},
		{name: "hdr", in: headerFields},
		{name: "grp"},
		{name: "mid", must: true},
		{name: "re"},
		{name: "ep"},
		{name: "try"},
		{name: "depth", must: true},
		{name: "share", must: true},
	}
)

// checkFields refuses an object that has a name other than the fields', one
// twice or a null, or lacks one that must be there. The text is valid JSON that
// begins with the object; path is "" or ends in a dot. It returns what follows.
func checkFields(text []byte, path string, fields []field) ([]byte, error) {
	var seen uint32 // by index in fields
	text = skipSpace(text[1:])
	for text[0] != '}' {
		if text[0] == ',' {
			text = skipSpace(text[1:])
		}
		var quoted, value []byte
		quoted, text = cutValue(text)
		name := unquote(quoted)
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == string(name) })
		if i < 0 {
			return nil, &FieldError{Field: "field name", Value: path + string(name), Want: "one of " + path + "{" + list(fields) + "}"}
		}
		f := fields[i]
		if seen&(1<<i) != 0 {
			return nil, &FieldError{Field: path + f.name, Value: "given twice", Want: "one value"}
		}
		seen |= 1 << i

		text = skipSpace(skipSpace(text)[1:]) // the colon
		var err error
		if f.in != nil && text[0] == '{' {
			text, err = checkFields(text, path+f.name+".", f.in)
		} else if value, text = cutValue(text); string(value) == "null" {
			err = &FieldError{Field: path + f.name, Value: "null", Want: "a value"}
		}
		if err != nil {
			return nil, err
		}
		text = skipSpace(text)
	}
	for i, f := range fields {
		if f.must && seen&(1<<i) == 0 {
			return nil, &FieldError{Field: path + f.name, Value: "missing", Want: "a value"}
		}
	}
	return text[1:], nil
}

// cutValue cuts off the value that valid JSON begins with.
func cutValue(text []byte) (value, rest []byte) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
			if !quoted && depth == 0 {
				return text[:i+1], text[i+1:]
			}
		case quoted:
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			if depth--; depth == 0 {
				return text[:i+1], text[i+1:]
			}
		case depth == 0 && (c == ',' || c == '}' || c == ']' || isSpace(c)):
			return text[:i], text[i:]
		}
	}
	return text, nil
}

func skipSpace(text []byte) []byte {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	return text
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// unquote is what a JSON string says.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // valid, as all the text is
	return []byte(s)
}

func list(fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}
