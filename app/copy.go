package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/processor/s3copy"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/schema"
)

// copyFlags make of the listing of a bucket a copy.
type copyFlags struct {
	To             string `help:"Copy the objects to s3://bucket/prefix/, a folder; what is equal there is left, and nothing is ever deleted." placeholder:"PLACE"`
	ToProfile      string `help:"Profile of the AWS configuration for the destination, if it is another account's." placeholder:"NAME"`
	ToRegion       string `help:"Region of the destination (default: found out)." placeholder:"REGION"`
	ToEndpoint     string `help:"Endpoint of the destination, if it is another store: then content goes through this machine." placeholder:"URL"`
	Through        bool   `help:"Content goes through this machine (GET, then PUT): for a destination whose account cannot read the source."`
	StorageClass   string `help:"Storage class of the copies (default: the source's)." placeholder:"CLASS"`
	SSE            string `name:"sse" help:"Encryption of the copies: AES256, aws:kms or aws:kms:dsse (default: the bucket's)." placeholder:"KIND"`
	KMSKey         string `name:"kms-key" help:"Key of KMS that copies are encrypted with." placeholder:"KEY"`
	MultipartAbove string `help:"Copy larger objects in parts (default: 5GiB; 32MiB where content goes through)." placeholder:"SIZE"`
	PartSize       string `help:"Size of the parts (default: the source's, else 128MiB)." placeholder:"SIZE"`
	DryRun         bool   `help:"Only say what would be copied."`
}

// given is the first flag that is set besides --to, "" if none is.
func (c *copyFlags) given() string {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"to-profile", c.ToProfile != ""},
		{"to-region", c.ToRegion != ""},
		{"to-endpoint", c.ToEndpoint != ""},
		{"through", c.Through},
		{"storage-class", c.StorageClass != ""},
		{"sse", c.SSE != ""},
		{"kms-key", c.KMSKey != ""},
		{"multipart-above", c.MultipartAbove != ""},
		{"part-size", c.PartSize != ""},
		{"dry-run", c.DryRun},
	} {
		if f.set {
			return f.name
		}
	}
	return ""
}

// apply makes the target that of a copy, if one is wanted.
func (c *copyFlags) apply(t *target, node string) error {
	if c.To == "" {
		if name := c.given(); name != "" {
			return usagef("--%s is for copies: it goes with --to s3://bucket/prefix/", name)
		}
		return nil
	}
	if t.root.Kind != s3crawl.Kind || !strings.HasPrefix(t.name, "s3://") {
		return usagef("--to is %q, but target %q is not s3://bucket/prefix: only what is listed there can be copied", c.To, t.name)
	}
	o := s3copy.Order{
		To: c.To, Profile: c.ToProfile, Region: c.ToRegion, Endpoint: c.ToEndpoint, Through: c.Through,
		StorageClass: strings.ToUpper(c.StorageClass), SSE: c.SSE, KMSKey: c.KMSKey, DryRun: c.DryRun,
	}
	for _, size := range []struct {
		name, text string
		into       *int64
	}{{"multipart-above", c.MultipartAbove, &o.Above}, {"part-size", c.PartSize, &o.Part}} {
		if size.text == "" {
			continue
		}
		n, ok := filter.ParseSize(size.text)
		if !ok || n <= 0 {
			return usagef("--%s is %q, want a size such as 64MiB", size.name, size.text)
		}
		*size.into = n
	}
	bucket, prefix, err := s3crawl.ParseURL(t.name)
	if err != nil {
		return usageError{err}
	}
	root, err := s3copy.Root(bucket, prefix, s3crawl.Mode(node), o)
	if bad := (*schema.FieldError)(nil); errors.As(err, &bad) {
		return usagef("--%s is %q, want %s", bad.Field, bad.Value, bad.Want)
	}
	if err != nil {
		return err
	}
	canList := t.ready
	t.root = ledger.Kid{Kind: s3copy.Kind, ID: root.ID, Args: root.Args}
	t.name += " → " + c.To
	t.ready = func(ctx context.Context, t *target, w *work, f *walkFlags, only *filter.Filter) error {
		if err := canList(ctx, t, w, f, only); err != nil {
			return err
		}
		return w.copies.of(0).Check(ctx, o)
	}
	return nil
}

// checkReport refuses what a report of copies cannot be, and makes explicit what
// was left to us.
func (c *walkFlags) checkReport() (err error) {
	switch {
	case c.Columns != "":
		return usagef("--columns is %q, but a copy writes a report, whose columns are those of S3 Batch Operations", c.Columns)
	case c.Format == "":
		c.Format = inventory.CSV.String()
	case c.Format != inventory.CSV.String() && c.Format != inventory.NDJSON.String():
		return usagef("--format is %q, but the report of a copy is csv or ndjson", c.Format)
	}
	if c.Out == "-" && c.JSON {
		return usagef("--json and --out - both write to standard output; want one of them")
	}
	c.Columns = inventory.OutcomeColumns.String()
	c.Out, err = parseOut("--out", c.Out)
	return err
}

// copies copies for many runs, of which each may have a cap of LISTs of its own.
type copies struct {
	cfg   aws.Config
	slots int

	mu  sync.Mutex
	all map[int]*s3copy.Processor // by the cap
}

var _ processor.Processor = (*copies)(nil)

// Process implements processor.Processor.
func (c *copies) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	rps, err := strconv.Atoi(cmp.Or(n.Params[paramMaxRPS], "0"))
	if err != nil {
		return processor.Permanent(fmt.Errorf("read options of run %s: %w", n.Run, err))
	}
	return c.of(rps).Process(ctx, n, out)
}

func (c *copies) of(rps int) *s3copy.Processor {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[int]*s3copy.Processor{}
	}
	p := c.all[rps]
	if p == nil {
		p = s3copy.New(s3copy.Options{Config: c.cfg, Slots: c.slots, Limit: rps})
		c.all[rps] = p
	}
	return p
}

// checkCopy looks whether a run that copies can go on.
func (w *work) checkCopy(ctx context.Context, args schema.Args) error {
	var a struct{ With s3copy.Order }
	if err := json.Unmarshal(args, &a); err != nil {
		return nil //nolint:nilerr // what is wrong with them, the copy says best
	}
	return w.copies.of(0).Check(ctx, a.With)
}
