package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// FieldError names a field, the value it had and what was wanted.
type FieldError struct {
	Field, Value, Want string
}

func (e *FieldError) Error() string {
	v := e.Value
	if len(v) > 80 {
		v = v[:80] + "…"
	}
	return fmt.Sprintf("%s is %q, want %s", e.Field, v, e.Want)
}

// CheckRunName says what is wrong with the name of a run: it becomes a file
// name, a message group and part of keys.
func CheckRunName(name string) error {
	if !isRunName(name) {
		return &FieldError{Field: "run", Value: name, Want: "1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit"}
	}
	return nil
}

// CheckKind says what is wrong with the name of a kind.
func CheckKind(kind string) error {
	if !isKind(kind) {
		return &FieldError{Field: "kind", Value: kind, Want: "lower-case words joined by '.', '_' or '-', at most 64 bytes"}
	}
	return nil
}

// A message has both names, and regular expressions take long for a few bytes.

func isRunName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case isLower(c), isDigit(c), 'A' <= c && c <= 'Z':
		case i == 0 || !isJoint(c):
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 64
}

func isKind(kind string) bool {
	if kind == "" || len(kind) > MaxKind || !isLower(kind[0]) {
		return false
	}
	for i := 1; i < len(kind); i++ {
		switch c := kind[i]; {
		case isLower(c), isDigit(c):
		case !isJoint(c) || isJoint(kind[i-1]):
			return false
		}
	}
	return !isJoint(kind[len(kind)-1])
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isJoint(c byte) bool { return c == '.' || c == '_' || c == '-' }

// Validate says what is wrong with a message; nil is a message the engine can take.
func (m *Message) Validate() error { return m.validate(IsObject) }

func (m *Message) validate(isObject func([]byte) bool) error {
	bad := func(field, value, want string) error { return &FieldError{Field: field, Value: value, Want: want} }
	num := strconv.Itoa
	if m.V != Version {
		return bad("v", num(m.V), num(Version))
	}
	if err := CheckRunName(m.Run); err != nil {
		return err
	}
	switch m.Op {
	case OpNode, OpGroup, OpReduce, OpClimb:
	default:
		return bad("op", string(m.Op), "node, group, reduce or climb")
	}
	if err := CheckKind(m.Kind); err != nil {
		return err
	}
	switch {
	case len(m.ID) > MaxID || !utf8.ValidString(m.ID):
		return bad("id", m.ID, "UTF-8 of at most 4096 bytes")
	case !m.Up.valid():
		return bad("up.slot", num(m.Up.Slot), "0 to 255, and 0 at the root")
	case m.Re < PostOriginal || m.Re > PostAdopt:
		return bad("re", num(m.Re), "0, 1 or 2")
	case m.Epoch < 0:
		return bad("ep", num(m.Epoch), "0 or more")
	case m.Tries < 0:
		return bad("try", num(m.Tries), "0 or more")
	case m.Depth < 0 || m.Depth > MaxDepth:
		return bad("depth", num(m.Depth), "0 to 10000")
	case m.Op == OpGroup && m.Group == nil:
		return bad("grp", "missing", "the group's id")
	case m.Group != nil && m.Op != OpGroup && m.Op != OpClimb:
		return bad("grp", m.Group.String(), "none for op "+string(m.Op))
	case m.Group != nil && *m.Group == PID{}:
		return bad("grp", m.Group.String(), "the group's id, not the run's")
	case m.Hdr == nil && !m.Up.IsRoot() && m.Op == OpNode:
		return bad("hdr", "missing", "the header of the parent's plan")
	case m.Hdr != nil && (m.Hdr.Required < 1 || m.Hdr.Required > MaxSlots):
		return bad("hdr.k", num(m.Hdr.Required), "1 to 256")
	case m.Hdr != nil && !m.Hdr.Up.valid():
		return bad("hdr.up.slot", num(m.Hdr.Up.Slot), "0 to 255, and 0 at the root")
	case len(m.Args) > 0 && !isObject(m.Args):
		return bad("args", string(m.Args), "a JSON object")
	}
	return nil
}

// valid reports whether a plan can have the slot, and the run, which has one.
func (p Place) valid() bool {
	return p.Slot >= 0 && p.Slot < MaxSlots && (p.Slot == 0 || !p.IsRoot())
}

// IsObject reports whether the text is one JSON object in UTF-8 that can be the
// args of a message: what Encode can send and Parse will take.
func IsObject(text []byte) bool {
	return bytes.HasPrefix(skipSpace(text), []byte("{")) && validWithin(text) && utf8.Valid(text)
}

// isObjectWithin is IsObject of a value that was found in valid JSON in UTF-8.
func isObjectWithin(value []byte) bool { return bytes.HasPrefix(skipSpace(value), []byte("{")) }

// validWithin reports whether the text is valid JSON also within a message, which
// is one level more: encoding/json reads 10,000.
func validWithin(text []byte) bool {
	if bytes.Count(text, []byte("{"))+bytes.Count(text, []byte("[")) < 10_000 {
		return json.Valid(text)
	}
	return json.Valid(text) && json.Valid(append(append([]byte("["), text...), ']'))
}
