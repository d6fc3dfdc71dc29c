package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/report"
	"github.com/ramify/ramify/web"
)

// reportCmd writes to RUN.html unless told otherwise, since a page is to be opened and
// mailed, and Markdown and JSON to standard output, since they are to be passed on.
// RAMIFY_OUT and RAMIFY_FORMAT are about the results of runs, so there is no variable
// for the flags of these names.
type reportCmd struct {
	Name   string `arg:"" name:"run" help:"Name of the run."`
	Format string `env:"-" help:"html, md or json." default:"html"`
	Out    string `env:"-" help:"File to write, or - for standard output (default: RUN.html; of md and json: -)." placeholder:"FILE"`
	By     string `env:"-" help:"Which prefixes are the biggest: by bytes, objects or time." default:"bytes"`
	fleetFlags
	priceFlags
}

// Run implements the command.
func (c *reportCmd) Run(ctx context.Context, g *cli, std streams) error {
	err := readSettings([]setting{
		{"format", c.Format, one(&c.Format, string(report.HTML), string(report.Markdown), string(report.JSON))},
		{"by", c.By, one(&c.By, string(report.ByBytes), string(report.ByObjects), string(report.ByTime))},
	})
	if err != nil {
		return err
	}
	format := report.Format(c.Format)
	if c.Out == "" {
		c.Out = "-"
		if format == report.HTML {
			c.Out = c.Name + ".html"
		}
	}
	if err := c.checkOut(); err != nil {
		return err
	}
	w, err := openWatched(ctx, g, &c.fleetFlags, c.priceFlags, c.Name)
	if err != nil {
		return err
	}
	defer w.Close()
	r, err := w.report(ctx, report.Measure(c.By))
	if err != nil {
		return fmt.Errorf("report on run %s: %w", c.Name, err)
	}
	if c.Out == "-" {
		return r.Write(std.out, format)
	}
	if at, err := os.Stat(c.Out); err == nil && !at.Mode().IsRegular() { // /dev/null, a pipe
		return writeInto(c.Out, func(w io.Writer) error { return r.Write(w, format) })
	}
	if err := writeWhole(c.Out, func(w io.Writer) error { return r.Write(w, format) }); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return say(std.out, "%s\n", console.Clean(c.Out))
}

// checkOut says, before anything is read, what is wrong with the file to write.
func (c *reportCmd) checkOut() error {
	if c.Out == "-" {
		return nil
	}
	at, err := os.Stat(c.Out)
	folder := err == nil && at.IsDir()
	if folder || strings.HasSuffix(c.Out, "/") || strings.HasSuffix(c.Out, string(filepath.Separator)) {
		return usageError{fmt.Errorf("--out is %q, a folder: name a file in it, such as %q", c.Out, filepath.Join(c.Out, c.Name+"."+c.Format))}
	}
	in := filepath.Dir(c.Out)
	if at, err := os.Stat(in); err != nil || !at.IsDir() {
		return usageError{fmt.Errorf("--out is %q: there is no folder %q; make it, or name another", c.Out, in)}
	}
	return nil
}

// writeWhole writes a file that is there as a whole or not at all, in the place of one
// that may be there.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// writeInto writes to what is there and is no file: a file in its place would be what
// nobody wants.
func writeInto(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err == nil {
		err = errors.Join(write(f), f.Close())
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// What a report has of lists, at most.
const (
	reportedFailures = 1000
	reportedWorkers  = 200
)

// report is all that is known of a run, at this moment.
func (w *watched) report(ctx context.Context, by report.Measure) (*report.Report, error) {
	v, err := w.Look(ctx)
	if err != nil {
		return nil, err
	}
	run, err := w.ledger.Run(ctx, w.run) // as it is after the look
	if err != nil {
		return nil, err
	}
	sum, err := w.kept.look(ctx, run, v.Snapshot)
	if err != nil {
		return nil, err
	}
	mean := v.Mean()
	r := &report.Report{
		Version: report.Version, Made: time.Now().UTC(), By: "ramify " + version(), Run: v.Run, Target: v.Target, Kind: v.Kind, Noun: v.Noun(),
		State: v.State, Reason: v.Reason, Epoch: v.Epoch, Created: v.Created.UTC(), Seconds: sum.Seconds, Fraction: v.Fraction, Out: sum.Out,
		Totals: report.Totals{
			Nodes: sum.Nodes, Failed: sum.Failed, Objects: sum.Totals.Objects, Bytes: sum.Totals.Bytes, Prefixes: sum.Totals.Prefixes,
			Retries: sum.Retries, Requests: sum.Requests,
		},
		Mean:          report.Speeds{Nodes: hundredths(mean.Nodes), Objects: hundredths(mean.Objects), Bytes: hundredths(mean.Bytes), Requests: hundredths(mean.Requests)},
		Configuration: configurationOf(run),
		Slowest:       []console.Slow{}, Workers: []report.Worker{}, Failures: []console.Failure{},
	}
	if v.Interrupted && r.State == console.Running {
		r.State = console.Interrupted
	}
	if !v.Finished.IsZero() {
		at := v.Finished.UTC()
		r.Finished = &at
	}
	if v.Cost != nil {
		billionths := func(v float64) float64 { return math.Round(v*1e9) / 1e9 }
		r.Cost = &report.Cost{SoFar: billionths(v.Cost.SoFar), Total: billionths(v.Cost.Total), Budget: run.Options.Budget()}
	}
	for i := range v.Crew[:min(len(v.Crew), reportedWorkers)] {
		m := &v.Crew[i]
		r.Workers = append(r.Workers, report.Worker{
			ID: m.ID, Slots: m.Slots, Busy: m.Busy.Seconds(), Units: m.Units, Nodes: m.Nodes, Started: m.Started.UTC(), At: m.At.UTC(),
		})
	}
	r.MoreWorkers = len(v.Crew) - len(r.Workers)
	if w.fleet != nil {
		r.Fleet = w.fleet(ctx, run, &v)
	}
	return r, w.reportRest(ctx, r, by)
}

// reportRest adds what is read of the ledger and the results.
func (w *watched) reportRest(ctx context.Context, r *report.Report, by report.Measure) error {
	h, err := w.History(ctx)
	if err != nil {
		return err
	}
	r.History = h
	slow, err := w.Slowest(ctx)
	if err != nil {
		return err
	}
	r.Slowest = append(r.Slowest, slow...)
	failures, _, err := w.Failures(ctx, "", reportedFailures)
	if err != nil {
		return err
	}
	r.Failures = append(r.Failures, failures...)
	r.MoreFailures = max(r.Totals.Failed-int64(len(failures)), 0)
	if r.Histograms, err = w.Histograms(ctx); err != nil {
		return err
	}
	t, err := w.Tree(ctx, web.Ask{By: string(by), Top: treeTops[0]})
	if err != nil || t.Objects == 0 {
		return err
	}
	r.Tree = &report.Tree{Complete: t.Complete, By: by}
	r.Tree.Prefix, err = w.branch(ctx, &t, by, 1, sumsIn(t.Sums).Of(by)/leastBranch)
	return err
}

// Of a tree, what is read of the prefixes of each level, and which part of the whole is
// too small to be looked into: what is in a report can be read, and read in a moment.
var treeTops = []int{60, 16, 10}

const leastBranch = 200

// branch is a prefix that was read, with what is below the biggest of its children.
func (w *watched) branch(ctx context.Context, t *web.Tree, by report.Measure, level int, least int64) (report.Prefix, error) {
	direct := sumsIn(t.Direct)
	p := report.Prefix{Prefix: t.Prefix, Sums: sumsIn(t.Sums), Prefixes: t.Prefixes, Direct: &direct}
	if t.Rest.Prefixes > 0 {
		p.Rest = &report.Rest{Prefixes: t.Rest.Prefixes, Sums: sumsIn(t.Rest.Sums)}
	}
	for _, c := range t.Children {
		child := report.Prefix{Prefix: c.Prefix, Sums: sumsIn(c.Sums)}
		if c.More && level < len(treeTops) && child.Of(by) > least {
			below, err := w.Tree(ctx, web.Ask{Prefix: c.Prefix, By: string(by), Top: treeTops[level]})
			if err != nil {
				return p, err
			}
			if child, err = w.branch(ctx, &below, by, level+1, least); err != nil {
				return p, err
			}
		}
		p.Children = append(p.Children, child)
	}
	return p, nil
}

func hundredths(v float64) float64 { return math.Round(v*100) / 100 }

func sumsIn(s web.Sums) report.Sums {
	return report.Sums{Objects: s.Objects, Bytes: s.Bytes, Seconds: s.Seconds}
}

// toldParams are those of a run that hold no secret. Others, such as the DSN of a
// database or what is an own processor's, are named and no more: reports are mailed.
var toldParams = map[string]bool{
	paramJobs: true, paramMaxRPS: true, paramBucket: true, paramStarter: true, paramSort: true, paramTop: true,
	listing.ParamFormat: true, listing.ParamColumns: true, listing.ParamFilter: true, listing.ParamDepth: true,
	listing.ParamVersions: true, listing.ParamChecksums: true, ledger.ParamBudget: true, ledger.ParamSpent: true,
}

// configurationOf is what was said of a run when it began.
func configurationOf(r ledger.Run) []report.Setting {
	o := r.Options
	concurrency := "the task's own"
	if o.Concurrency > 0 {
		concurrency = strconv.Itoa(o.Concurrency)
	}
	all := []report.Setting{
		{Name: "format", Value: o.Format},
		{Name: "retries", Value: strconv.Itoa(o.Retries)},
		{Name: "inline", Value: strconv.Itoa(o.Inline)},
		{Name: "concurrency", Value: concurrency},
	}
	for _, name := range slices.Sorted(maps.Keys(o.Params)) {
		value := o.Params[name]
		if !toldParams[name] {
			value = "(not shown)"
		}
		if name != listing.ParamFormat {
			all = append(all, report.Setting{Name: name, Value: value})
		}
	}
	return slices.DeleteFunc(all, func(s report.Setting) bool { return s.Value == "" })
}
