package schema

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// PID is the identity of a node: a 16-byte hash of its place in the tree (run,
// parent, slot), never of its name. A graph may reveal one name twice; both
// slots must settle. Hashing also spreads ledger keys over partitions.
//
// The zero PID is the place above the root: the run itself.
type PID [16]byte

// Place is where a node hangs: slot Slot of the plan of the node Parent. The
// zero Place is that of the root, whose one slot is kept by the run record.
type Place struct {
	Parent PID `json:"pid"`
	Slot   int `json:"slot"`
}

// IsRoot reports whether the place is the root's.
func (p Place) IsRoot() bool { return p.Parent == PID{} }

// PIDOf is the identity of the node at a place of a run.
func PIDOf(run string, at Place) PID {
	buf := make([]byte, 0, 96)
	buf = append(buf, "node\x00"...)
	buf = append(buf, run...)
	buf = append(buf, 0)
	buf = append(buf, at.Parent[:]...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(at.Slot))
	return sum(buf)
}

// GroupPID is the identity of a group of children: a page of a plan too wide
// for one record. It is scoped by the attempt, so that the groups of an attempt
// which lost its plan are never read.
func GroupPID(node PID, attempt uint64, level, index int) PID {
	buf := make([]byte, 0, 64)
	buf = append(buf, "group\x00"...)
	buf = append(buf, node[:]...)
	buf = binary.BigEndian.AppendUint64(buf, attempt)
	buf = binary.BigEndian.AppendUint32(buf, uint32(level))
	buf = binary.BigEndian.AppendUint32(buf, uint32(index))
	return sum(buf)
}

// ReducePID is the identity under which the results of a node's reduce are kept,
// beside those of the node itself.
func ReducePID(node PID) PID {
	return sum(append([]byte("reduce\x00"), node[:]...))
}

// StepPID is the identity of the step of a redrive through a node, one an epoch.
func StepPID(node PID, epoch int) PID {
	buf := make([]byte, 0, 32)
	buf = append(buf, "step\x00"...)
	buf = append(buf, node[:]...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(epoch))
	return sum(buf)
}

// VertexPID is the identity of a vertex of a graph in one walk, which the walk's first
// node names: by its name, so that all ways to it lead to one.
func VertexPID(walk PID, name string) PID {
	buf := make([]byte, 0, 64)
	buf = append(buf, "vertex\x00"...)
	buf = append(buf, walk[:]...)
	return sum(append(buf, name...))
}

func sum(b []byte) (p PID) {
	h := sha256.Sum256(b)
	copy(p[:], h[:])
	return p
}

// String is the PID in 22 characters of unpadded base64url.
func (p PID) String() string { return base64.RawURLEncoding.EncodeToString(p[:]) }

// MarshalText writes the PID as String does; the zero PID is the empty string.
func (p PID) MarshalText() ([]byte, error) {
	if p == (PID{}) {
		return []byte{}, nil
	}
	return base64.RawURLEncoding.AppendEncode(nil, p[:]), nil
}

var strictBase64 = base64.RawURLEncoding.Strict()

// UnmarshalText reads what MarshalText writes and refuses any other length.
func (p *PID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = PID{}
		return nil
	}
	var b [18]byte
	if len(text) != 22 {
		return fmt.Errorf("parse node id %q: want 22 characters of base64url", text)
	}
	n, err := strictBase64.Decode(b[:], text)
	if err != nil || n != len(p) {
		return fmt.Errorf("parse node id %q: want 22 characters of base64url", text)
	}
	copy(p[:], b[:])
	return nil
}
