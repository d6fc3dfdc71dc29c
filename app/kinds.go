package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/nodelist"
	"github.com/ramify/ramify/processor/reverse"
	"github.com/ramify/ramify/processor/s3copy"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/processor/s3inventory"
	"github.com/ramify/ramify/processor/s3objects"
	"github.com/ramify/ramify/processor/synthetic"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
)

// own are the processors of whoever built the binary; set before anything is run.
var own processor.Set

// anywhere is the processors that need nothing of this machine, nor of S3.
func anywhere() processor.Set {
	return processor.Set{
		reverse.Kind:         reverse.Processor{},
		synthetic.Kind:       &synthetic.Processor{},
		synthetic.ReduceKind: &synthetic.Reducer{},
	}
}

// addOwn adds those of one's own, last: none may pass for one of ours.
func addOwn(set processor.Set) error {
	for kind, p := range own {
		if err := schema.CheckKind(kind); err != nil {
			return fmt.Errorf("register processor: %w", err)
		}
		if p == nil || set[kind] != nil {
			return fmt.Errorf("register processor: kind %q has none, or is a kind of ramify's: choose another name", kind)
		}
		set[kind] = p
	}
	return nil
}

// names are the kinds of a set that a target or a list may be made of.
func names(set processor.Set) string {
	all := slices.Sorted(maps.Keys(set))
	return "one of " + strings.Join(slices.DeleteFunc(all, func(kind string) bool {
		return kind == nodelist.Kind || kind == nodelist.PrefixKind
	}), ", ")
}

// addObjects adds those that find objects of S3, and those that read them. Of what
// lists, newOn makes a processor for each cap of requests. files allows inventories that
// lie on this machine.
func addObjects(set processor.Set, client *s3client.Client, files bool, copying processor.Processor, of func(newOn func(s3crawl.Lister, int) processor.Processor) processor.Processor) {
	set[s3copy.Kind] = copying
	set[s3crawl.Kind] = of(func(l s3crawl.Lister, slots int) processor.Processor {
		return s3crawl.New(s3crawl.Options{Lister: l, Slots: slots})
	})
	set[s3objects.Kind] = of(func(l s3crawl.Lister, slots int) processor.Processor {
		return s3objects.New(s3objects.Options{Lister: l, Slots: slots})
	})
	set[s3inventory.Kind] = s3inventory.New(s3inventory.Options{Getter: client, Files: files})
	set[s3objects.HashKind] = s3objects.Streamed(client, s3objects.Hash{})
}

// crawls lists for many runs, of which each may have a cap of requests of its own:
// runs of the same cap share it.
type crawls struct {
	client *s3client.Client
	slots  *int // set before there is a run
	make   func(l s3crawl.Lister, slots int) processor.Processor

	mu  sync.Mutex
	all map[int]processor.Processor // by the cap
}

var _ processor.Processor = (*crawls)(nil)

// Process implements processor.Processor.
func (c *crawls) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	rps, err := strconv.Atoi(cmp.Or(n.Params[paramMaxRPS], "0"))
	if err != nil {
		return processor.Permanent(fmt.Errorf("read options of run %s: %w", n.Run, err))
	}
	return c.of(rps).Process(ctx, n, out)
}

func (c *crawls) of(rps int) processor.Processor {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[int]processor.Processor{}
	}
	crawl := c.all[rps]
	if crawl == nil {
		lister := s3crawl.On(c.client)
		lister.Limit(rps)
		crawl = c.make(lister, *c.slots)
		c.all[rps] = crawl
	}
	return crawl
}
