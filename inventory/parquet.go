package inventory

import (
	"fmt"
	"io"
	"reflect"

	"github.com/parquet-go/parquet-go"
)

// parquetRow says how each column is kept, in the order of their numbers. Rows
// are written as values, not by reflection on this type, so that an optional
// column can hold a zero that is not null.
type parquetRow struct {
	Bucket              string `parquet:"bucket,dict,zstd"`
	Key                 string `parquet:"key,zstd"`
	VersionID           string `parquet:"version_id,optional,zstd"`
	IsLatest            bool   `parquet:"is_latest,optional,zstd"`
	IsDeleteMarker      bool   `parquet:"is_delete_marker,optional,zstd"`
	Size                int64  `parquet:"size,optional,zstd"`
	LastModifiedDate    int64  `parquet:"last_modified_date,optional,timestamp(millisecond),zstd"`
	ETag                string `parquet:"e_tag,optional,zstd"`
	StorageClass        string `parquet:"storage_class,optional,dict,zstd"`
	IsMultipartUploaded bool   `parquet:"is_multipart_uploaded,optional,zstd"`
}

const (
	parquetBatch    = 512    // rows handed to the library at a time
	parquetRowGroup = 64_000 // rows; what a writer holds in memory
)

// parquetSchema is the schema of columns, in their order: the library sorts the
// fields of a group, and keeps those of a struct as they are.
func parquetSchema(columns Columns) *parquet.Schema {
	all := reflect.TypeFor[parquetRow]()
	fields := make([]reflect.StructField, len(columns.list))
	for i := range fields {
		fields[i] = all.Field(int(columns.list[i]))
	}
	return parquet.NewSchema("s3.inventory", parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Interface()))
}

// ParquetWriter writes a Parquet file. It holds one row group in memory (about
// 20 MiB for usual keys) and serves one goroutine.
type ParquetWriter struct {
	columns Columns
	out     *parquet.GenericWriter[any]
	sized   *countingWriter
	rows    []parquet.Row
	values  []parquet.Value // of the rows
	text    []byte          // of the values
}

// NewParquetWriter begins a file with these columns.
func NewParquetWriter(w io.Writer, columns Columns) *ParquetWriter {
	sized := &countingWriter{w: w}
	return &ParquetWriter{
		columns: columns,
		out: parquet.NewGenericWriter[any](sized, parquetSchema(columns),
			parquet.MaxRowsPerRowGroup(parquetRowGroup), parquet.CreatedBy("ramify", "", "")),
		sized:  sized,
		values: make([]parquet.Value, 0, parquetBatch*len(columns.list)),
	}
}

// Write adds a row.
func (p *ParquetWriter) Write(o *Object) error {
	first := len(p.values)
	for i := range len(p.columns.list) {
		c := column(p.columns.list[i])
		v := p.value(c, o)
		switch {
		case c == bucketColumn || c == keyColumn: // required
			v = v.Level(0, 0, i)
		case v.IsNull():
			v = v.Level(0, 0, i)
		default:
			v = v.Level(0, 1, i)
		}
		p.values = append(p.values, v)
	}
	p.rows = append(p.rows, p.values[first:len(p.values):len(p.values)])
	if len(p.rows) < parquetBatch {
		return nil
	}
	return p.flush()
}

// value is null where the column is unknown.
func (p *ParquetWriter) value(c column, o *Object) parquet.Value {
	switch c {
	case bucketColumn:
		return p.str(o.Bucket)
	case keyColumn:
		return p.str(o.Key)
	case versionColumn:
		return p.known(o.VersionID)
	case latestColumn:
		return parquet.BooleanValue(o.IsLatest)
	case markerColumn:
		return parquet.BooleanValue(o.IsDeleteMarker)
	case sizeColumn:
		if !o.IsDeleteMarker {
			return parquet.Int64Value(o.Size)
		}
	case modifiedColumn:
		if !o.LastModified.IsZero() {
			return parquet.Int64Value(o.LastModified.UnixMilli())
		}
	case etagColumn:
		return p.known(o.ETag)
	case classColumn:
		return p.known(o.StorageClass)
	case multipartColumn:
		if o.ETag != "" {
			return parquet.BooleanValue(multipart(o.ETag))
		}
	}
	return parquet.NullValue()
}

func (p *ParquetWriter) known(s string) parquet.Value {
	if s == "" {
		return parquet.NullValue()
	}
	return p.str(s)
}

func (p *ParquetWriter) str(s string) parquet.Value {
	start := len(p.text)
	p.text = append(p.text, s...)
	return parquet.ByteArrayValue(p.text[start:len(p.text):len(p.text)])
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
