package app

import (
	"context"
	"errors"
	"io"
	"iter"
	"strconv"
	"syscall"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/totals"
)

// The run's options for the table with which it ends (ledger.Options.Params);
// there is one if the first is there.
const (
	paramSort = "by_prefix_sort"
	paramTop  = "by_prefix_top"
)

// biggestByDefault is how many prefixes a table sorted by size has.
const biggestByDefault = 100

// view is how totals per prefix are looked at.
type view struct {
	Sort string `help:"Order of the prefixes: name, or the biggest first by bytes or objects (default: name)."`
	Top  int    `help:"With --sort bytes or objects: how many (default: 100)."`
}

// check refuses what makes no sense, and fills in what was not given.
func (v *view) check() error {
	switch v.Sort {
	case "", "name":
		if v.Top != 0 {
			return usagef("--top is %d, but prefixes are sorted by name; want --sort bytes or objects with it", v.Top)
		}
		v.Sort = "name"
	case "bytes", "objects":
		if v.Top == 0 {
			v.Top = biggestByDefault
		}
		if v.Top < 0 || v.Top > 1_000_000 {
			return usagef("--top is %d, want 1 to 1000000", v.Top)
		}
	default:
		return usagef("--sort is %q, want name, bytes or objects", v.Sort)
	}
	return nil
}

// order is lines, which come by name, as the view wants them.
func (v view) order(lines iter.Seq2[totals.Line, error]) iter.Seq2[totals.Line, error] {
	if v.Sort == "name" {
		return lines
	}
	size := totals.Bytes
	if v.Sort == "objects" {
		size = totals.Objects
	}
	return func(yield func(totals.Line, error) bool) {
		top := totals.NewTop(v.Top, size)
		for l, err := range lines {
			if err != nil {
				yield(l, err)
				return
			}
			top.Add(l)
		}
		for _, l := range top.Lines() {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// write writes lines of a run as a table or JSON. That nobody reads on is no
// error: `| head` has seen enough.
func (v view) write(w io.Writer, json bool, target string, b *totals.Book, lines iter.Seq2[totals.Line, error]) (err error) {
	if json {
		err = console.WritePrefixesJSON(w, v.order(lines))
	} else {
		err = console.WritePrefixes(w, target, b.Base(), v.order(lines))
	}
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// byPrefix writes the table with which a run ends that was begun --by-prefix.
func (w *work) byPrefix(ctx context.Context, st *state, r ledger.Run) error {
	v := view{Sort: r.Options.Params[paramSort]}
	if v.Sort == "" {
		return nil
	}
	v.Top, _ = strconv.Atoi(r.Options.Params[paramTop])
	b, err := st.openBook(ctx)
	if err != nil || b == nil {
		return err
	}
	to := w.std.out
	if r.Options.Out == "-" {
		to = w.std.err // standard output has the results
	}
	return v.write(to, w.json, r.Target, b, b.Under(ctx, "", totals.All))
}

type duCmd struct {
	Name  string `arg:"" name:"run" help:"Name of the run."`
	Depth string `help:"Levels below --under to show, or all." default:"all" placeholder:"N"`
	Under string `help:"Show prefixes that begin so." placeholder:"PREFIX"`
	JSON  bool   `name:"json" help:"Print one JSON object a line."`
	view
}

// Run implements the command.
func (c *duCmd) Run(ctx context.Context, g *cli, std streams) error {
	levels, err := totals.ParseDepth(c.Depth)
	if err != nil {
		return usagef("--%w", err)
	}
	if err := c.check(); err != nil {
		return err
	}
	st, r, err := glance(ctx, g, c.Name)
	if err != nil {
		return err
	}
	defer st.close()
	if !findsObjects(r.Root.Kind) {
		return usagef("run %s has no totals per prefix: its nodes are of kind %s, which find no objects of S3", c.Name, r.Root.Kind)
	}
	b, err := finishedBook(ctx, g, st, r)
	if err != nil {
		return err
	}
	if b == nil {
		return usagef("run %s found no keys", c.Name)
	}
	for _, err := range b.Under(ctx, c.Under, levels) {
		if err != nil {
			return err
		}
		return c.write(std.out, c.JSON, r.Target, b, b.Under(ctx, c.Under, levels))
	}
	return usagef("--under is %q, but run %s has no such prefix among its totals, which go to depth %s (ramify run --by-prefix)", c.Under, c.Name, depthOf(r))
}

func depthOf(r ledger.Run) string {
	if d := r.Options.Params[listing.ParamDepth]; d != "" {
		return d
	}
	return strconv.Itoa(listing.DefaultDepth)
}
