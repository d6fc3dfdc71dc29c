package inventory

import (
	"errors"
	"fmt"
	"io"
	"iter"
)

// Layout is a format and the columns of its rows. Layouts can be compared; the
// zero Layout writes nothing and must not be asked to.
type Layout struct {
	format  Format
	columns Columns
	block   Columns // of the rows of a block: those, or what Parquet is made from
}

// Layout is the format with the columns that nobody has chosen.
func (f Format) Layout() Layout { return f.With(CurrentColumns) }

// With is the format with columns. Keys has its one column whatever is asked for.
func (f Format) With(c Columns) Layout {
	l := Layout{f, c, c}
	switch f {
	case Keys:
		l.columns = columnsOf(keyColumn)
		l.block = l.columns
	case Parquet:
		// Rows are read back before they are written: what a column is derived from
		// must be there.
		if c.has(multipartColumn) {
			l.block = c.with(etagColumn)
		}
	}
	return l
}

// ParseLayout finds a layout by the name of a format and those of columns, as
// ParseFormat and parseColumns read them; columns "" are CurrentColumns.
func ParseLayout(format, columns string) (Layout, error) {
	f, err := ParseFormat(format)
	if err != nil || columns == "" {
		return f.Layout(), err
	}
	if f == Keys {
		return Layout{}, fmt.Errorf("parse columns %q: %w", columns, ErrNoColumns)
	}
	c, err := parseColumns(columns)
	if err != nil {
		return Layout{}, err
	}
	return f.With(c), nil
}

// ErrNoColumns is returned where columns are chosen for a format of keys alone.
var ErrNoColumns = errors.New("format keys writes keys and nothing else; want csv, ndjson or parquet")

// Format is how the rows are written; 0 of the zero Layout.
func (l Layout) Format() Format { return l.format }

// Columns are what the rows say.
func (l Layout) Columns() Columns { return l.columns }

// String names the layout: the format, and the columns in parentheses where they
// are not those that nobody has chosen. Equal names are equal layouts.
func (l Layout) String() string {
	if l == l.format.Layout() || l == (Layout{}) {
		return l.format.String()
	}
	return l.format.String() + "(" + l.columns.String() + ")"
}

// Schema states the columns as a manifest's fileSchema does.
func (l Layout) Schema() string {
	switch l.format {
	case Parquet:
		return "message s3.inventory {  " + l.columns.join("  ", func(c column) string { return names[c].parquetType }) + "}"
	case NDJSON:
		return l.columns.join(", ", func(c column) string { return lower[c] })
	default:
		return l.columns.join(", ", func(c column) string { return names[c].csv })
	}
}

// Append appends the object's row to a block.
func (l Layout) Append(block []byte, o *Object) []byte {
	switch l.format {
	case Keys:
		return appendKey(block, o)
	case NDJSON:
		return appendNDJSON(block, l.block, o)
	default:
		return appendCSV(block, l.block, o)
	}
}

// Pack is Format.Pack.
func (l Layout) Pack(dst, block []byte) []byte { return l.format.Pack(dst, block) }

// Unpack is Format.Unpack.
func (l Layout) Unpack(members io.Reader) (io.ReadCloser, error) { return l.format.Unpack(members) }

// Read yields the objects of rows that Append wrote, as far as their columns say
// what they are. It ends with the first error, which names the row.
func (l Layout) Read(rows io.Reader) iter.Seq2[Object, error] {
	switch l.format {
	case Keys:
		return numbered(l.format, readKeys(rows))
	case NDJSON:
		return numbered(l.format, readNDJSON(rows, l.block))
	default:
		return numbered(l.format, readCSV(rows, l.block))
	}
}

// numbered has the first error name its row, and end what is yielded.
func numbered(f Format, objects iter.Seq2[Object, error]) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		n := 0
		for o, err := range objects {
			n++
			if err != nil {
				yield(Object{}, fmt.Errorf("read %s row %d: %w", f, n, err))
				return
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// multipart reports whether an ETag is that of an object uploaded in parts: a
// digest, '-' and the number of parts (Amazon S3 User Guide, "Checking object
// integrity", multipart uploads).
func multipart(etag string) bool {
	digits := 0
	for i := len(etag) - 1; i > 0; i-- {
		switch c := etag[i]; {
		case c >= '0' && c <= '9':
			digits++
		default:
			return c == '-' && digits > 0
		}
	}
	return false
}
