package s3objects

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl"
)

// Options are what the processor needs, as s3crawl.Options are.
type Options struct {
	Lister s3crawl.Lister
	Slots  int
}

// Processor processes nodes of Kind.
type Processor struct {
	crawl  *s3crawl.Crawl
	lister s3crawl.Lister
}

var _ processor.Processor = (*Processor)(nil)

// New makes the processor.
func New(o Options) *Processor {
	return &Processor{lister: o.Lister, crawl: s3crawl.New(s3crawl.Options{Lister: o.Lister, Slots: o.Slots, Pages: pages{}})}
}

// Process lists what the node stands for and reveals parts of pages, or, of a part,
// objects.
func (p *Processor) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	var is struct{ Part json.RawMessage }
	if err := json.Unmarshal(n.Args, &is); err != nil {
		return processor.Permanent(fmt.Errorf("read args: %w", err))
	}
	if is.Part == nil {
		return p.crawl.Process(ctx, n, out)
	}
	var a part
	if err := strictly(n.Args, &a); err != nil {
		return processor.Permanent(err)
	}
	return p.part(ctx, n, &a, out)
}
