package app

import (
	"encoding/json"
	"strings"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/processor/s3objects"
	"github.com/ramify/ramify/schema"
)

// eachFlags say what is made of the objects of a crawl.
type eachFlags struct {
	Each  string `help:"Make a node of every object: of a kind, KIND or KIND={…} with args of its own." placeholder:"KIND"`
	Batch int    `help:"With --each: objects that one node stands for, at most." placeholder:"N"`
}

// eachOf makes of a crawl one whose objects are nodes, if that is asked for.
func (c *walkFlags) eachOf(t target) (target, error) {
	if c.Objects.Each == "" {
		if c.Objects.Batch != 0 {
			return t, usagef("--batch is %d, but without --each no nodes are made of objects", c.Objects.Batch)
		}
		return t, nil
	}
	var args struct{ Bucket, Prefix string }
	if err := json.Unmarshal(t.root.Args, &args); err != nil || t.root.Kind != s3crawl.Kind {
		return t, usagef("--each is %q, but target %q is no crawl of a bucket; want s3://bucket/prefix", c.Objects.Each, t.name)
	}
	if c.Node != string(s3crawl.Range) {
		return t, usagef("--node is %q, but with --each a node is an object; leave one of them out", c.Node)
	}
	e := s3objects.Each{Batch: c.Objects.Batch}
	kind, raw, given := strings.Cut(c.Objects.Each, "=")
	if e.Kind = kind; given {
		if !schema.IsObject([]byte(raw)) {
			return t, usagef("--each is %q, want KIND or KIND={…}, a JSON object", c.Objects.Each)
		}
		e.Args = schema.Args(raw)
	}
	root, err := s3objects.Root(args.Bucket, args.Prefix, e)
	if err != nil {
		return t, usagef("--each is %q: %w", c.Objects.Each, err)
	}
	t.root, t.each = ledger.Kid{Kind: s3objects.Kind, ID: root.ID, Args: root.Args}, kind
	return t, nil
}

// checkEach refuses a kind of objects' nodes that nobody would process.
func (w *work) checkEach(t target) error {
	if _, known := w.set[t.each]; t.each != "" && !known {
		return usagef("--each: kind %q is not known; want a kind that works on one object, such as %s; known are %s", t.each, s3objects.HashKind, names(w.set))
	}
	return nil
}
