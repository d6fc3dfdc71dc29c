package ledger

import (
	"context"
	"time"
)

// Ticks keeps up to when schedules have been looked after, so that whoever comes
// next knows which of their ticks have been missed.
//
// A mark only ever moves forward, by one conditional write; a move that is repeated
// finds the mark where it put it, or further on. Times are kept to the microsecond.
//
// It stands beside Ledger, like Board: the engine walks trees without it.
type Ticks interface {
	// Ticked is the mark of a schedule, read consistently; the zero time where there
	// never was one.
	Ticked(ctx context.Context, schedule string) (time.Time, error)

	// Tick moves the mark of a schedule to a time, unless it is there or beyond, and
	// returns where it then is.
	Tick(ctx context.Context, schedule string, to time.Time) (time.Time, error)
}
