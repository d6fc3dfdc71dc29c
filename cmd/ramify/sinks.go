package main

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/sink"
)

// openSink opens where the results of a run of a fleet go.
func (f *fleet) openSink(_ context.Context, r ledger.Run) (sink.Sink, error) {
	switch kindOfOut(r.Options.Out) {
	case outNone:
		return sink.Discard{}, nil
	default:
		return nil, fmt.Errorf("results of run %s cannot go to %s: its --out is not one that a fleet has", r.ID, r.Options.Out)
	}
}
