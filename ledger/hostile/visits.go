package hostile

import (
	"context"
	"slices"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// Visit makes claims, each by itself: one that fails has made some of them, in no
// order, and others may come in between.
func (l *Ledger) Visit(ctx context.Context, c ledger.Claim, vertices []schema.PID) ([]ledger.Visit, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	visits := make([]ledger.Visit, len(vertices))
	// Twice: a part of the batch is under way longer than the rest.
	for _, second := range []bool{false, true} {
		err := l.write(ctx, &l.calls.Visit, func() error {
			for i, vertex := range vertices {
				if i%2 == 0 == second { // whatever part it is
					visits[i] = l.claimVisit(c, vertex)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return visits, nil
}

func (l *Ledger) claimVisit(c ledger.Claim, vertex schema.PID) ledger.Visit {
	if v := l.visits[vertex]; v.Takes(c) {
		l.visits[vertex] = append(slices.Clip(v), ledger.Claim{By: c.By, Depth: c.Depth})
	}
	return slices.Clone(l.visits[vertex])
}

// Visited returns what is kept of some vertices.
func (l *Ledger) Visited(ctx context.Context, vertices []schema.PID) (visits []ledger.Visit, err error) {
	err = l.read(ctx, &l.calls.Visited, func() error {
		visits = make([]ledger.Visit, len(vertices))
		for i, vertex := range vertices {
			visits[i] = slices.Clone(l.visits[vertex])
		}
		return nil
	})
	return visits, err
}
