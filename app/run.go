package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/processor/graph"
	"github.com/ramify/ramify/processor/s3copy"
	"github.com/ramify/ramify/processor/s3crawl"
	"github.com/ramify/ramify/processor/s3inventory"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/file"
	"github.com/ramify/ramify/totals"
)

// walkFlags belong to a run, wherever it is worked on.
type walkFlags struct {
	Run       string    `help:"Name of the run; made if not given." placeholder:"NAME"`
	Out       string    `help:"Where the results go: s3://bucket/prefix, the URL of a queue and, on this machine, a folder, or - for standard output." placeholder:"PLACE"`
	Format    string    `help:"keys, csv, ndjson or parquet (default: csv; keys where streamed)."`
	Columns   string    `help:"Columns of the rows, with commas between them: bucket, key, versionid, islatest, isdeletemarker, size, lastmodifieddate, etag, storageclass, ismultipartuploaded." placeholder:"NAME,…"`
	Filter    []string  `help:"Only objects that match (repeatable): GLOB, !GLOB, size>=10MiB, modified<2026-01-31, modified>-7d, class=GLACIER." sep:"none" placeholder:"EXPR"`
	MaxRPS    int       `name:"max-rps" help:"LIST requests a second at most, of one process; 0: no cap." placeholder:"N"`
	Node      string    `help:"What a node of an S3 crawl is: range (fast) or prefix." default:"range"`
	Versions  bool      `help:"List all versions of objects, and delete markers."`
	Checksums bool      `help:"Make digests of the objects of every prefix, by which ramify diff compares."`
	Objects   eachFlags `embed:""`
	MaxDepth  *int      `name:"max-depth" help:"Steps from the first vertex of a graph at most." placeholder:"N"`
	Budget    string    `help:"US dollars that the run may cost, by estimate: then it is paused, and nothing is lost." placeholder:"USD"`
	Inline    int       `help:"Nodes that one message may process itself; 0: one message a node." default:"${inline}"`
	Retries   int       `help:"Failures of a node before it is given up." default:"${retries}"`
	jobsFlags
	JSON bool `name:"json" help:"End with one JSON object on standard output."`
	webhookFlags
	sqlFlags
}

// What a run has where nobody says otherwise.
const (
	defaultInline  = 1000
	defaultRetries = 5

	defaultConcurrency = 64
)

// runFlags are what run and demo have in common.
type runFlags struct {
	walkFlags
	Concurrency int     `help:"Things done at a time." default:"${concurrency}"`
	Kinds       string  `help:"Kinds of nodes that are processed; a node of another is given up (default: all)." placeholder:"KIND,…"`
	ByPrefix    string  `help:"Print totals of every prefix down to so many levels, or all." placeholder:"DEPTH"`
	Web         webFlag `help:"Show the run on a page, at --web=HOST:PORT or where there is a port free on loopback; its address is printed." placeholder:"HOST:PORT"`
	view
}

type runCmd struct {
	Target string `arg:"" help:"s3://bucket/prefix, inventory:s3://…/manifest.json, inventory:FOLDER, prefixes:FILE, file:FILE, job:NAME?PARAM=VALUE, sql:NAME?table=…, graph:FILE?from=VERTEX, or a node as JSON."`
	runFlags
	copyFlags
}

// Run implements the command.
func (c *runCmd) Run(ctx context.Context, g *cli, std streams) error {
	tgt, err := parseTarget(c.Target, c.Node)
	if err != nil {
		return err
	}
	if err := c.apply(&tgt, c.Node); err != nil {
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
	if err := c.walkFlags.check(kind); err != nil {
		return err
	}
	if err := c.checkByPrefix(kind); err != nil {
		return err
	}
	return c.checkResults(kind)
}

func (c *walkFlags) check(kind string) error {
	if _, err := readBudget(c.Budget); err != nil {
		return err
	}
	switch {
	case c.Inline < 0:
		return usagef("--inline is %d, want 0 or more", c.Inline)
	case c.MaxDepth != nil && *c.MaxDepth < 0:
		return usagef("--max-depth is %d, want 0 or more", *c.MaxDepth)
	case c.MaxDepth != nil && kind != graph.Kind:
		return usagef("--max-depth is %d, but nodes of kind %s are no vertices of a graph; it goes with graph:FILE?from=VERTEX", *c.MaxDepth, kind)
	case c.Retries < 0:
		return usagef("--retries is %d, want 0 or more", c.Retries)
	case c.Node != string(s3crawl.Range) && c.Node != string(s3crawl.Prefix):
		return usagef("--node is %q, want range or prefix", c.Node)
	case c.MaxRPS < 0:
		return usagef("--max-rps is %d, want 0 or more", c.MaxRPS)
	case c.MaxRPS > 0 && !mayList(kind):
		return usagef("--max-rps is %d, but nodes of kind %s make no LIST requests; it goes with s3://bucket/prefix", c.MaxRPS, kind)
	case c.Versions && kind == s3copy.Kind:
		return usagef("--versions is set, but copies are of what objects are now")
	case c.Versions && !findsObjects(kind):
		return usagef("--versions is set, but nodes of kind %s have none; it goes with s3://bucket/prefix", kind)
	case c.Checksums && !findsObjects(kind):
		return usagef("--checksums is set, but nodes of kind %s find no objects; it goes with s3://bucket/prefix", kind)
	case c.Checksums && c.Versions:
		return usagef("--checksums is set, and so is --versions: trees are compared by the current versions of their objects; want one of them")
	case c.Node != string(s3crawl.Range) && kind == s3inventory.Kind:
		return usagef("--node is %q, but a node of an inventory is always one of its files", c.Node)
	}
	return nil
}

// filter is that of --filter, its ages counted from now; nil if there is none.
func (c *walkFlags) filter(kind string, now time.Time) (*filter.Filter, error) {
	if len(c.Filter) > 0 && !findsObjects(kind) {
		return nil, usagef("--filter is %q, but nodes of kind %s are no objects", c.Filter[0], kind)
	}
	f, err := filter.Parse(c.Filter, now)
	if bad := (*filter.Error)(nil); errors.As(err, &bad) {
		return nil, usagef("--filter is %q, want %s", bad.Expr, bad.Want)
	}
	return f, err
}

func (c *runFlags) checkByPrefix(kind string) error {
	switch {
	case c.ByPrefix == "" && (c.Sort != "" || c.Top != 0):
		return usagef("--sort and --top are for the table of --by-prefix, which is not given")
	case c.ByPrefix == "":
		return nil
	case !findsObjects(kind):
		return usagef("--by-prefix is %q, but nodes of kind %s have no prefixes", c.ByPrefix, kind)
	}
	if _, err := totals.ParseDepth(c.ByPrefix); err != nil {
		return usagef("--by-prefix: %w", err)
	}
	return c.view.check()
}

// begin makes the run, unless something would keep it from working, and works
// on it to its end.
func (c *runFlags) begin(ctx context.Context, w *work, tgt target) error {
	now := time.Now()
	only, err := c.prepare(ctx, w, &tgt, now)
	if err != nil {
		return err
	}
	page, err := c.Web.open(ctx, w, c.Run)
	if err != nil {
		return err
	}
	defer page.stop(ctx)
	st, err := openState(ctx, w.g, c.Run, store.Options{Create: true, Owner: true})
	if err != nil {
		return err
	}
	defer st.close()
	out, err := c.commit(ctx, w, st, &tgt, only, now)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.std.err, "run %s\n", c.Run)
	if page != nil {
		fmt.Fprintf(w.std.err, "page %s\n", page.url)
	}
	if w.begun != nil {
		w.begun()
	}
	if tgt.leftOut > 0 {
		w.log.Info("left out prefixes that are there twice or below others", "run", c.Run, "prefixes", tgt.leftOut)
	}
	return w.workSeen(ctx, st, out, page)
}

// prepare refuses what would keep the run from working, before there is a file of it: what
// is refused later would leave its name taken. It makes ready what the run's nodes need.
func (c *runFlags) prepare(ctx context.Context, w *work, tgt *target, now time.Time) (only *filter.Filter, err error) {
	w.hooks, w.sql = &c.webhookFlags, &c.sqlFlags
	if *tgt, err = c.eachOf(*tgt); err != nil {
		return nil, err
	}
	if err := c.check(tgt.root.Kind); err != nil {
		return nil, err
	}
	if only, err = c.filter(tgt.root.Kind, now); err != nil {
		return nil, err
	}
	if err := c.name(now); err != nil {
		return nil, err
	}
	if is, err := begun(ctx, w.g, c.Run); err != nil {
		return nil, err
	} else if is {
		return nil, errExists(w.g, c.Run)
	}
	if err := c.checkRoot(*tgt); err != nil {
		return nil, err
	}
	if w.jobs, err = c.readJobs(); err != nil {
		return nil, err
	}
	w.kinds = c.Kinds
	if err := w.connect(ctx, tgt.root.Kind, c.Concurrency, c.MaxRPS); err != nil {
		return nil, err
	}
	if err := w.checkEach(*tgt); err != nil {
		return nil, err
	}
	if tgt.ready != nil {
		if err := tgt.ready(ctx, tgt, w, &c.walkFlags, only); err != nil {
			return nil, err
		}
	}
	return only, w.checkKind(tgt.root.Kind)
}

// commit makes the run in its file, whole or not at all, and opens where its results go.
func (c *runFlags) commit(ctx context.Context, w *work, st *state, tgt *target, only *filter.Filter, now time.Time) (sink.Sink, error) {
	if tgt.keep != nil {
		if err := tgt.keep(ctx, tgt, w, &c.walkFlags, st); err != nil {
			st.discard()
			return nil, err
		}
	}
	params := c.params(*tgt, only)
	maps.Copy(params, w.endpoint())
	maps.Copy(params, c.jobsParams())
	maps.Copy(params, w.params)
	r := ledger.Run{
		ID: c.Run, Target: tgt.name, Root: tgt.root, Created: now,
		Options: ledger.Options{
			Out: c.Out, Format: c.Format, Retries: c.Retries, Inline: c.Inline, Concurrency: c.Concurrency,
			Params: params,
		},
	}
	// The folder is looked at before there is a run that could not use it.
	out, err := st.openSink(ctx, r, w.std)
	if err != nil {
		st.discard()
		if errors.Is(err, file.ErrFolder) {
			return nil, usagef("--out is %q: %w", c.Out, err)
		}
		return nil, taken(err)
	}
	// Whoever interrupts once the name is printed can resume.
	if err := seed.Run(context.WithoutCancel(ctx), st.ledger, st.poster(), r); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// name makes a name for the run, or checks the one that is given.
func (c *walkFlags) name(now time.Time) error {
	if c.Run == "" {
		c.Run = seed.Name(now)
		return nil
	}
	if err := schema.CheckRunName(c.Run); err != nil {
		return usagef("--run: %w", err)
	}
	return nil
}

// checkRoot refuses a root that no message can carry.
func (c *walkFlags) checkRoot(tgt target) error {
	if err := seed.Check(ledger.Run{ID: c.Run, Root: tgt.root}); err != nil {
		return usagef("target: %w", err)
	}
	return nil
}

// What is kept with a run besides its options for processors.
const (
	paramMaxRPS = "max_rps" // --max-rps, for a run that is resumed
	paramBucket = "bucket"  // whose objects are listed
)

// params are the run's options for processors.
func (c *walkFlags) params(tgt target, only *filter.Filter) map[string]string {
	p := map[string]string{
		listing.ParamFormat: c.Format, listing.ParamColumns: c.Columns, listing.ParamFilter: only.Encode(), paramBucket: tgt.bucket,
	}
	if c.MaxRPS > 0 {
		p[paramMaxRPS] = strconv.Itoa(c.MaxRPS)
	}
	if budget, err := readBudget(c.Budget); err == nil && budget != 0 { // it was checked
		p[ledger.ParamBudget] = ledger.Dollars(budget)
	}
	maps.Copy(p, tgt.params)
	if c.Versions {
		p[listing.ParamVersions] = "true"
	}
	if c.Checksums { // of all prefixes: a comparison goes down by them
		p[listing.ParamChecksums], p[listing.ParamDepth] = "true", "all"
	}
	return p
}

// params are those of any run, and how it ends.
func (c *runFlags) params(tgt target, only *filter.Filter) map[string]string {
	p := c.walkFlags.params(tgt, only)
	if c.Web.address != "" && findsObjects(tgt.root.Kind) { // the page shows the whole tree
		p[listing.ParamDepth] = "all"
	}
	if c.ByPrefix != "" {
		p[listing.ParamDepth], p[paramSort], p[paramTop] = c.ByPrefix, c.Sort, strconv.Itoa(c.Top)
	}
	return p
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
