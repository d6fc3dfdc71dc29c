package s3copy

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/sink"
)

const defaultSlots = 16

// Options are what copies need.
type Options struct {
	Config aws.Config // of the source, and of destinations for which an order says nothing else
	Slots  int        // of the task, about; 0 is 16
	Limit  int        // LISTs of the source a second; 0 is no cap
}

// Processor copies.
type Processor struct {
	source *store
	stores stores
	crawl  *s3crawl.Crawl
}

var (
	_ processor.Processor = (*Processor)(nil)
	_ s3crawl.Pages       = (*Processor)(nil)
)

// New makes the processor.
func New(o Options) *Processor {
	if o.Slots == 0 {
		o.Slots = defaultSlots
	}
	p := &Processor{source: newStore(o.Config, "", o.Slots)}
	p.stores = stores{slots: o.Slots, all: map[s3client.Account]*store{{}: p.source}}
	p.source.list.Limit(o.Limit)
	p.crawl = s3crawl.New(s3crawl.Options{Lister: p.source.list, Slots: o.Slots, Pages: p})
	return p
}

// Process copies what a node stands for: the keys of a crawl, or one object that
// failed.
func (p *Processor) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	if isRetry(n.Args) {
		return p.again(ctx, n, out)
	}
	bucket, root, with, err := s3crawl.Whole(n.Args)
	if err != nil {
		return processor.Permanent(err)
	}
	if _, err := parseOrder(with, bucket, root); err != nil {
		return processor.Permanent(err)
	}
	return p.crawl.Process(ctx, n, out)
}

// page is one that is being copied.
type page struct {
	*copier
	l       *s3crawl.Listed
	there   []inventory.Object // what the destination has under each key; Key "" is nothing
	unknown []bool             // what it has was too dear to list
	results []result
}

// result is what came of an object.
type result struct {
	failed  *failure
	message string
}

// Page implements s3crawl.Pages.
func (p *Processor) Page(ctx context.Context, n *processor.Node, l *s3crawl.Listed, out processor.Out) (int, error) {
	order, err := parseOrder(l.With, l.Bucket, l.Root)
	if err != nil {
		return 0, processor.Permanent(err)
	}
	c, err := p.copier(ctx, order, l.Bucket, l.Root, out)
	if err != nil {
		return 0, err
	}
	c.due = l.Due
	pg := &page{copier: c, l: l, there: make([]inventory.Object, len(l.Objects)), unknown: make([]bool, len(l.Objects)), results: make([]result, len(l.Objects))}
	if err := pg.beside(ctx); err != nil {
		return 0, err
	}
	todo := make([]int, 0, len(l.Objects))
	for i := range l.Objects {
		switch {
		case pg.target(l.Objects[i].Key) == "": // the marker of the folder that is copied to a whole bucket
			pg.results[i].message = "the folder itself, which has no name at the destination: not copied"
		case pg.compare(i) == equal:
			pg.results[i].message = "equal: not copied"
		default:
			todo = append(todo, i)
		}
	}
	done, err := l.Each(ctx, todo, pg.do)
	if err != nil {
		return 0, err
	}
	return done, pg.deliver(n, out, done)
}

// do copies one object.
func (pg *page) do(ctx context.Context, i int) error {
	o, r := &pg.l.Objects[i], &pg.results[i]
	message, err := pg.settle(ctx, o, &pg.there[i], pg.unknown[i])
	if err == nil {
		r.message = message
		return nil
	}
	if ctx.Err() != nil || err == s3crawl.ErrLater { //nolint:errorlint // it is ours
		return err
	}
	f, err := judge("copy s3://"+pg.source+"/"+s3client.Shorten(s3client.Readable(o.Key), 200), pg.allow(), err)
	r.failed = f
	return err
}

// deliver counts what is done, and writes the report's rows. What failed becomes
// nodes.
func (pg *page) deliver(n *processor.Node, out processor.Out, done int) error {
	w, err := listing.Read(n.Params)
	if err != nil {
		return processor.Permanent(err)
	}
	var objects, size int64
	var block []byte
	rows := 0
	for i := range pg.l.Objects[:done] {
		o, r := &pg.l.Objects[i], &pg.results[i]
		if r.failed != nil {
			c, err := pg.retry(n, o, r.failed)
			if err != nil {
				return err
			}
			if err := out.Child(c); err != nil {
				return fmt.Errorf("reveal object: %w", err)
			}
		} else {
			objects, size = objects+1, size+o.Size
		}
		if w.Layout != (inventory.Layout{}) {
			block, rows = w.Layout.AppendOutcome(block, outcome(o, r)), rows+1
		}
	}
	out.Count(objects, size)
	if err := out.Write(sink.Rows, block, rows); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func outcome(o *inventory.Object, r *result) *inventory.Outcome {
	row := &inventory.Outcome{Bucket: o.Bucket, Key: o.Key, VersionID: o.VersionID, Status: inventory.Succeeded, HTTPStatus: 200, Message: r.message}
	if f := r.failed; f != nil {
		row.Status, row.ErrorCode, row.HTTPStatus, row.Message = inventory.Failed, f.Code, f.Status, f.Message
	}
	return row
}
