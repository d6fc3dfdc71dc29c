package app

import (
	"context"
	"iter"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor/graph"
	"github.com/ramify/ramify/sink"
)

// results are what a ledger must tell of a run for its results to be made.
type results interface {
	ledger.Ledger
	ledger.Visits
}

// standingBatch is how many vertices are looked up at a time.
const standingBatch = 500

// committed names the units that count, as the sink wants them. Of a vertex that was
// reached in shorter and shorter ways only the last one counts.
func committed(ctx context.Context, l results, r ledger.Run) iter.Seq2[sink.Committed, error] {
	return func(yield func(sink.Committed, error) bool) {
		var units []sink.Committed
		var nodes []ledger.Kid
		flush := func() bool {
			stands, err := graph.Standing(ctx, l, nodes)
			if err != nil {
				yield(sink.Committed{}, err)
				return false
			}
			for i, u := range units {
				if stands[i] && !yield(u, nil) {
					return false
				}
			}
			units, nodes = units[:0], nodes[:0]
			return true
		}
		for u, err := range ledger.Units(ctx, l, r) {
			c := sink.Committed{PID: u.PID, Attempt: u.Attempt, Leaf: u.Leaf}
			switch {
			case err != nil || graph.Final(u.Kid):
				if !yield(c, err) {
					return
				}
			default:
				units, nodes = append(units, c), append(nodes, u.Kid)
				if len(units) == standingBatch && !flush() {
					return
				}
			}
		}
		flush()
	}
}

// withheld reports whether the rows of a run that has failed are not made yet: behind
// a vertex that failed there may be shorter ways, which a redrive would find, and what
// a sink has made of results it cannot take back. Nothing is behind the first vertex
// of a walk that did not begin.
func withheld(ctx context.Context, l ledger.Ledger, r ledger.Run) (bool, error) {
	if r.State != ledger.Failed {
		return false, nil
	}
	for f, err := range ledger.Failures(ctx, l, r) {
		if err != nil || !graph.Final(f.Kid) && !graph.First(f.Kid) {
			return true, err
		}
	}
	return false, nil
}
