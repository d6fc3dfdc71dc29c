package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ramify/ramify/schema"
)

// Visits keeps who visits the vertices of graphs, where a vertex is reached in many
// ways and is to be visited once.
//
// Each vertex is a record of its own, and every claim one conditional write of that
// record: a batch is no transaction. A call that fails may have made some of its
// claims; it can be repeated, and finds them to be its own. Claims are only ever
// added, never changed or given back, and each that is added is nearer than all
// before it. docs/state-machine.md, "Visits", says what follows from that.
//
// It stands beside Ledger, like Board: the engine walks trees without it.
type Visits interface {
	// Visit makes a claim on each of some vertices: on one that nobody has claimed
	// and, where the claim says Nearer, on one whose claims all have a greater
	// depth. It returns what is kept of each, in their order, the claim among it
	// where it was made now or before. Vertices may repeat.
	Visit(ctx context.Context, c Claim, vertices []schema.PID) ([]Visit, error)

	// Visited returns what is kept of some vertices, read consistently, in their
	// order.
	Visited(ctx context.Context, vertices []schema.PID) ([]Visit, error)
}

// Claim is one vertex's claim to visit others. It names the vertex and not the
// message or the attempt: whoever processes the vertex again finds its claims.
type Claim struct {
	By     schema.PID // the vertex that claims (schema.VertexPID)
	Depth  int        // at which it reaches those that it claims: 0 to MaxClaimDepth
	Nearer bool       // take over from claims of a greater depth; not kept
}

// MaxClaimDepth is the greatest depth of a claim: that of a node.
const MaxClaimDepth = schema.MaxDepth

// Visit is all claims that were ever made on a vertex, the first one first, each
// nearer than the one before it; empty where there was none. So no two of them have
// one depth.
type Visit []Claim

// Has reports whether a claim was ever made: at its depth, by its vertex.
func (v Visit) Has(c Claim) bool {
	for _, made := range v {
		if made.Depth == c.Depth {
			return made.By == c.By
		}
	}
	return false
}

// First reports whether a claim was the first one.
func (v Visit) First(c Claim) bool { return len(v) > 0 && v[:1].Has(c) }

// Now reports whether a claim is the one that holds.
func (v Visit) Now(c Claim) bool { return len(v) > 0 && v[len(v)-1:].Has(c) }

// Takes reports whether a claim may be added.
func (v Visit) Takes(c Claim) bool {
	return len(v) == 0 || c.Nearer && c.Depth < v[len(v)-1].Depth
}

// claimBytes is a claim as it is kept: its vertex and its depth.
const claimBytes = len(schema.PID{}) + 2

// Check refuses a claim of a depth that no node has.
func (c Claim) Check() error {
	if c.Depth < 0 || c.Depth > MaxClaimDepth {
		return fmt.Errorf("claim visits: depth is %d, want 0 to %d", c.Depth, MaxClaimDepth)
	}
	return nil
}

// AppendClaim packs a claim behind those that b holds.
func AppendClaim(b []byte, c Claim) []byte {
	return binary.BigEndian.AppendUint16(append(b, c.By[:]...), uint16(c.Depth))
}

// UnpackVisit reads claims that were packed by AppendClaim, in any order.
func UnpackVisit(b []byte) (Visit, error) {
	if len(b)%claimBytes != 0 {
		return nil, fmt.Errorf("unpack visit: %d bytes, want %d for each claim", len(b), claimBytes)
	}
	v := make(Visit, 0, len(b)/claimBytes)
	for ; len(b) > 0; b = b[claimBytes:] {
		var c Claim
		copy(c.By[:], b)
		c.Depth = int(binary.BigEndian.Uint16(b[len(c.By):]))
		v = append(v, c)
	}
	slices.SortFunc(v, func(a, b Claim) int { return b.Depth - a.Depth })
	return v, nil
}
