package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

const (
	// The first writer wins, but for groups and for tombs of earlier epochs.
	putPlan = `INSERT INTO plan (pid, type, epoch, body, kids) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (pid) DO UPDATE
		SET type = excluded.type, epoch = excluded.epoch, body = excluded.body, kids = excluded.kids
		WHERE excluded.type = 'group' OR plan.type = 'tomb' AND plan.epoch < excluded.epoch`
	selectPlan = `SELECT type, epoch, body, kids FROM plan WHERE pid = ?`
)

// planBody is what a plan's row does not have in a column.
type planBody struct {
	Run     string         `json:"run"`
	Own     schema.Account `json:"own"`
	Up      schema.Place   `json:"up"`
	Reduce  bool           `json:"red,omitempty"`
	Attempt uint64         `json:"att"`
	MID     schema.MID     `json:"mid"`
	Depth   int            `json:"depth"`
	Share   schema.Share   `json:"share"`
	Err     string         `json:"err,omitempty"`
	Tries   int            `json:"try,omitempty"`
	At      time.Time      `json:"at,omitzero"`
}

// Plan puts a plan, as ledger.Ledger says.
func (l *Ledger) Plan(ctx context.Context, p ledger.Plan) (stored ledger.Plan, won bool, err error) {
	p.At = p.At.UTC().Truncate(time.Millisecond)
	body, err := json.Marshal(planBody{p.Run, p.Own, p.Up, p.Reduce, p.Attempt, p.MID, p.Depth, p.Share, p.Err, p.Tries, p.At})
	if err != nil {
		return ledger.Plan{}, false, fmt.Errorf("put plan %s: %w", p.PID, err)
	}
	kids := ledger.PackKids(p.Kids)
	var other *ledger.Plan
	err = l.update(ctx, func(tx *store.Tx) error {
		l.figures.note(tx)
		n, err := tx.Exec(putPlan, p.PID[:], string(p.Type), p.Epoch, string(body), kids)
		if err != nil || n > 0 {
			return err
		}
		other, err = readPlan(tx, p.PID)
		return err
	})
	if err != nil {
		return ledger.Plan{}, false, fmt.Errorf("put plan %s: %w", p.PID, err)
	}
	if other != nil {
		return *other, sameTry(other, &p), nil
	}
	if p.Kids, err = ledger.UnpackKids(kids); err != nil {
		return ledger.Plan{}, false, fmt.Errorf("put plan %s: %w", p.PID, err)
	}
	return p, true, nil
}

// sameTry reports whether the stored plan was put by an earlier try of the call
// that puts p.
func sameTry(stored, p *ledger.Plan) bool {
	return stored.MID == p.MID && stored.Attempt == p.Attempt && stored.Type == p.Type && stored.Epoch == p.Epoch
}

// readPlan reads a plan, or nil if there is none.
func readPlan(tx *store.Tx, pid schema.PID) (*ledger.Plan, error) {
	var kind, text string
	var epoch int
	var kids []byte
	found, err := tx.Get([]any{&kind, &epoch, &text, &kids}, selectPlan, pid[:])
	if err != nil || !found {
		return nil, err
	}
	var b planBody
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return nil, fmt.Errorf("unpack plan %s: %w", pid, err)
	}
	p := &ledger.Plan{
		PID: pid, Run: b.Run, Type: ledger.PlanType(kind), Epoch: epoch, Own: b.Own, Up: b.Up, Reduce: b.Reduce,
		Attempt: b.Attempt, MID: b.MID, Depth: b.Depth, Share: b.Share, Err: b.Err, Tries: b.Tries, At: b.At,
	}
	if p.Kids, err = ledger.UnpackKids(kids); err != nil {
		return nil, fmt.Errorf("unpack plan %s: %w", pid, err)
	}
	return p, nil
}
