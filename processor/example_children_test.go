package processor_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"testing/fstest"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
)

// Folders walks a file system: one node a folder, which counts its files and
// reveals the folders in it.
type Folders struct{ Files fs.FS }

// Process lists one folder. The node's ID is its path.
func (f Folders) Process(_ context.Context, n *processor.Node, out processor.Out) error {
	entries, err := fs.ReadDir(f.Files, n.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return processor.Permanent(err) // no retry brings it back
	}
	if err != nil {
		return err // tried again, with backoff
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := out.Child(processor.Child{ID: path.Join(n.ID, e.Name())}); err != nil {
				return err
			}
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		out.Count(1, info.Size())
	}
	return nil
}

// The sums of all nodes climb to the root.
func Example_children() {
	files := fstest.MapFS{
		"readme":        {Data: []byte("hello")},
		"src/main.c":    {Data: []byte("int main;")},
		"src/lib/lib.c": {Data: []byte("int lib;")},
		"src/lib/lib.h": {Data: []byte("extern int lib;")},
	}
	set := processor.Set{"folders": Folders{Files: files}}

	tree, err := processortest.Walk(context.Background(), set, processor.Node{Kind: "folders", ID: "."})
	fmt.Println(tree.Account.Nodes, "folders,", tree.Account.Objects, "files,", tree.Account.Bytes, "bytes,", err)

	tree, err = processortest.Walk(context.Background(), set, processor.Node{Kind: "folders", ID: "tmp"})
	fmt.Println(tree.Account.Failures, "failed:", tree.Failed[0].Err, err)
	// Output:
	// 3 folders, 4 files, 37 bytes, <nil>
	// 1 failed: open tmp: file does not exist <nil>
}
