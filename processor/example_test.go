package processor_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
)

// Reverse is about the smallest processor: a node without children, whose result
// is one row.
type Reverse struct{}

// Process writes the node's name backwards.
func (Reverse) Process(_ context.Context, n *processor.Node, out processor.Out) error {
	letters := []rune(n.ID)
	slices.Reverse(letters)
	return out.Write("rows", []byte(string(letters)+"\n"), 1)
}

// A plain job is a tree of one node.
func Example() {
	result, err := processortest.Run(context.Background(), Reverse{}, &processor.Node{ID: "stressed"})
	fmt.Printf("%s%v\n", result.Streams["rows"].Bytes(), err)
	// Output:
	// desserts
	// <nil>
}
