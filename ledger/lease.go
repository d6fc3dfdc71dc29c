package ledger

import (
	"context"
	"time"
)

// Leaser lends names to one owner at a time, as for a sweep that one task of many
// should make. Nothing exact rests on it: clocks differ, and an owner that stalls
// may still be at work when its lease has ended. What it guards must be safe to
// do twice.
//
// It stands beside Ledger, like Board: the engine walks trees without it.
type Leaser interface {
	// Lease takes a lease that nobody holds at its From, or renews one of the same
	// owner, and returns who then holds it until when: the owner, or another.
	Lease(ctx context.Context, want Lease) (held Lease, err error)

	// Release gives a lease back before it ends; one that another holds, or nobody,
	// is left alone.
	Release(ctx context.Context, name, owner string) error
}

// Lease is that of a name. Times are the caller's, and kept to the microsecond.
type Lease struct {
	Name  string
	Owner string
	From  time.Time // now; not kept
	Until time.Time
}
