package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"unicode/utf8"
)

// Version is the message version this package writes and the only one it reads.
const Version = 1

// Limits of a message; Parse and Validate refuse what lies beyond them.
const (
	MaxDepth   = 10_000 // levels below the root
	MaxID      = 4_096  // bytes
	MaxKind    = 64     // bytes
	MaxSlots   = 256    // children of one plan or group
	MaxMessage = 1 << 20
)

// Op is what the message asks for.
type Op string

// The four things a message can ask for.
const (
	OpNode   Op = "node"   // process a node
	OpGroup  Op = "group"  // post the children of one group of a wide plan
	OpReduce Op = "reduce" // all children of a node have settled: reduce it
	OpClimb  Op = "climb"  // look whether a plan is complete and settle it (sent by a sweep)
)

// How a message came to be posted. Anything but an original post is suspect:
// the ledger is asked before work is done.
const (
	PostOriginal = 0 // by the attempt that won its plan, once
	PostAgain    = 1 // may duplicate another post, or follow one of an earlier epoch
	PostAdopt    = 2 // by a sweep: may follow a plan whose owner is gone
)

// Header is what a child knows of its parent's plan, copied from the stored
// plan: enough to settle the parent when the child is the last to settle.
type Header struct {
	Required int     `json:"k"`             // slots that must settle in this epoch
	Own      Account `json:"own"`           // the parent's own account; zero in a redrive
	Up       Place   `json:"up"`            // where the parent hangs
	Reduce   bool    `json:"red,omitempty"` // the parent reduces after its children
}

// MID identifies one post of a node: 64 random bits, written in hexadecimal.
type MID uint64

// NewMID is a fresh random id. It need not be unpredictable, only distinct.
func NewMID() MID { return MID(rand.Uint64()) }

// half of an id is what kin have in common.
const half = 32

// Kin is a fresh id of a post that is owed to this one: all that one sweep leads to, level
// by level, has its first half in common.
func (m MID) Kin() MID { return m>>half<<half | MID(rand.Uint32()) }

// Sweep is equal for kin, and hardly for others.
func (m MID) Sweep() int { return int(m >> half) }

// MarshalText writes the id as 16 hexadecimal digits.
func (m MID) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(m)), nil }

// UnmarshalText reads up to 16 hexadecimal digits.
func (m *MID) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || len(text) > 16 {
		return &FieldError{Field: "mid", Value: string(text), Want: "up to 16 hexadecimal digits"}
	}
	*m = MID(v)
	return nil
}

// Message is one node on a queue.
type Message struct {
	V     int             `json:"v"`
	Run   string          `json:"run"`
	Op    Op              `json:"op"`
	Kind  string          `json:"kind"`
	ID    string          `json:"id"`
	Args  json.RawMessage `json:"args,omitempty"`
	Up    Place           `json:"up"`
	Hdr   *Header         `json:"hdr,omitempty"` // absent at the root
	Group *PID            `json:"grp,omitempty"` // the group, where the message is about one
	MID   MID             `json:"mid"`
	Re    int             `json:"re,omitempty"`
	Epoch int             `json:"ep,omitempty"`
	Tries int             `json:"try,omitempty"` // attempts that have failed; only these use up retries
	Depth int             `json:"depth"`
	Share Share           `json:"share"`
}

// PID is the identity of the node (or group) the message is about.
func (m *Message) PID() PID {
	if m.Group != nil {
		return *m.Group
	}
	return PIDOf(m.Run, m.Up)
}

// Encode is the message as the exact bytes that are signed and sent.
func (m *Message) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // keys hold & and < more often than browsers read them
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("encode node %s: %w", m.ID, err)
	}
	body := EscapeNonCharacters(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	if len(body) > MaxMessage {
		return nil, fmt.Errorf("encode node %s: %w", m.ID, &FieldError{Field: "message", Value: strconv.Itoa(len(body)) + " bytes", Want: "at most 1048576 bytes"})
	}
	return body, nil
}

// EscapeNonCharacters returns JSON in which U+FFFE and U+FFFF, which can only stand in
// strings, are written as escapes: Amazon SQS takes the characters of XML 1.0 and would
// refuse the message for ever (API Reference, "SendMessage"). All others that it refuses
// JSON escapes anyway.
func EscapeNonCharacters(text []byte) []byte {
	if !bytes.Contains(text, []byte("\xef\xbf")) {
		return text
	}
	text = bytes.ReplaceAll(text, []byte("\ufffe"), []byte(`\ufffe`))
	return bytes.ReplaceAll(text, []byte("\uffff"), []byte(`\uffff`))
}

// Parse reads and validates a message. Unknown fields, nulls and fields given
// twice are refused: a sender that means something by them would not get it.
func Parse(body []byte) (*Message, error) {
	if len(body) > MaxMessage {
		return nil, fmt.Errorf("parse message: %w", &FieldError{Field: "message", Value: strconv.Itoa(len(body)) + " bytes", Want: "at most 1048576 bytes"})
	}
	if !utf8.Valid(body) {
		return nil, fmt.Errorf("parse message: %w", &FieldError{Field: "message", Value: "…", Want: "UTF-8"})
	}
	var m Message
	err := json.Unmarshal(body, &m)
	if err != nil || m.V != Version {
		if err := checkVersion(body); err != nil {
			return nil, fmt.Errorf("parse message: %w", err)
		}
	}
	if _, err := checkFields(skipSpace(body), "", messageFields); err != nil {
		return nil, fmt.Errorf("parse message: %w", err)
	}
	if err == nil {
		err = m.validate(isObjectWithin)
	}
	if err != nil {
		return nil, fmt.Errorf("parse message: %w", err)
	}
	return &m, nil
}

// checkVersion reads the version alone, leniently: a newer message deserves to be
// told apart from a broken one. What passes is valid JSON, an object.
func checkVersion(body []byte) error {
	var version struct {
		V *int `json:"v"`
	}
	if err := json.Unmarshal(body, &version); err != nil {
		return err
	}
	if version.V == nil || *version.V != Version {
		return &FieldError{Field: "v", Value: showInt(version.V), Want: strconv.Itoa(Version)}
	}
	return nil
}

func showInt(v *int) string {
	if v == nil {
		return "missing"
	}
	return strconv.Itoa(*v)
}
