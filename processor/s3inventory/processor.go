package s3inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
)

// Options are what the processor needs.
type Options struct {
	Getter Getter
	// Files allows what lies on this machine. Whoever posts a node names the file, so a
	// task of a fleet must not: it would show its own files as rows.
	Files bool
	Dir   string // for temporary files; "": the system's
}

// Processor processes nodes of Kind.
type Processor struct {
	Options
	turns chan struct{} // of reading files: each takes a processor, and memory
}

var _ processor.Processor = (*Processor)(nil)

// New makes the processor.
func New(o Options) *Processor {
	return &Processor{Options: o, turns: make(chan struct{}, runtime.GOMAXPROCS(0)+1)}
}

// Process reads a manifest or a data file.
func (p *Processor) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	a, err := parseArgs(n.Args)
	if err != nil {
		return processor.Permanent(err)
	}
	if at := cmp.Or(a.File, a.Manifest); !p.Files && !strings.HasPrefix(at, onS3) {
		return processor.Permanent(fmt.Errorf("read args: %w", &schema.FieldError{Field: "place", Value: at, Want: "s3://bucket/key: a task of a fleet reads no files of its machine"}))
	}
	w, err := listing.Read(n.Params)
	if err != nil {
		return processor.Permanent(err)
	}
	count := func(n int64) { out.Request("get", n) }
	if a.File == "" {
		return p.manifest(ctx, a, w, out, count)
	}
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return p.file(ctx, a, w, out, count)
}

// manifest reveals the files of a manifest.
func (p *Processor) manifest(ctx context.Context, a args, w listing.Wish, out processor.Out, count func(int64)) error {
	v, err := open(ctx, p.Getter, place(a.Manifest), count)
	if err != nil {
		return err
	}
	if a.MD5 != "" && a.MD5 != v.md5 {
		return v.bad(fmt.Errorf("it is not the one that the run began with: its MD5 was %s and is %s; begin another run", a.MD5, v.md5))
	}
	if err := v.CanTell(w.Versions, w.Checksums, w.Filter); err != nil {
		return err
	}
	format, err := v.Format()
	if err != nil {
		return v.bad(err)
	}
	// Not all attempts at a node have the same number of children, so each writes.
	if err := w.Deliver(out, nil); err != nil {
		return err
	}
	byS3 := strings.HasPrefix(v.DestinationBucket, arn)
	for _, f := range v.Files {
		at, err := v.at.resolve(f.Key, byS3)
		if err != nil {
			return v.bad(err)
		}
		child := args{
			File: string(at), Size: f.Size, MD5: strings.ToLower(f.MD5), Format: v.FileFormat, Schema: v.FileSchema,
			Source: v.SourceBucket, Versions: v.versions(),
		}
		if format == inventory.Parquet {
			child.Schema = "" // the file has its own
		}
		if err := out.Child(child.child(f.Size >> 10)); err != nil {
			return fmt.Errorf("reveal file of inventory: %w", err)
		}
	}
	return nil
}

// file reads a data file.
func (p *Processor) file(ctx context.Context, a args, w listing.Wish, out processor.Out, count func(int64)) error {
	r := reader{args: a, wish: w, out: out, since: time.Now()}
	s, err := p.fetch(ctx, a, count)
	if err != nil {
		return err
	}
	defer s.close()
	err = r.read(ctx, s)
	if bad := (*rowError)(nil); errors.As(err, &bad) {
		return processor.Permanent(fmt.Errorf("read file %s of inventory: %w", place(a.File), err))
	}
	return err
}
