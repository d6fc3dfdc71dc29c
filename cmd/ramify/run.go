package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink/file"
)

// runFlags are what run and demo have in common.
type runFlags struct {
	Run         string `help:"Name of the run; made if not given." placeholder:"NAME"`
	Out         string `help:"Folder for the results, or - to stream them to standard output." placeholder:"DIR|-"`
	Format      string `help:"keys, csv, ndjson or parquet (default: csv; keys where streamed)."`
	Concurrency int    `help:"Things done at a time." default:"64"`
	Node        string `help:"What a node of an S3 crawl is: range (fast) or prefix." default:"range"`
	Inline      int    `help:"Nodes that one message may process itself; 0: one message a node." default:"1000"`
	Retries     int    `help:"Failures of a node before it is given up." default:"5"`
	JSON        bool   `name:"json" help:"End with one JSON object on standard output."`
}

type runCmd struct {
	Target string `arg:"" help:"s3://bucket/prefix, or a node as JSON."`
	runFlags
}

// Run implements the command.
func (c *runCmd) Run(ctx context.Context, g *cli, std streams) error {
	tgt, err := parseTarget(c.Target, c.Node)
	if err != nil {
		return err
	}
	return c.begin(ctx, newWork(g, std, c.JSON), tgt)
}

// checkConcurrency refuses what the engine could not keep.
func checkConcurrency(n int) error {
	if n < 1 || n > 10_000 {
		return usagef("--concurrency is %d, want 1 to 10000", n)
	}
	return nil
}

// check refuses flags whose values make no sense for a root of that kind, by
// name and value.
func (c *runFlags) check(kind string) error {
	if err := checkConcurrency(c.Concurrency); err != nil {
		return err
	}
	switch {
	case c.Inline < 0:
		return usagef("--inline is %d, want 0 or more", c.Inline)
	case c.Retries < 0:
		return usagef("--retries is %d, want 0 or more", c.Retries)
	case c.Node != string(s3crawl.Range) && c.Node != string(s3crawl.Prefix):
		return usagef("--node is %q, want range or prefix", c.Node)
	}
	if c.Out == "" {
		if c.Format != "" {
			return usagef("--format is %q, but without --out there are no results to write", c.Format)
		}
		return nil
	}
	crawl := kind == s3crawl.Kind
	if c.Format == "" {
		switch {
		case !crawl:
			c.Format = inventory.NDJSON.String()
		case c.Out == "-":
			c.Format = inventory.Keys.String()
		default:
			c.Format = inventory.CSV.String()
		}
	}
	f, err := inventory.ParseFormat(c.Format)
	if err != nil {
		return usagef("--format is %q, want keys, csv, ndjson or parquet", c.Format)
	}
	// The formats of objects are written by what finds objects.
	if !crawl && f != inventory.NDJSON {
		return usagef("--format is %s, but what nodes of kind %s write is ndjson", c.Format, kind)
	}
	if c.Out == "-" {
		if f == inventory.Parquet {
			return usagef("--format is parquet, which cannot be streamed; want keys, csv or ndjson with --out -")
		}
		if c.JSON {
			return usagef("--json and --out - both write to standard output; want one of them")
		}
		return nil
	}
	// A folder of that name would be made here, and nothing there.
	if strings.Contains(c.Out, "://") {
		return usagef("--out is %q, want a folder, or - for standard output", c.Out)
	}
	if c.Out, err = filepath.Abs(c.Out); err != nil {
		return usagef("--out is %q: %w", c.Out, err)
	}
	return nil
}

// begin makes the run, unless something would keep it from working, and works
// on it to its end.
func (c *runFlags) begin(ctx context.Context, w *work, tgt target) error {
	g, std := w.g, w.std
	if err := c.check(tgt.root.Kind); err != nil {
		return err
	}
	if c.Run == "" {
		c.Run = seed.Name(time.Now())
	} else if err := schema.CheckRunName(c.Run); err != nil {
		return usagef("--run: %w", err)
	}
	if exists(g.State, c.Run) {
		return errExists(g, c.Run)
	}
	if err := w.connect(ctx, tgt.root.Kind, c.Concurrency); err != nil {
		return err
	}
	if err := w.checkAccess(ctx, tgt); err != nil {
		return err
	}
	st, err := openState(ctx, g, c.Run, store.Options{Create: true, Owner: true})
	if err != nil {
		return err
	}
	defer st.close()
	params := map[string]string{s3crawl.ParamFormat: c.Format, "bucket": tgt.bucket}
	maps.Copy(params, w.endpoint())
	maps.Copy(params, w.params)
	r := ledger.Run{
		ID: c.Run, Target: tgt.name, Root: tgt.root, Created: time.Now(),
		Options: ledger.Options{
			Out: c.Out, Format: c.Format, Retries: c.Retries, Inline: c.Inline, Concurrency: c.Concurrency,
			Params: params,
		},
	}
	// The folder is looked at before there is a run that could not use it.
	out, err := st.openSink(ctx, r, std)
	if err != nil {
		st.discard()
		if errors.Is(err, file.ErrFolder) {
			return usagef("--out is %q: %w", c.Out, err)
		}
		return err
	}
	fmt.Fprintf(std.err, "run %s\n", c.Run)
	if err := seed.Run(ctx, st.ledger, st.poster(), r); err != nil {
		return errors.Join(err, out.Close())
	}
	return w.work(ctx, st, out)
}

// command is how to give a command about a run, as printed.
func (g *cli) command(name, run string) string {
	return strings.TrimSpace("ramify " + name + " " + run + " " + g.options())
}

// options is what printed commands need to find the run.
func (g *cli) options() string {
	if g.State == defaultState() {
		return ""
	}
	return "--state " + strconv.Quote(g.State)
}
