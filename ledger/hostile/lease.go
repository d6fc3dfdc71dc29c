package hostile

import (
	"context"
	"time"

	"github.com/ramify/ramify/ledger"
)

// Lease takes or renews a lease.
func (l *Ledger) Lease(ctx context.Context, want ledger.Lease) (held ledger.Lease, err error) {
	err = l.write(ctx, &l.calls.Lease, func() error {
		old, there := l.leases[want.Name]
		if !there || old.Owner == want.Owner || !old.Until.After(want.From) {
			old = ledger.Lease{Name: want.Name, Owner: want.Owner, Until: want.Until.UTC().Truncate(time.Microsecond)}
			l.leases[want.Name] = old
		}
		held = old
		return nil
	})
	if err != nil {
		return ledger.Lease{}, err
	}
	return held, nil
}

// Release gives a lease back.
func (l *Ledger) Release(ctx context.Context, name, owner string) error {
	return l.write(ctx, &l.calls.Release, func() error {
		if l.leases[name].Owner == owner {
			delete(l.leases, name)
		}
		return nil
	})
}
