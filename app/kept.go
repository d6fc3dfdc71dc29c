package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// kept is what is kept of a run: in a file of this machine, or by a fleet.
// Commands that look at runs and steer them see no more of the difference.
type kept struct {
	ledger  ledger.Ledger
	board   ledger.Board
	owned   func() bool // whether anybody works on the run; nil: only reports tell
	options string      // what printed commands need to find the run
	summary func(context.Context, ledger.Run) (console.Summary, bool, error)
	close   func()
}

// openKept opens a run: the fleet's, if one is named, else this machine's.
func openKept(ctx context.Context, g *cli, f *fleetFlags, run string) (*kept, ledger.Run, error) {
	if !f.given() {
		st, r, err := glance(ctx, g, run)
		if err != nil {
			return nil, ledger.Run{}, err
		}
		return st.kept(g), r, nil
	}
	if err := schema.CheckRunName(run); err != nil {
		return nil, ledger.Run{}, usageError{err}
	}
	fl, err := f.openRecords(ctx)
	if err != nil {
		return nil, ledger.Run{}, err
	}
	r, err := fl.run(ctx, run)
	if err != nil {
		fl.close()
		return nil, ledger.Run{}, err
	}
	return fl.kept(), r, nil
}

// openRecords opens the ledger of a fleet, to look and to steer.
func (f *fleetFlags) openRecords(ctx context.Context) (*fleet, error) {
	fl, err := f.find(ctx)
	if err != nil {
		return nil, err
	}
	if fl.Ledger == ledgerNone {
		return nil, usagef("%s is none: nothing is known about runs there, they can neither be watched nor steered; the commands about runs want dynamodb:TABLE", named("ledger", fl.Ledger))
	}
	if err := fl.openLedger(ctx); err != nil {
		fl.close()
		return nil, err
	}
	return fl, nil
}

// run is the record of a run of the fleet.
func (f *fleet) run(ctx context.Context, run string) (ledger.Run, error) {
	r, err := f.records.Run(ctx, run)
	if errors.Is(err, ledger.ErrNoRun) {
		err = usagef("no run %s in %s; `%s` lists those there are", run, f.Ledger, strings.TrimSpace("ramify status "+f.way))
	}
	return r, err
}

func (f *fleet) kept() *kept {
	return &kept{ledger: f.records, board: f.records, options: f.way, summary: f.loadSummary, close: f.close}
}

func (s *state) kept(g *cli) *kept {
	return &kept{
		ledger: s.ledger, board: s.ledger, owned: s.store.Owned, options: g.options(), close: s.close,
		summary: func(ctx context.Context, r ledger.Run) (console.Summary, bool, error) {
			return s.loadSummary(ctx, r.Epoch)
		},
	}
}

// source reads the figures of a run.
func (k *kept) source(run string) console.Source {
	if k.owned == nil {
		return console.Read(k.ledger, k.board, run, nil)
	}
	return console.Look(k.ledger, k.board, run, k.owned)
}

// look is the summary of a run as it stands: of one that is over, the one with
// which it ended.
func (k *kept) look(ctx context.Context, r ledger.Run, snap console.Snapshot) (console.Summary, error) {
	sum := snap.Summary()
	if !r.State.Over() {
		return sum, nil
	}
	made, found, err := k.summary(ctx, r)
	if err != nil {
		return sum, fmt.Errorf("read summary of run %s: %w", r.ID, err)
	}
	if found {
		return followed(made, sum), nil
	}
	return sum, nil
}

// followed is the summary with which a run ended, with what workers reported after
// it was made: those of a fleet do so every few seconds.
func followed(made, now console.Summary) console.Summary {
	requests := map[string]int64{}
	for _, of := range []map[string]int64{made.Requests, now.Requests} {
		for name, n := range of {
			requests[name] = max(requests[name], n)
		}
	}
	made.Requests, made.Retries = requests, max(made.Retries, now.Retries)
	return made
}

// amend changes a run's record.
func (k *kept) amend(ctx context.Context, run string, c ledger.Change) (ledger.Run, error) {
	r, err := k.ledger.Amend(ctx, run, c)
	if errors.Is(err, ledger.ErrConflict) {
		return r, usagef("run %s is %s: that cannot be changed any more", run, r.State)
	}
	return r, err
}

// command is how to give a command about a run, as printed.
func (k *kept) command(name, run string) string {
	return strings.TrimSpace("ramify " + name + " " + run + " " + k.options)
}

// glance opens a run of this machine to look at it, whoever works on it.
func glance(ctx context.Context, g *cli, run string) (*state, ledger.Run, error) {
	st, err := openState(ctx, g, run, store.Options{MustExist: true})
	if err != nil {
		return nil, ledger.Run{}, err
	}
	r, err := st.record(ctx)
	if err != nil {
		st.close()
		if errors.Is(err, ledger.ErrNoRun) {
			err = unknownError{usagef("run %s was never begun: start it again", run)}
		}
		return nil, ledger.Run{}, err
	}
	return st, r, nil
}
