package processor_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing/fstest"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/schema"
)

// Usage is Folders with a second step: what lies in a folder and below it is
// known when all folders in it have settled.
type Usage struct{ Folders }

// Reduce writes the size of a folder, everything below it included. A folder
// without folders in it reduces at once.
func (Usage) Reduce(_ context.Context, n *processor.Node, sum schema.Account, out processor.Out) error {
	row := fmt.Sprintf("%3d bytes in %s\n", sum.Bytes, cmp.Or(strings.TrimPrefix(n.ID, "."), "all"))
	return out.Write("rows", []byte(row), 1)
}

// The embedded type's Process and Usage's own Reduce make a processor.Reducer.
func Example_reduce() {
	var _ processor.Reducer = Usage{}
	files := fstest.MapFS{
		"readme":        {Data: []byte("hello")},
		"src/main.c":    {Data: []byte("int main;")},
		"src/lib/lib.c": {Data: []byte("int lib;")},
		"doc/de/a.txt":  {Data: []byte("Guten Tag")},
	}
	set := processor.Set{"usage": Usage{Folders{Files: files}}}
	tree, err := processortest.Walk(context.Background(), set, processor.Node{Kind: "usage", ID: "."})
	fmt.Printf("%s%d reduces, %v\n", tree.Streams["rows"].Bytes(), tree.Account.Reduces, err)
	// Output:
	//   9 bytes in doc/de
	//   9 bytes in doc
	//   8 bytes in src/lib
	//  17 bytes in src
	//  31 bytes in all
	// 5 reduces, <nil>
}
