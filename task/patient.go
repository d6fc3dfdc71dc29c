package task

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// patient is a ledger that asks again when it gets no answer. A unit that gave
// up at each error would begin again at its node, and one that climbs a deep
// tree makes thousands of calls: it would never arrive. Every call of a ledger
// can be repeated.
type patient struct {
	ledger.Ledger
	trouble func(error)
}

// Attempts of one call and the first pause between them, doubled each time: the
// ledger may be away for about ten seconds before units go back to the queue.
const (
	patientCalls = 10
	patientPause = 20 * time.Millisecond
)

// Run implements ledger.Ledger.
func (p patient) Run(ctx context.Context, run string) (ledger.Run, error) {
	return insist(ctx, p, func() (ledger.Run, error) { return p.Ledger.Run(ctx, run) })
}

// Plan implements ledger.Ledger.
func (p patient) Plan(ctx context.Context, plan ledger.Plan) (ledger.Plan, bool, error) {
	won := false
	stored, err := insist(ctx, p, func() (stored ledger.Plan, err error) {
		stored, won, err = p.Ledger.Plan(ctx, plan)
		return stored, err
	})
	return stored, won, err
}

// Claim implements ledger.Ledger.
func (p patient) Claim(ctx context.Context, run string, at schema.Place, epoch int) (ledger.Tally, ledger.Outcome, error) {
	var outcome ledger.Outcome
	tally, err := insist(ctx, p, func() (tally ledger.Tally, err error) {
		tally, outcome, err = p.Ledger.Claim(ctx, run, at, epoch)
		return tally, err
	})
	return tally, outcome, err
}

// Settle implements ledger.Ledger.
func (p patient) Settle(ctx context.Context, s ledger.Settlement) (ledger.Tally, ledger.Outcome, error) {
	var outcome ledger.Outcome
	tally, err := insist(ctx, p, func() (tally ledger.Tally, err error) {
		tally, outcome, err = p.Ledger.Settle(ctx, s)
		return tally, err
	})
	return tally, outcome, err
}

// Read implements ledger.Ledger.
func (p patient) Read(ctx context.Context, keys []ledger.Key) ([]ledger.Record, error) {
	return insist(ctx, p, func() ([]ledger.Record, error) { return p.Ledger.Read(ctx, keys) })
}

func insist[T any](ctx context.Context, p patient, call func() (T, error)) (T, error) {
	pause := patientPause
	for n := 1; ; n++ {
		v, err := call()
		if err == nil || ctx.Err() != nil || errors.Is(err, ledger.ErrNoRun) || errors.Is(err, ledger.ErrClosed) {
			return v, err
		}
		p.trouble(err)
		if n == patientCalls {
			return v, err
		}
		sleep(ctx, pause/2+rand.N(pause))
		pause *= 2
	}
}
