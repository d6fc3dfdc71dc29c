package embedded

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
)

// Read reads records as of one moment, as ledger.Ledger says.
func (l *Ledger) Read(ctx context.Context, keys []ledger.Key) ([]ledger.Record, error) {
	records := make([]ledger.Record, len(keys))
	err := l.view(ctx, func(tx *store.Tx) (err error) {
		for i, k := range keys {
			if records[i], err = readRecord(tx, k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %d records: %w", len(keys), err)
	}
	return records, nil
}

func readRecord(tx *store.Tx, k ledger.Key) (r ledger.Record, err error) {
	if !k.Tally {
		r.Plan, err = readPlan(tx, k.PID)
		return r, err
	}
	id, t, err := readTally(tx, tallyKey{k.PID, k.Epoch})
	if id != 0 {
		r.Tally = &t
	}
	return r, err
}
