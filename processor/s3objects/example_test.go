package s3objects_test

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/processortest"
	"github.com/ramify/ramify/processor/s3objects"
)

// lines counts the lines of every object.
type lines struct{}

// Object writes a row with the number of lines.
func (lines) Object(_ context.Context, _ *processor.Node, o *s3objects.Object, body io.Reader, out processor.Out) error {
	n := 0
	in := bufio.NewScanner(body)
	for in.Scan() {
		n++
	}
	if in.Err() != nil {
		return in.Err() // what was read is not the whole
	}
	return out.Write("rows", fmt.Appendf(nil, "{\"key\":%q,\"lines\":%d}\n", o.Key, n), 1)
}

// A bucket's objects are read one by one. Here it is one in memory; a program has an
// *s3client.Client for both listing and reading.
func Example() {
	b := &bucket{bodies: map[string]string{"a.txt": "one\ntwo\n", "b/c.txt": "three\n"}}
	for _, key := range []string{"a.txt", "b/c.txt"} {
		b.objects = append(b.objects, inventory.Object{Bucket: "b", Key: key, Size: int64(len(b.bodies[key])), ETag: "e"})
	}
	root, _ := s3objects.Root("b", "", s3objects.Each{Kind: "lines"})
	set := processor.Set{
		s3objects.Kind: s3objects.New(s3objects.Options{Lister: b}),
		"lines":        s3objects.Streamed(b, lines{}),
	}
	tree, err := processortest.Walk(context.Background(), set, processor.Node{Kind: s3objects.Kind, ID: root.ID, Args: root.Args})
	fmt.Printf("%s%d objects, %v\n", tree.Streams["rows"].Bytes(), tree.Account.Objects, err)
	// Output:
	// {"key":"a.txt","lines":2}
	// {"key":"b/c.txt","lines":1}
	// 2 objects, <nil>
}
