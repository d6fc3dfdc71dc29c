package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
)

const (
	insertRun = `INSERT INTO run (id, created, body, root) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`
	updateRun = `UPDATE run SET body = ? WHERE id = ?`
	selectRun = `SELECT body, root FROM run WHERE id = ?`
	allRuns   = `SELECT body, root FROM run ORDER BY created DESC, id DESC`
)

// Create puts a run, as ledger.Ledger says.
func (l *Ledger) Create(ctx context.Context, run ledger.Run) error {
	body, err := packRun(run)
	if err != nil {
		return fmt.Errorf("create run %s: %w", run.ID, err)
	}
	root := ledger.PackKids([]ledger.Kid{run.Root})
	err = l.update(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(insertRun, run.ID, run.Created.UnixMicro(), body, root)
		if err == nil && n == 0 {
			return ledger.ErrExists
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("create run %s: %w", run.ID, err)
	}
	return nil
}

// Run reads a run, as ledger.Ledger says.
func (l *Ledger) Run(ctx context.Context, run string) (r ledger.Run, err error) {
	err = l.view(ctx, func(tx *store.Tx) error {
		r, err = readRun(tx, run)
		return err
	})
	if err != nil {
		return ledger.Run{}, fmt.Errorf("read run %s: %w", run, err)
	}
	return r, nil
}

// Amend changes a run, as ledger.Ledger says.
func (l *Ledger) Amend(ctx context.Context, run string, c ledger.Change) (r ledger.Run, err error) {
	err = l.update(ctx, func(tx *store.Tx) error {
		if r, err = readRun(tx, run); err != nil {
			return err
		}
		if r.State != c.From || r.Epoch != c.Epoch {
			return ledger.ErrConflict
		}
		amend(&r, c)
		return writeRun(tx, r)
	})
	if errors.Is(err, ledger.ErrConflict) {
		return r, fmt.Errorf("change run %s, which is %s in epoch %d: %w", run, r.State, r.Epoch, err)
	}
	if err != nil {
		return ledger.Run{}, fmt.Errorf("change run %s: %w", run, err)
	}
	return r, nil
}

func amend(r *ledger.Run, c ledger.Change) {
	if c.State != "" {
		r.State = c.State
		if c.State.Over() {
			r.Finished = c.At
		}
	}
	if c.NextEpoch {
		r.Epoch++
	}
	if c.Paused != nil {
		r.Paused = *c.Paused
	}
	if c.Concurrency != nil {
		r.Options.Concurrency = *c.Concurrency
	}
	r.Options = r.Options.With(c.Params)
}

// claimRoot marks that the root has a plan.
func (l *Ledger) claimRoot(ctx context.Context, run string, epoch int) (ledger.Outcome, error) {
	return l.writeRoot(ctx, run, func(r *ledger.Run) ledger.Outcome {
		if r.State.Over() || r.Epoch != epoch {
			return ledger.Over
		}
		r.Claim = epoch + 1
		return ledger.Won
	})
}

// settleRoot ends a run. Over comes before Claimed: of a run that is over there
// is nothing left to fence.
func (l *Ledger) settleRoot(ctx context.Context, s ledger.Settlement) (ledger.Outcome, error) {
	return l.writeRoot(ctx, s.Run, func(r *ledger.Run) ledger.Outcome {
		switch {
		case r.State.Over() || r.Epoch != s.Epoch:
			return ledger.Over
		case s.Unfenced && r.Claim == s.Epoch+1:
			return ledger.Claimed
		}
		r.State = ledger.Finished
		if s.Failed {
			r.State = ledger.Failed
		}
		r.Via = s.Via
		r.Totals = r.Totals.Add(s.Account)
		r.Finished = time.Now().UTC()
		return ledger.Won
	})
}

// writeRoot changes a run's record where change wins.
func (l *Ledger) writeRoot(ctx context.Context, run string, change func(*ledger.Run) ledger.Outcome) (outcome ledger.Outcome, err error) {
	err = l.update(ctx, func(tx *store.Tx) error {
		r, err := readRun(tx, run)
		if err != nil {
			return err
		}
		if outcome = change(&r); outcome != ledger.Won {
			return nil
		}
		l.figures.note(tx)
		return writeRun(tx, r)
	})
	return outcome, err
}

// readRun reads the record anew each time: another process may have paused or
// cancelled the run.
func readRun(tx *store.Tx, run string) (r ledger.Run, err error) {
	for row, err := range tx.Query(selectRun, run) {
		if err != nil {
			return r, err
		}
		return scanRun(row)
	}
	return r, ledger.ErrNoRun
}

func writeRun(tx *store.Tx, r ledger.Run) error {
	body, err := packRun(r)
	if err != nil {
		return err
	}
	_, err = tx.Exec(updateRun, body, r.ID)
	return err
}

// packRun leaves out the root, which never changes and whose arguments JSON
// would not keep byte for byte.
func packRun(r ledger.Run) (string, error) {
	r.Root = ledger.Kid{}
	body, err := json.Marshal(r)
	return string(body), err
}

func scanRun(row store.Row) (r ledger.Run, err error) {
	var body string
	var root []byte
	if err := row.Scan(&body, &root); err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return ledger.Run{}, fmt.Errorf("unpack run: %w", err)
	}
	kids, err := ledger.UnpackKids(root)
	if err != nil {
		return ledger.Run{}, err
	}
	if len(kids) != 1 {
		return ledger.Run{}, fmt.Errorf("unpack root of run %s: %d nodes", r.ID, len(kids))
	}
	r.Root = kids[0]
	return r, nil
}
