package synthetic

import (
	"context"
	"fmt"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// ReduceKind is the kind of Reducer.
const ReduceKind = "synthetic.reduce"

// Reducer is a Processor whose nodes reduce. The zero Reducer is ready.
type Reducer struct {
	Processor

	// Hook is called by each reduce, many at a time; its error fails the attempt.
	Hook func(n *processor.Node, sum schema.Account) error
}

var _ processor.Reducer = (*Reducer)(nil)

// Reduce calls the hook.
func (r *Reducer) Reduce(ctx context.Context, n *processor.Node, sum schema.Account, _ processor.Out) error {
	if r.Hook != nil {
		if err := r.Hook(n, sum); err != nil {
			return fmt.Errorf("reduce synthetic node %s: %w", n.ID, err)
		}
	}
	return context.Cause(ctx)
}
