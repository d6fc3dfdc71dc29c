package s3crawl

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/totals"
)

const (
	defaultSlots = 16
	maxModels    = 4 // of bucket and prefix, kept between units
)

// Options are what a crawl needs.
type Options struct {
	Lister Lister

	// Slots is how many slots the task has, about: requests that may be spent on
	// finding keys for all of them. 0 is 16.
	Slots int

	// Pages, where set, is what is done to the objects.
	Pages Pages
}

// Crawl processes nodes of Kind. Units of one run share what they learn of where
// keys are, so that a unit does not begin anew where the last one ended.
type Crawl struct {
	lister Lister
	slots  int
	pages  Pages                 // nil: objects are counted, and rows of them are written
	policy func(base int) policy // makes one for a bucket and prefix

	mu     sync.Mutex
	models map[string]policy
	recent []string // keys of models, the least recently used first
}

var _ processor.Processor = (*Crawl)(nil)

// New makes the processor.
func New(o Options) *Crawl {
	slots := cmp.Or(o.Slots, defaultSlots)
	return &Crawl{
		lister: o.Lister, slots: slots, pages: o.Pages, models: map[string]policy{},
		policy: func(base int) policy { return newSplitter(base, slots) },
	}
}

// job is what both modes need to know of a node.
type job struct {
	args
	crawl  *Crawl
	node   *processor.Node
	out    processor.Out
	wish   listing.Wish
	folder int // bytes of the root's prefix up to its last '/': filters see what is below

	depth    int // of the wish
	versions bool
}

// Process lists what the node stands for.
func (c *Crawl) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	j, err := c.read(n, out)
	if err != nil {
		return processor.Permanent(err)
	}
	if j.Mode == Prefix {
		return j.onePrefix(ctx)
	}
	return newUnit(j, c.model(n.Run, j.args)).run(ctx)
}

func (c *Crawl) read(n *processor.Node, out processor.Out) (job, error) {
	a, err := parseArgs(n.Args)
	if err != nil {
		return job{}, err
	}
	w, err := listing.Read(n.Params)
	if err != nil {
		return job{}, err
	}
	return job{
		args: a, crawl: c, node: n, out: out, wish: w, depth: w.Depth, versions: w.Versions,
		folder: strings.LastIndexByte(a.Prefix[:*a.Base], '/') + 1,
	}, nil
}

// model is the one that all units on the run's bucket and prefix share.
func (c *Crawl) model(run string, a args) policy {
	key := run + "\x00" + a.Bucket + "\x00" + a.Prefix
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.models[key]
	if m == nil {
		m = c.policy(len(a.Prefix))
		c.models[key] = m
	}
	for i, k := range c.recent {
		if k == key {
			c.recent = append(c.recent[:i], c.recent[i+1:]...)
			break
		}
	}
	if c.recent = append(c.recent, key); len(c.recent) > maxModels {
		delete(c.models, c.recent[0])
		c.recent = c.recent[1:]
	}
	return m
}

// page asks for one page of the node's keys. Its owner releases it.
func (j *job) page(ctx context.Context, q Query) (Page, error) {
	q.Bucket, q.Prefix, q.Versions, q.Count = j.Bucket, j.Prefix, j.versions, j.out.Request
	q.ETags = j.crawl.pages != nil || j.wish.ETags()
	began := time.Now()
	pg, err := j.crawl.lister.List(ctx, q)
	pg.took = time.Since(began)
	return pg, explain(q, err)
}

func (j *job) refuse(format string, a ...any) error {
	return explain(Query{Bucket: j.Bucket, Prefix: j.Prefix}, badPage(format, a...))
}

// matching is those of the objects that the run is about; it takes the place of
// objects.
func (j *job) matching(objects []inventory.Object) []inventory.Object {
	return j.wish.Matching(objects, j.folder)
}

// deliver counts objects and writes their rows, also where there are none.
func (j *job) deliver(objects []inventory.Object) error { return j.wish.Deliver(j.out, objects) }

// account writes what a tally holds.
func (j *job) account(t *totals.Tally) error {
	err := t.Take(func(block []byte) error { return j.out.Write(sink.Prefixes, block, 1) })
	if err != nil {
		return fmt.Errorf("write totals: %w", err)
	}
	return nil
}

// onePrefix lists what is directly below the node's prefix; prefixes below it
// are children. One node is one listing: it is never handed on half done.
func (j *job) onePrefix(ctx context.Context) error {
	var (
		q     = Query{Delimiter: "/"}
		sums  totals.Sums // of what is directly below
		below string      // the last prefix revealed
		found bool
		depth = strings.Count(j.Prefix[*j.Base:], "/")
	)
	for {
		pg, err := j.page(ctx, q)
		if err != nil {
			return err
		}
		// A prefix without objects of its own is known by those below it.
		took := pg.took
		found = found || j.wish.Filter == nil && len(pg.Objects)+len(pg.Prefixes) > 0
		matching := j.matching(pg.Objects)
		if j.crawl.pages != nil {
			err = j.workOnWhole(ctx, matching)
		} else {
			err = j.deliver(matching)
		}
		if err != nil {
			return err
		}
		for i := range matching {
			sums.Add(&matching[i])
			sums.AddShape(&matching[i], depth)
			if j.wish.Checksums {
				sums.AddDigest(&matching[i], *j.Base)
			}
		}
		sums.Spend(took)
		for _, p := range pg.Prefixes {
			if p <= below {
				return j.refuse("prefix %q comes again after %q", p, below)
			}
			below = p
			if err := j.out.Child(args{Bucket: j.Bucket, Prefix: p, Mode: Prefix, Base: j.Base, With: j.With}.child(1)); err != nil {
				return fmt.Errorf("reveal prefix: %w", err)
			}
		}
		below = strings.Clone(below) // longer than the page
		more := pg.More
		// Going on after a key would name the common prefix before it again.
		q.Token, q.After, q.Mark = pg.Token, pg.After, pg.Mark
		pg.Release()
		if !more {
			break
		}
		if q.Token == "" && !j.versions {
			return j.refuse("there is more, but no token to go on from")
		}
	}
	t := totals.NewTally(*j.Base, j.depth)
	if found || sums.Objects > 0 {
		t.AddNode(j.Prefix, &sums)
	}
	return j.account(t)
}
