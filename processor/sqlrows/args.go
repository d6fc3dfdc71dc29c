package sqlrows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// Kind is the kind of the nodes that this processor takes.
const Kind = "sql.rows"

// Tree is where a tree is: a table each row of which names its parent.
type Tree struct {
	DB      string   `json:"db,omitempty"` // a database of the task's settings; "": the one of the run
	Table   string   `json:"table"`        // NAME, or SCHEMA.NAME
	Key     string   `json:"key"`          // column of the primary key: integers, texts or UUIDs
	Parent  string   `json:"parent"`       // column of the parent's key; NULL at a root
	Columns []string `json:"columns,omitempty"`
}

// args are those of a node.
type args struct {
	Tree
	At    *Value `json:"at,omitempty"`    // the key of the row; none: above all rows without a parent
	After *Value `json:"after,omitempty"` // what is left of a node: its children with keys beyond this one
}

// Value is a key: an integer or a text, as JSON has them.
type Value struct {
	text   string
	number bool
}

// Text is the key of a text.
func Text(s string) Value { return Value{text: s} }

// Integer is the key of an integer.
func Integer(n int64) Value { return Value{strconv.FormatInt(n, 10), true} }

// String is the key for people.
func (v Value) String() string { return v.text }

// bound is the value as a parameter of a statement.
func (v Value) bound() any {
	if !v.number {
		return v.text
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil {
		panic(err) // it was made of one, or read as one
	}
	return n
}

// MarshalJSON writes a number or a string.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.number {
		return []byte(v.text), nil
	}
	return json.Marshal(v.text)
}

// UnmarshalJSON reads an integer of 64 bits or a string.
func (v *Value) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*v = Value{}
		return json.Unmarshal(text, &v.text)
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return &schema.FieldError{Field: "key", Value: string(text), Want: "an integer of 64 bits, or a string"}
	}
	*v = Integer(n)
	return nil
}

// check says what is wrong with a tree. Nothing of it is ever bound, so it must be
// plain identifiers.
func (t *Tree) check() error {
	if t.DB != "" {
		if err := CheckName(t.DB); err != nil {
			return err
		}
	}
	const want = "an identifier: 1 to 63 letters, digits, _ and $, not beginning with a digit"
	schemaName, table, qualified := strings.Cut(t.Table, ".")
	if !qualified {
		table, schemaName = schemaName, "public"
	}
	if !isIdentifier(table) || !isIdentifier(schemaName) {
		return &schema.FieldError{Field: "table", Value: t.Table, Want: "NAME or SCHEMA.NAME, each " + want}
	}
	for _, c := range append([]string{t.Key, t.Parent}, t.Columns...) {
		if !isIdentifier(c) {
			return &schema.FieldError{Field: "column", Value: c, Want: want}
		}
	}
	return nil
}

// CheckName says what is wrong with the name of a database.
func CheckName(name string) error {
	if strings.Contains(name, "://") || strings.Contains(name, "@") { // there may be a password in it
		name = "…"
	}
	if !isName(name) {
		return &schema.FieldError{Field: "db", Value: name, Want: "a name of 1 to 32 lower-case letters, digits and _"}
	}
	return nil
}

func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case i > 0 && ('0' <= c && c <= '9' || c == '$'):
		default:
			return false
		}
	}
	return s != "" && len(s) <= 63
}

func parseArgs(raw schema.Args) (a args, err error) {
	if len(raw) == 0 {
		return a, fmt.Errorf(`read args: none given, want {"db": "main", "table": "nodes", "key": "id", "parent": "parent_id"}`)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, fmt.Errorf("read args: %w", err)
	}
	if err := a.check(); err != nil {
		return a, fmt.Errorf("read args: %w", err)
	}
	return a, nil
}

// Root is the node that a tree begins with: a row, or with nil what is above all rows
// without a parent.
func Root(t Tree, at *Value) (processor.Child, error) {
	if err := t.check(); err != nil {
		return processor.Child{}, err
	}
	return args{Tree: t, At: at}.child(), nil
}

func (a args) child() processor.Child {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		panic(err) // texts and numbers
	}
	c := processor.Child{Kind: Kind, ID: a.Table, Args: bytes.TrimSuffix(b.Bytes(), []byte("\n"))}
	if a.At != nil {
		c.ID = a.At.text
	}
	if a.After != nil {
		c.Rest = true
		c.ID += " beyond " + a.After.text
	}
	return c
}
