package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
)

const (
	takeLease = `INSERT INTO lease (name, owner, until) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
		WHERE lease.owner = excluded.owner OR lease.until <= ?`
	selectLease = `SELECT owner, until FROM lease WHERE name = ?`
	deleteLease = `DELETE FROM lease WHERE name = ? AND owner = ?`
)

// Lease takes or renews a lease, as ledger.Leaser says.
func (l *Ledger) Lease(ctx context.Context, want ledger.Lease) (held ledger.Lease, err error) {
	held.Name = want.Name
	err = l.update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(takeLease, want.Name, want.Owner, want.Until.UnixMicro(), want.From.UnixMicro()); err != nil {
			return err
		}
		var until int64
		_, err := tx.Get([]any{&held.Owner, &until}, selectLease, want.Name)
		held.Until = time.UnixMicro(until).UTC()
		return err
	})
	if err != nil {
		return ledger.Lease{}, fmt.Errorf("lease %s: %w", want.Name, err)
	}
	return held, nil
}

// Release gives a lease back, as ledger.Leaser says.
func (l *Ledger) Release(ctx context.Context, name, owner string) error {
	err := l.update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(deleteLease, name, owner)
		return err
	})
	if err != nil {
		return fmt.Errorf("release lease %s: %w", name, err)
	}
	return nil
}
