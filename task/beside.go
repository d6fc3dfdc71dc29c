package task

import (
	"context"
	"time"

	"github.com/ramify/ramify/ledger"
)

// How often the list of runs is read while all that are known are paused: it costs
// a read of each run that there is.
const (
	besideEvery = 20 * time.Second
	besideEach  = 30 * time.Millisecond // more for each run
)

// beside looks for runs that go on beside those that are paused. Nobody receives
// while all that a task knows are, so on a queue that is shared it would never meet
// one that was begun or redriven in the meantime. It serves one goroutine.
type beside struct {
	board ledger.Board // nil: there are no others
	read  time.Time
	rest  time.Duration
	found bool
}

// look reports whether any run goes on. It may be one of another queue that has the
// same ledger, so what is found is received for, and not known as a run of this task.
func (b *beside) look(ctx context.Context) bool {
	if b.board == nil || !b.read.IsZero() && time.Since(b.read) < b.rest {
		return b.found
	}
	runs, err := b.board.Runs(ctx)
	b.read, b.rest = time.Now(), besideEvery+time.Duration(len(runs))*besideEach
	if err != nil {
		return b.found // it is asked again
	}
	b.found = false
	for i := range runs {
		b.found = b.found || !runs[i].State.Over() && !runs[i].Paused
	}
	return b.found
}
