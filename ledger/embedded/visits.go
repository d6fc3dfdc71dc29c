package embedded

import (
	"context"
	"fmt"
	"slices"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

const (
	selectVisit = `SELECT id, claims FROM visit WHERE vertex = ?`
	insertVisit = `INSERT INTO visit (vertex, claims) VALUES (?, ?)`
	updateVisit = `UPDATE visit SET claims = ? WHERE id = ?`
)

// visitBatch is how many vertices are claimed in one call of the writer, which
// others wait for: about a millisecond's work.
const visitBatch = 500

// Visit makes claims, as ledger.Visits says: those of a batch are one call of the
// writer, and durable by one commit, which others share.
func (l *Ledger) Visit(ctx context.Context, c ledger.Claim, vertices []schema.PID) ([]ledger.Visit, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	visits := make([]ledger.Visit, 0, len(vertices))
	for batch := range slices.Chunk(vertices, visitBatch) {
		var made []ledger.Visit
		err := l.update(ctx, func(tx *store.Tx) error {
			made = make([]ledger.Visit, len(batch))
			for i, vertex := range batch {
				var err error
				if made[i], err = claimVisit(tx, c, vertex); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("claim %d visits: %w", len(vertices), err)
		}
		visits = append(visits, made...)
	}
	return visits, nil
}

func claimVisit(tx *store.Tx, c ledger.Claim, vertex schema.PID) (ledger.Visit, error) {
	id, packed, err := readVisit(tx, vertex)
	if err != nil {
		return nil, err
	}
	v, err := ledger.UnpackVisit(packed)
	if err != nil || !v.Takes(c) {
		return v, err
	}
	packed = ledger.AppendClaim(packed, c)
	if id == 0 {
		_, err = tx.Exec(insertVisit, vertex[:], packed)
	} else {
		_, err = tx.Exec(updateVisit, packed, id)
	}
	return append(v, ledger.Claim{By: c.By, Depth: c.Depth}), err
}

// readVisit reads what is kept of a vertex, and the number of its row; 0 if there is
// none.
func readVisit(tx *store.Tx, vertex schema.PID) (id int64, claims []byte, err error) {
	_, err = tx.Get([]any{&id, &claims}, selectVisit, vertex[:])
	return id, claims, err
}

// Visited reads what is kept of some vertices, as ledger.Visits says.
func (l *Ledger) Visited(ctx context.Context, vertices []schema.PID) ([]ledger.Visit, error) {
	visits := make([]ledger.Visit, len(vertices))
	err := l.view(ctx, func(tx *store.Tx) error {
		for i, vertex := range vertices {
			_, packed, err := readVisit(tx, vertex)
			if err != nil {
				return err
			}
			if visits[i], err = ledger.UnpackVisit(packed); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %d visits: %w", len(vertices), err)
	}
	return visits, nil
}
