package hostile

import (
	"context"
	"time"

	"github.com/ramify/ramify/ledger"
)

var _ ledger.Ticks = (*Ledger)(nil)

// Ticked is the mark of a schedule.
func (l *Ledger) Ticked(ctx context.Context, schedule string) (mark time.Time, err error) {
	err = l.read(ctx, &l.calls.Ticked, func() error {
		mark = l.ticks[schedule]
		return nil
	})
	return mark, err
}

// Tick moves the mark of a schedule.
func (l *Ledger) Tick(ctx context.Context, schedule string, to time.Time) (mark time.Time, err error) {
	err = l.write(ctx, &l.calls.Tick, func() error {
		if at := to.UTC().Truncate(time.Microsecond); at.After(l.ticks[schedule]) {
			l.ticks[schedule] = at
		}
		mark = l.ticks[schedule]
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	return mark, nil
}
