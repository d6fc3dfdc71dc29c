package main

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
// reached in shorter and shorter ways only the last one counts. Which one that is is
// known when nothing is left to do: where vertices have failed it is not, and rows
// are made when a redrive has mended them.
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
			case r.State == ledger.Failed:
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

// withheld reports whether rows of a run that has failed are not made yet.
func withheld(r ledger.Run) bool { return r.State == ledger.Failed && !graph.Final(r.Root) }
