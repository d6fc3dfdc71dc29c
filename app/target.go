package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor/graph"
	"github.com/ramify/ramify/processor/nodelist"
	"github.com/ramify/ramify/processor/s3copy"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/processor/s3inventory"
	"github.com/ramify/ramify/processor/s3objects"
	"github.com/ramify/ramify/s3client"
)

// target is what a run begins with.
type target struct {
	name   string // as shown to people
	root   ledger.Kid
	bucket string            // whose objects are listed, where that is known
	params map[string]string // kept with the run, for its processors
	each   string            // kind of the nodes that are made of objects; "": none are

	// ready is called once the command line makes sense and before there is a run:
	// it says what would keep the run from working, and completes the target.
	ready func(ctx context.Context, t *target, w *work, c *walkFlags, only *filter.Filter) error
	// keep is called before there is a run, with its file: it puts there what the
	// run needs, and completes the target.
	keep    func(ctx context.Context, t *target, w *work, c *walkFlags, st *state) error
	leftOut int64 // lines of a list
}

// scheme is how the targets of one sort begin, and who reads them.
type scheme struct {
	begin   string
	anyCase bool   // as people write DSNs, whose passwords must not be shown for an unknown target
	want    string // such targets, as an error names them
	read    func(s string) (target, error)
}

// schemes are the targets that are not a node as JSON. In s3://bucket/prefix node says
// how the bucket is divided.
func schemes(node string) []scheme {
	return []scheme{
		{begin: "s3://", want: "s3://bucket/prefix", read: func(s string) (target, error) { return s3Target(s, node) }},
		{begin: inventoryScheme, want: "inventory:s3://…/manifest.json, inventory:FOLDER", read: namedInventory},
		{begin: prefixesScheme, want: "prefixes:FILE", read: func(s string) (target, error) {
			return listTarget(s, nodelist.PrefixKind, strings.TrimPrefix(s, prefixesScheme), keepPrefixes)
		}},
		{begin: nodesScheme, want: "file:FILE", read: func(s string) (target, error) {
			return listTarget(s, nodelist.Kind, strings.TrimPrefix(s, nodesScheme), keepNodes)
		}},
		{begin: jobScheme, want: "job:NAME", read: jobTarget},
		{begin: sqlScheme, anyCase: true, want: "sql:NAME?table=…", read: sqlTarget},
		{begin: graphScheme, want: "graph:FILE?from=VERTEX", read: graphTarget},
	}
}

func (k scheme) has(s string) bool {
	if k.anyCase && len(s) >= len(k.begin) {
		return strings.EqualFold(s[:len(k.begin)], k.begin)
	}
	return strings.HasPrefix(s, k.begin)
}

// parseTarget reads s3://bucket/prefix, a scheme of ours or a node as JSON.
func parseTarget(s, node string) (target, error) {
	var want []string
	for _, k := range schemes(node) {
		if k.has(s) {
			return k.read(s)
		}
		want = append(want, k.want)
	}
	if strings.HasPrefix(strings.TrimSpace(s), "{") {
		return jsonTarget(s)
	}
	return target{}, usagef("target %q is not known; want %s or a node as JSON, {\"kind\": …}", s, strings.Join(want, ", "))
}

func s3Target(s, node string) (target, error) {
	bucket, prefix, err := s3crawl.ParseURL(s)
	if err != nil {
		return target{}, usageError{err}
	}
	c := s3crawl.Root(bucket, prefix, s3crawl.Mode(node))
	return target{
		name: s, root: ledger.Kid{Kind: s3crawl.Kind, ID: c.ID, Args: c.Args}, bucket: bucket, ready: canList(bucket, prefix),
	}, nil
}

func jsonTarget(s string) (target, error) {
	n, err := parseNode(s)
	if err != nil {
		return target{}, usagef("target: %w", err)
	}
	if n.Kind == nodelist.Kind || n.Kind == nodelist.PrefixKind {
		return target{}, usagef("target: kind %q is that of a list; want %sFILE or %sFILE", n.Kind, nodesScheme, prefixesScheme)
	}
	t := target{name: fmt.Sprintf("%s %s", n.Kind, n.ID), root: ledger.Kid{Kind: n.Kind, ID: n.ID, Args: n.Args}}
	// As from a URL: its bucket is checked before there is a run, and stands in the manifest.
	var args struct{ Bucket, Prefix, Manifest string }
	_ = json.Unmarshal(n.Args, &args) // what is wrong with them, the processor says best
	switch {
	case (n.Kind == s3crawl.Kind || n.Kind == s3objects.Kind) && args.Bucket != "":
		t.bucket, t.ready = args.Bucket, canList(args.Bucket, args.Prefix)
	case isCommand(n.Kind):
		t.ready = canRun(n.Kind, n.Args)
	case n.Kind == s3copy.Kind && args.Bucket != "":
		t.bucket = args.Bucket
		list := canList(args.Bucket, args.Prefix)
		t.ready = func(ctx context.Context, t *target, w *work, c *walkFlags, only *filter.Filter) error {
			if err := list(ctx, t, w, c, only); err != nil {
				return err
			}
			return w.checkCopy(ctx, n.Args)
		}
	case n.Kind == s3inventory.Kind && args.Manifest != "":
		t.ready = inventoryTarget(s, args.Manifest).ready
	case n.Kind == graph.Kind:
		walk, err := graph.Of(n.Args)
		if err != nil {
			return target{}, usagef("target: %w", err)
		}
		return walkTarget(t.name, walk, n.ID), nil
	}
	return t, nil
}

// canList checks a bucket.
func canList(bucket, prefix string) func(context.Context, *target, *work, *walkFlags, *filter.Filter) error {
	return func(ctx context.Context, _ *target, w *work, c *walkFlags, _ *filter.Filter) error {
		return w.checkAccess(ctx, bucket, prefix, c.Versions)
	}
}

// inventoryScheme begins a target that is a manifest. Without it, s3://…/manifest.json
// is a prefix like any other.
const inventoryScheme = "inventory:"

// namedInventory is the target inventory:PLACE.
func namedInventory(s string) (target, error) {
	place := strings.TrimPrefix(s, inventoryScheme)
	if place == "" {
		return target{}, usagef("target %q names no inventory; want %ss3://…/manifest.json or %sFOLDER", s, s, s)
	}
	return inventoryTarget(s, place), nil
}

// inventoryTarget is the manifest at a place. What it lists is known when it has
// been read.
func inventoryTarget(name, place string) target {
	t := target{name: name, root: ledger.Kid{Kind: s3inventory.Kind}}
	t.ready = func(ctx context.Context, t *target, w *work, c *walkFlags, only *filter.Filter) error {
		if strings.HasPrefix(place, "s3://") {
			if err := w.s3.CheckCredentials(ctx); err != nil {
				_, err = s3client.Explain("get "+place, "", err)
				return err
			}
		}
		v, err := s3inventory.Open(ctx, w.s3.Briefly(), place)
		if err != nil {
			return err
		}
		if err := v.CanTell(c.Versions, c.Checksums, only); err != nil {
			return usageError{err}
		}
		root := v.Root()
		t.bucket, t.root.ID, t.root.Args = v.SourceBucket, root.ID, root.Args
		return nil
	}
	return t
}

// findsObjects reports whether nodes of a kind find objects of S3: the rows of an
// inventory, which can be filtered and have prefixes.
func findsObjects(kind string) bool {
	return kind == s3crawl.Kind || kind == s3copy.Kind || kind == s3objects.Kind || kind == s3inventory.Kind || kind == nodelist.PrefixKind
}

// mayList reports whether there may be LIST requests in a run of a root kind.
func mayList(kind string) bool {
	return findsObjects(kind) && kind != s3inventory.Kind || kind == nodelist.Kind
}
