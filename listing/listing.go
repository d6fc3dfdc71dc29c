// Package listing is what a run wants of the objects that it finds, whatever it
// finds them by: which of them, as what rows, with totals how deep.
package listing

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/ramify/ramify/filter"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/totals"
)

// The run's options that say so (processor.Node.Params).
const (
	ParamFormat  = "format"       // of the rows, as inventory.ParseFormat reads it; none: no rows
	ParamColumns = "columns"      // of the rows, as inventory.ParseLayout reads them; none: the usual ones
	ParamFilter  = "filter"       // of the objects, as filter.Decode reads it; none: all of them
	ParamDepth   = "prefix_depth" // levels of prefixes below the root's that get totals, as totals.ParseDepth reads it
	// ParamVersions is "true" for all versions and delete markers. Each is a row
	// and counts as an object.
	ParamVersions = "versions"
	// ParamChecksums is "true" for totals with digests, by which two runs are compared.
	ParamChecksums = "checksums"
)

// DefaultDepth is the depth of totals where none is given: what the report of a
// run shows.
const DefaultDepth = 2

// Wish is what a run wants of objects.
type Wish struct {
	Layout   inventory.Layout // of rows; the zero Layout: none
	Filter   *filter.Filter
	Depth    int // of totals per prefix
	Versions bool

	Checksums bool // totals have digests
}

// Read reads the options of a run.
func Read(params map[string]string) (w Wish, err error) {
	w.Depth = DefaultDepth
	if name := params[ParamFormat]; name != "" {
		if w.Layout, err = inventory.ParseLayout(name, params[ParamColumns]); err != nil {
			return Wish{}, fmt.Errorf("read options: %w", err)
		}
	}
	if w.Filter, err = filter.Decode(params[ParamFilter]); err != nil {
		return Wish{}, fmt.Errorf("read options: %w", err)
	}
	if text := params[ParamDepth]; text != "" {
		if w.Depth, err = totals.ParseDepth(text); err != nil {
			return Wish{}, fmt.Errorf("read options: %s: %w", ParamDepth, err)
		}
	}
	if w.Versions, err = readBool(params, ParamVersions); err != nil {
		return Wish{}, err
	}
	if w.Checksums, err = readBool(params, ParamChecksums); err != nil {
		return Wish{}, err
	}
	return w, nil
}

func readBool(params map[string]string, name string) (bool, error) {
	text := params[name]
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("read options: %w", &schema.FieldError{Field: name, Value: text, Want: "true or false"})
	}
	return v, nil
}

// ETags reports whether the run wants to know of objects' ETags.
func (w *Wish) ETags() bool {
	columns := w.Layout.Columns()
	return w.Checksums || columns.Has("etag") || columns.Has("ismultipartuploaded")
}

// Matching is those of the objects that the filter is met by; it takes the place
// of objects. Globs see what follows the first folder bytes of a key.
func (w *Wish) Matching(objects []inventory.Object, folder int) []inventory.Object {
	if w.Filter == nil {
		return objects
	}
	return slices.DeleteFunc(objects, func(o inventory.Object) bool { return !w.Filter.Match(&o, folder) })
}

var blocks = sync.Pool{New: func() any {
	block := make([]byte, 0, 128<<10) // most pages' keys
	return &block
}}

// Deliver counts objects and writes their rows. It writes also where there are
// none: all attempts of a node must commit by the same rule (processor.Out).
func (w *Wish) Deliver(out processor.Out, objects []inventory.Object) error {
	buf := blocks.Get().(*[]byte)
	defer blocks.Put(buf)
	block, rows := (*buf)[:0], 0
	var size int64
	for i := range objects {
		size += objects[i].Size
		if w.Layout != (inventory.Layout{}) {
			block, rows = w.Layout.Append(block, &objects[i]), rows+1
		}
	}
	*buf = block
	out.Count(int64(len(objects)), size)
	if err := out.Write(sink.Rows, block, rows); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}
