package inventory

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/parquet-go/parquet-go"
)

// parquetRow names the columns. Rows are written as values, not by reflection
// on this type, so that an optional column can hold a zero that is not null.
type parquetRow struct {
	Bucket           string `parquet:"bucket,dict,zstd"`
	Key              string `parquet:"key,zstd"`
	Size             int64  `parquet:"size,optional,zstd"`
	LastModifiedDate int64  `parquet:"last_modified_date,optional,timestamp(millisecond),zstd"`
	ETag             string `parquet:"e_tag,optional,zstd"`
	StorageClass     string `parquet:"storage_class,optional,dict,zstd"`
}

const (
	parquetColumns  = 6
	parquetBatch    = 512    // rows handed to the library at a time
	parquetRowGroup = 64_000 // rows; what a writer holds in memory
)

var parquetSchema = parquet.NewSchema("s3.inventory", parquet.SchemaOf(parquetRow{}))

// ParquetWriter writes a Parquet file. It holds one row group in memory (about
// 20 MiB for usual keys) and serves one goroutine.
type ParquetWriter struct {
	out    *parquet.GenericWriter[parquetRow]
	sized  *countingWriter
	rows   []parquet.Row
	values []parquet.Value // of the rows
	text   []byte          // of the values
}

// NewParquetWriter begins a file.
func NewParquetWriter(w io.Writer) *ParquetWriter {
	sized := &countingWriter{w: w}
	return &ParquetWriter{
		out: parquet.NewGenericWriter[parquetRow](sized, parquetSchema,
			parquet.MaxRowsPerRowGroup(parquetRowGroup), parquet.CreatedBy("ramify", "", "")),
		sized:  sized,
		values: make([]parquet.Value, 0, parquetBatch*parquetColumns),
	}
}

// Write adds a row.
func (p *ParquetWriter) Write(o *Object) error {
	first := len(p.values)
	p.values = append(p.values,
		p.str(o.Bucket).Level(0, 0, 0),
		p.str(o.Key).Level(0, 0, 1),
		parquet.Int64Value(o.Size).Level(0, 1, 2),
		optional(!o.LastModified.IsZero(), parquet.Int64Value(o.LastModified.UnixMilli()), 3),
		optional(o.ETag != "", p.str(o.ETag), 4),
		optional(o.StorageClass != "", p.str(o.StorageClass), 5),
	)
	p.rows = append(p.rows, p.values[first:len(p.values):len(p.values)])
	if len(p.rows) < parquetBatch {
		return nil
	}
	return p.flush()
}

func (p *ParquetWriter) str(s string) parquet.Value {
	start := len(p.text)
	p.text = append(p.text, s...)
	return parquet.ByteArrayValue(p.text[start:len(p.text):len(p.text)])
}

func optional(known bool, v parquet.Value, column int) parquet.Value {
	if !known {
		return parquet.NullValue().Level(0, 0, column)
	}
	return v.Level(0, 1, column)
}

func (p *ParquetWriter) flush() error {
	if len(p.rows) > 0 {
		if _, err := p.out.WriteRows(p.rows); err != nil {
			return fmt.Errorf("write parquet rows: %w", err)
		}
	}
	p.rows, p.values, p.text = p.rows[:0], p.values[:0], p.text[:0]
	return nil
}

// Size is how many bytes were written to the medium; what is held in memory
// comes on top.
func (p *ParquetWriter) Size() int64 { return p.sized.n }

// Close writes what is held and the footer. It does not close the medium.
func (p *ParquetWriter) Close() error {
	if err := p.flush(); err != nil {
		return err
	}
	if err := p.out.Close(); err != nil {
		return fmt.Errorf("finish parquet file: %w", err)
	}
	return nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// ReadParquet yields the objects of a Parquet file that a ParquetWriter wrote.
// It ends with the first error.
func ReadParquet(r io.ReaderAt, size int64) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		file, err := parquet.OpenFile(r, size)
		if err != nil {
			yield(Object{}, fmt.Errorf("read parquet: %w", err))
			return
		}
		rows := parquet.NewGenericReader[parquetRow](file, parquetSchema)
		defer func() { _ = rows.Close() }() // only read from
		batch := make([]parquet.Row, parquetBatch)
		for {
			n, err := rows.ReadRows(batch)
			for _, row := range batch[:n] {
				if !yield(parquetObject(row), nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Object{}, fmt.Errorf("read parquet: %w", err))
				return
			}
		}
	}
}

func parquetObject(row parquet.Row) Object {
	text := func(column int) string { return string(row[column].ByteArray()) } // nil of a null
	o := Object{Bucket: text(0), Key: text(1), Size: row[2].Int64(), ETag: text(4), StorageClass: text(5)}
	if !row[3].IsNull() {
		o.LastModified = time.UnixMilli(row[3].Int64()).UTC()
	}
	return o
}
