// Package nodelist is the processor of a node whose children were written down
// before the run began: a list of nodes, or of prefixes to crawl. It reveals them
// in their order, each once, holding none of them.
package nodelist

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// The kinds of lists.
const (
	Kind       = "list"        // of nodes of any kind
	PrefixKind = "s3.prefixes" // of prefixes of one bucket
)

// Source yields what was written down. It yields the same at every call: the
// attempts at the node, which may be on different days, must agree.
type Source func(ctx context.Context, n *processor.Node) iter.Seq2[processor.Child, error]

// Processor processes nodes of a kind of list.
type Processor struct{ source Source }

var _ processor.Processor = (*Processor)(nil)

// New makes the processor of what a source yields.
func New(s Source) *Processor { return &Processor{s} }

// args are as much as is read here of a list's.
type args struct {
	Count int64 `json:"count"` // of children
}

// Process reveals the children. That there are fewer or more than when they were
// written down is an error: part of the run would be lost.
func (p *Processor) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	var a args
	if err := json.Unmarshal(n.Args, &a); err != nil {
		return processor.Permanent(fmt.Errorf("read args: %w", err))
	}
	var got int64
	for c, err := range p.source(ctx, n) {
		if err != nil {
			return fmt.Errorf("read list: %w", err)
		}
		if got++; got > a.Count {
			break
		}
		if err := out.Child(c); err != nil {
			return fmt.Errorf("reveal node %d of list: %w", got, err)
		}
	}
	if got != a.Count {
		return processor.Permanent(fmt.Errorf("read list: %w", &schema.FieldError{Field: "count", Value: fmt.Sprint(a.Count), Want: fmt.Sprintf("%d, as are kept with the run", got)}))
	}
	return nil
}
