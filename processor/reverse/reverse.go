// Package reverse is the smallest sample of a processor: a node without children,
// whose result is one row.
package reverse

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/sink"
)

// Kind of Processor.
const Kind = "reverse"

// Processor writes a node's name backwards. The zero Processor is ready.
type Processor struct{}

var _ processor.Processor = Processor{}

// row is what a node writes.
type row struct {
	ID       string `json:"id"`
	Reversed string `json:"reversed"`
}

// Process writes one row, and counts it.
func (Processor) Process(_ context.Context, n *processor.Node, out processor.Out) error {
	letters := []rune(n.ID)
	slices.Reverse(letters)
	text, err := json.Marshal(row{n.ID, string(letters)})
	if err != nil {
		return err
	}
	out.Count(1, int64(len(n.ID)))
	return out.Write(sink.Rows, append(text, '\n'), 1)
}
