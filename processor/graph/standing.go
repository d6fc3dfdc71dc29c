package graph

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// Final reports whether the rows of a node are final as they are written: those of
// walks by the shortest ways are not, a shorter one may be found until the run ends.
// Nodes of other kinds have final rows.
func Final(kid ledger.Kid) bool {
	if kid.Kind != Kind {
		return true
	}
	a, err := parse(kid.Args)
	return err == nil && !a.nearer()
}

// First reports whether a node is the first one of a walk.
func First(kid ledger.Kid) bool {
	a, err := parse(kid.Args)
	return kid.Kind == Kind && (err != nil || a.Walked == schema.PID{})
}

// Standing reports which nodes of a run that has finished stand for the way that
// holds in the end: of each vertex exactly one. Nodes of other kinds all do.
func Standing(ctx context.Context, v ledger.Visits, nodes []ledger.Kid) ([]bool, error) {
	stands := make([]bool, len(nodes))
	var asked []int
	var claims []ledger.Claim
	var vertices []schema.PID
	for i, kid := range nodes {
		stands[i] = true
		if Final(kid) {
			continue
		}
		a, err := parse(kid.Args)
		if err != nil {
			return nil, fmt.Errorf("read node of vertex %q: %w", kid.ID, err)
		}
		if a.Depth == 0 {
			continue // the first vertex
		}
		asked = append(asked, i)
		claims = append(claims, ledger.Claim{By: schema.VertexPID(a.Walked, a.Via), Depth: a.Depth})
		vertices = append(vertices, schema.VertexPID(a.Walked, kid.ID))
	}
	if len(asked) == 0 {
		return stands, nil
	}
	kept, err := v.Visited(ctx, vertices)
	if err != nil {
		return nil, err
	}
	for n, i := range asked {
		stands[i] = kept[n].Now(claims[n])
	}
	return stands, nil
}
