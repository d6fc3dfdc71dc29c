package main

import (
	"context"
	"sync"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// bare stands in for ledger/none until it is here.
type bare struct {
	mu   sync.Mutex
	runs map[string]ledger.Run
}

var _ ledger.Ledger = (*bare)(nil)

func (b *bare) Create(_ context.Context, r ledger.Run) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs[r.ID] = r
	return nil
}

func (b *bare) Run(_ context.Context, run string) (ledger.Run, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.runs[run], nil
}

func (b *bare) Amend(ctx context.Context, run string, _ ledger.Change) (ledger.Run, error) {
	return b.Run(ctx, run)
}

func (b *bare) Plan(_ context.Context, p ledger.Plan) (ledger.Plan, bool, error) { return p, true, nil }

func (b *bare) Claim(context.Context, string, schema.Place, int) (ledger.Tally, ledger.Outcome, error) {
	return ledger.Tally{}, ledger.Won, nil
}

func (b *bare) Settle(_ context.Context, s ledger.Settlement) (ledger.Tally, ledger.Outcome, error) {
	return ledger.Tally{Header: &schema.Header{Required: schema.MaxSlots + 1}}, ledger.Won, nil
}

func (b *bare) Read(_ context.Context, keys []ledger.Key) ([]ledger.Record, error) {
	return make([]ledger.Record, len(keys)), nil
}

func (b *bare) Close() error { return nil }
