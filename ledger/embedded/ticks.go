package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
)

var _ ledger.Ticks = (*Ledger)(nil)

const (
	moveTick = `INSERT INTO tick (schedule, at) VALUES (?, ?)
		ON CONFLICT (schedule) DO UPDATE SET at = excluded.at WHERE tick.at < excluded.at`
	selectTick = `SELECT at FROM tick WHERE schedule = ?`
)

// Ticked is the mark of a schedule, as ledger.Ticks says.
func (l *Ledger) Ticked(ctx context.Context, schedule string) (mark time.Time, err error) {
	err = l.view(ctx, func(tx *store.Tx) error {
		mark, err = readTick(tx, schedule)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("read tick of %s: %w", schedule, err)
	}
	return mark, nil
}

// Tick moves the mark of a schedule, as ledger.Ticks says.
func (l *Ledger) Tick(ctx context.Context, schedule string, to time.Time) (mark time.Time, err error) {
	err = l.update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(moveTick, schedule, to.UnixMicro()); err != nil {
			return err
		}
		mark, err = readTick(tx, schedule)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("move tick of %s: %w", schedule, err)
	}
	return mark, nil
}

func readTick(tx *store.Tx, schedule string) (time.Time, error) {
	var at int64
	there, err := tx.Get([]any{&at}, selectTick, schedule)
	if err != nil || !there {
		return time.Time{}, err
	}
	return time.UnixMicro(at).UTC(), nil
}
