package app

import (
	"errors"
	"strings"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor/s3copy"
	"github.com/ramify/ramify/processor/s3objects"
)

// checkResults refuses flags that say how to write results and cannot be met,
// and makes explicit what was left to us.
func (c *walkFlags) checkResults(kind string) (err error) {
	crawl := findsObjects(kind) && kind != s3objects.Kind // whose objects' nodes write
	switch {
	case c.Out == "" && c.Format != "":
		return usagef("--format is %q, but without --out there are no results to write", c.Format)
	case c.Out == "" && c.Columns != "":
		return usagef("--columns is %q, but without --out there are no results to write", c.Columns)
	case c.Out == "":
		return nil
	case kind == s3copy.Kind:
		return c.checkReport()
	case !crawl && c.Columns != "":
		return usagef("--columns is %q, but nodes of kind %s write no objects", c.Columns, kind)
	case c.Format != "":
	case !crawl:
		c.Format = inventory.NDJSON.String()
	case c.Out == "-" && c.Columns == "":
		c.Format = inventory.Keys.String()
	default:
		c.Format = inventory.CSV.String()
	}
	f, err := inventory.ParseFormat(c.Format)
	switch {
	case err != nil:
		return usagef("--format is %q, want keys, csv, ndjson or parquet", c.Format)
	case !crawl && f != inventory.NDJSON: // the formats of objects are written by what finds objects
		return usagef("--format is %s, but what nodes of kind %s write is ndjson", c.Format, kind)
	case c.Out == "-" && f == inventory.Parquet:
		return usagef("--format is parquet, which cannot be streamed; want keys, csv or ndjson with --out -")
	case kindOfOut(c.Out) == outQueue && f == inventory.Parquet:
		return usagef("--format is parquet, which cannot be cut into messages; want keys, csv or ndjson with the URL of a queue for --out")
	case c.Out == "-" && c.JSON:
		return usagef("--json and --out - both write to standard output; want one of them")
	}
	if err := c.checkColumns(f); err != nil {
		return err
	}
	c.Out, err = parseOut("--out", c.Out)
	return err
}

// checkColumns makes the columns those that are kept with the run.
func (c *walkFlags) checkColumns(f inventory.Format) error {
	if c.Columns == "" && c.Versions && f != inventory.Keys {
		c.Columns = inventory.VersionColumns.String()
	}
	if c.Columns == "" {
		return nil
	}
	l, err := inventory.ParseLayout(f.String(), c.Columns)
	if err == nil && l.Columns() == inventory.OutcomeColumns {
		err = errors.New("these are the columns of a report")
	}
	if errors.Is(err, inventory.ErrNoColumns) {
		return usagef("--columns is %q, but --format keys writes keys and nothing else; want --format csv, ndjson or parquet", c.Columns)
	}
	if err != nil {
		return usagef("--columns is %q, want some of %s, each once", c.Columns, strings.Join(inventory.ColumnNames(), ", "))
	}
	for _, name := range []string{"versionid", "islatest", "isdeletemarker"} {
		if !c.Versions && l.Columns().Has(name) {
			return usagef("--columns is %q, but without --versions no %s is listed", c.Columns, name)
		}
	}
	c.Columns = l.Columns().String()
	return nil
}
