package ledger

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/ramify/ramify/schema"
)

// Sketch is what people want to see of a worker on a run beside its counters: it is
// larger than they are, so it is written less often, and read only while somebody
// looks. How much there is of each the worker decides.
type Sketch struct {
	Run     string    `json:"run"`
	ID      string    `json:"worker"`
	Doing   []Doing   `json:"doing,omitempty"`   // units under way, the oldest first; not all of them
	Slowest []Slow    `json:"slowest,omitempty"` // nodes, the slowest first
	History Moments   `json:"history,omitempty"`
	At      time.Time `json:"at"`
}

// Doing is a unit that is under way.
type Doing struct {
	Node  string    `json:"node"` // its beginning, where it is long
	Kind  string    `json:"kind"`
	Since time.Time `json:"since"`
}

// Slow is a node that took long.
type Slow struct {
	Node string        `json:"node"` // its beginning, where it is long
	Kind string        `json:"kind"`
	Took time.Duration `json:"took"` // in its processor, the last time
	At   time.Time     `json:"at"`   // of its end
}

// Moment is what a worker had come to at a time.
type Moment struct {
	At       time.Time // to the millisecond
	Nodes    int64
	Objects  int64
	Bytes    int64
	Requests int64
	Failures int64
	Share    schema.Share
}

// Moments are in the order of time. As JSON they are a text, a few bytes for each
// moment: the differences from the one before, as varints.
type Moments []Moment

func (m *Moment) numbers() [7]*int64 {
	return [7]*int64{nil, &m.Nodes, &m.Objects, &m.Bytes, &m.Requests, &m.Failures, nil}
}

// MarshalJSON implements json.Marshaler.
func (m Moments) MarshalJSON() ([]byte, error) {
	var b []byte
	var last Moment
	at := int64(0)
	for i := range m {
		now := m[i]
		b = binary.AppendVarint(b, now.At.UnixMilli()-at)
		was := last.numbers()
		for k, n := range now.numbers() {
			if n != nil {
				b = binary.AppendVarint(b, *n-*was[k])
			}
		}
		b = binary.AppendVarint(b, int64(now.Share-last.Share))
		at, last = now.At.UnixMilli(), now
	}
	return json.Marshal(b)
}

var errMoments = errors.New("moments cannot be read")

// UnmarshalJSON implements json.Unmarshaler.
func (m *Moments) UnmarshalJSON(text []byte) error {
	var b []byte
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	*m = nil
	var now Moment
	at := int64(0)
	bad := false
	next := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			bad, b = true, nil
			return 0
		}
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		at += next()
		for _, n := range now.numbers() {
			if n != nil {
				*n += next()
			}
		}
		now.Share += schema.Share(next())
		if bad {
			return errMoments
		}
		now.At = time.UnixMilli(at).UTC()
		*m = append(*m, now)
	}
	return nil
}
