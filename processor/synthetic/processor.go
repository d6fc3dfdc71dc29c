// Package synthetic is a tree that does not exist: its nodes, what they count,
// how long they take and how they fail follow from a few numbers. It is there
// for tests, which need to know the truth about a tree (Expect), and for
// benchmarks, which need a node to cost next to nothing.
package synthetic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// Kind of Processor.
const Kind = "synthetic"

// RootID is the ID of the root of every tree. Children append their slot:
// "0.3.7". In a chain the ID is the level.
const RootID = "0"

// ErrFailed is why a node that was told to fail has failed.
var ErrFailed = errors.New("node fails as its spec says")

// Processor walks synthetic trees. The args of a node are a Spec, its ID is its
// path, and all that it does follows from these two and, where it may fail,
// from Tries and Epoch. The zero Processor is ready; do not copy it.
type Processor struct {
	specs atomic.Pointer[map[string]*Spec] // by args; replaced, never changed
}

var _ processor.Processor = (*Processor)(nil)

// maxSpecs bounds the specs kept: a task sees a few, an endless stream of
// different ones must not fill its memory.
const maxSpecs = 64

// Process works, counts, writes its row and reveals its children. An attempt
// that fails does half of that first: none of it may count. A wrong spec or ID
// is a permanent failure.
func (p *Processor) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	spec, err := p.spec(n.Args)
	if err != nil {
		return processor.Permanent(err)
	}
	at, err := spec.locate(n.ID)
	if err != nil {
		return processor.Permanent(err)
	}
	if err := spec.work(ctx, at); err != nil {
		return err
	}

	objects, bytes := spec.objects(at), spec.bytes(at)
	out.Count(objects, bytes)
	if spec.Rows {
		if err := out.Write(sink.Rows, row(n.ID, objects, bytes), 1); err != nil {
			return err
		}
	}
	children, fails := spec.children(at), spec.fails(at, n.Tries, n.Epoch)
	if fails {
		children /= 2
	}
	if err := spec.reveal(ctx, n, at, children, out); err != nil {
		return err
	}
	if fails {
		return fmt.Errorf("process synthetic node %s, try %d: %w", n.ID, n.Tries, ErrFailed)
	}
	return nil
}

// spec is the parsed spec of some args; nodes of one tree share it.
func (p *Processor) spec(args schema.Args) (*Spec, error) {
	known := p.specs.Load()
	if known != nil {
		if s := (*known)[string(args)]; s != nil {
			return s, nil
		}
	}
	s, err := ParseSpec(args)
	if err != nil {
		return nil, err
	}
	next := map[string]*Spec{}
	if known != nil && len(*known) < maxSpecs {
		next = maps.Clone(*known)
	}
	next[string(args)] = s
	p.specs.CompareAndSwap(known, &next) // who loses parses again
	return s, nil
}

// work takes the node's time, or returns the cause of ctx once that ends.
func (s *Spec) work(ctx context.Context, at position) error {
	if s.Work == 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(time.Duration(s.spread(float64(s.Work), at, saltWork)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reveal reveals the first n children of a node.
func (s *Spec) reveal(ctx context.Context, node *processor.Node, at position, n int, out processor.Out) error {
	var room [64]byte
	stem := s.appendStem(room[:0], []byte(node.ID))
	for slot := range n {
		if slot&0xfff == 0xfff && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		id := s.appendChild(stem, at, slot)
		if err := out.Child(processor.Child{ID: string(id), Args: node.Args}); err != nil {
			return err
		}
	}
	return nil
}

// row is one NDJSON row. A path needs no escaping.
func row(id string, objects, bytes int64) []byte {
	b := make([]byte, 0, 64+len(id))
	b = append(b, `{"id":"`...)
	b = append(b, id...)
	b = append(b, `","objects":`...)
	b = strconv.AppendInt(b, objects, 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, bytes, 10)
	return append(b, "}\n"...)
}
