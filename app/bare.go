package app

import (
	"fmt"
	"strings"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
)

// ledgerNone is the bare pattern: a queue and no ledger. Nothing is known about
// runs, and nothing is kept with one.
const ledgerNone = "none"

// checkBare refuses what would be kept with the run, where nothing is kept: what
// the environment says is the tasks' own, and is left alone.
func (c *seedCmd) checkBare() error {
	filters := strings.Join(c.Filter, ", ")
	for _, o := range []struct {
		flag, value string
		set         bool
	}{
		{"out", c.Out, c.Out != ""},
		{"format", c.Format, c.Format != ""},
		{"columns", c.Columns, c.Columns != ""},
		{"filter", filters, filters != ""},
		{"max-rps", fmt.Sprint(c.MaxRPS), c.MaxRPS != 0},
		{"budget", c.Budget, c.Budget != ""},
		{"versions", fmt.Sprint(c.Versions), c.Versions},
		{"checksums", fmt.Sprint(c.Checksums), c.Checksums},
		{"inline", fmt.Sprint(c.Inline), c.Inline != defaultInline},
		{"retries", fmt.Sprint(c.Retries), c.Retries != defaultRetries},
		{"concurrency", fmt.Sprint(c.Concurrency), c.Concurrency != 0},
		{"watch", fmt.Sprint(c.Watch), c.Watch},
	} {
		switch {
		case !o.set || fromEnvironment(o.flag, o.value):
		case o.flag == "watch":
			return usagef("--watch is set, but without a ledger nobody knows how far a run is; want --ledger dynamodb:TABLE with it")
		default:
			return usagef("--%s is %q, but without a ledger nothing is kept with a run: set it in the tasks' environment where there is a variable for it (docs/cli.md), or use --ledger dynamodb:TABLE", o.flag, o.value)
		}
	}
	c.Out, c.Inline, c.Retries = "", defaultInline, defaultRetries // of the environment
	c.Format, c.Columns, c.Filter, c.MaxRPS, c.Budget, c.Versions, c.Checksums, c.Concurrency = "", "", nil, 0, "", false, false, 0
	return nil
}

// checkBare refuses what cannot be without a ledger.
func (c *taskCmd) checkBare(f *fleet) error {
	if _, err := f.table(); err != nil {
		return err
	}
	if f.Ledger != ledgerNone {
		return nil
	}
	if c.Out == "" {
		c.Out = f.out
	}
	switch kindOfOut(c.Out) {
	case outNone:
		return nil
	case outQueue:
		_, err := parseOut(named("out", c.Out), c.Out)
		return err
	}
	return usagef("%s is %q, but without a ledger nobody knows which results count: want the URL of an SQS queue, or --ledger dynamodb:TABLE", named("out", c.Out), c.Out)
}

// bareOptions are those of every run where there is no ledger.
func (w *worker) bareOptions() ledger.Options {
	o := ledger.Options{Retries: w.s.retries, Inline: w.s.inline, Out: w.c.Out}
	if o.Out != "" {
		o.Format = inventory.NDJSON.String()
		o.Params = map[string]string{listing.ParamFormat: o.Format}
	}
	return o
}
