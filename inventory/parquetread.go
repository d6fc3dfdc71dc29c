package inventory

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// ReadParquet yields the objects of a Parquet file, whoever wrote it: columns are
// found by their names in S3 Inventory, in any order, required or optional, with
// dates in any unit. Others are not read. It ends with the first error.
func ReadParquet(r io.ReaderAt, size int64) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if _, err := readParquet(r, size, yield); err != nil {
			yield(Object{}, fmt.Errorf("read parquet: %w", err))
		}
	}
}

// guarded makes an error of a panic: the library trusts what a file says of
// itself.
func guarded(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	return read()
}

// leaf is a column of a file that is read.
type leaf struct {
	column column
	unit   time.Duration // of a date
}

func readParquet(r io.ReaderAt, size int64, yield func(Object, error) bool) (more bool, err error) {
	var (
		groups []parquet.RowGroup
		leaves []leaf
	)
	err = guarded(func() error {
		if err := checkFooter(r, size); err != nil {
			return err
		}
		file, err := parquet.OpenFile(r, size)
		if err != nil {
			return err
		}
		var schema *parquet.Schema
		if schema, leaves, err = wanted(file); err != nil {
			return err
		}
		if err := checkPages(file, r, size, schema.Columns()); err != nil {
			return err
		}
		only, err := parquet.Convert(schema, file.Schema())
		if err != nil {
			return err
		}
		for _, group := range file.RowGroups() {
			groups = append(groups, parquet.ConvertRowGroup(group, only))
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, group := range groups {
		if more, err = readGroup(group, leaves, yield); err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

// wanted is the part of a file's schema that is read, and what its leaves mean.
func wanted(file *parquet.File) (*parquet.Schema, []leaf, error) {
	nodes := parquet.Group{}
	found := map[string]leaf{}
	var columns Columns
	for _, c := range file.Root().Columns() {
		known := findColumn(c.Name())
		if known >= multipartColumn || columns.has(known) {
			continue
		}
		l, err := leafOf(c, known)
		if err != nil {
			return nil, nil, fmt.Errorf("column %s: %w", c.Name(), err)
		}
		columns = columns.with(known)
		nodes[c.Name()], found[c.Name()] = c, l
	}
	if !columns.has(keyColumn) {
		return nil, nil, errors.New("there is no column key")
	}
	schema := parquet.NewSchema(file.Schema().Name(), nodes)
	leaves := make([]leaf, len(found))
	for i, path := range schema.Columns() {
		leaves[i] = found[path[0]]
	}
	return schema, leaves, nil
}

// leafOf checks that a column can be what its name says.
func leafOf(c *parquet.Column, known column) (leaf, error) {
	if !c.Leaf() || c.Repeated() {
		return leaf{}, errors.New("want one value a row")
	}
	kind := c.Type().Kind()
	l, want := leaf{column: known}, "text"
	var ok bool
	switch known {
	case latestColumn, markerColumn:
		want, ok = "BOOLEAN", kind == parquet.Boolean
	case sizeColumn:
		want, ok = "INT64", kind == parquet.Int64 || kind == parquet.Int32
	case modifiedColumn:
		want, ok = "a TIMESTAMP in INT64", kind == parquet.Int64
		l.unit = unitOf(c.Type())
	default:
		ok = kind == parquet.ByteArray || kind == parquet.FixedLenByteArray
	}
	if !ok {
		return leaf{}, fmt.Errorf("its type is %s, want %s", c.Type(), want)
	}
	return l, nil
}

// unitOf is what a date counts: milliseconds if nothing is said.
func unitOf(t parquet.Type) time.Duration {
	if logical := t.LogicalType(); logical != nil {
		if stamp, ok := logical.Value.(*format.TimestampType); ok && stamp.Unit.Value != nil {
			return stamp.Unit.Value.Duration()
		}
	}
	return time.Millisecond
}

func readGroup(group parquet.RowGroup, leaves []leaf, yield func(Object, error) bool) (more bool, err error) {
	var rows parquet.Rows
	if err := guarded(func() error { rows = group.Rows(); return nil }); err != nil {
		return false, err
	}
	defer func() { _ = guarded(rows.Close) }() // only read from
	objects, batch := make([]Object, 0, parquetBatch), make([]parquet.Row, parquetBatch)
	for {
		objects = objects[:0]
		err := guarded(func() error {
			n, err := rows.ReadRows(batch)
			for _, row := range batch[:n] {
				var o Object
				for _, v := range row {
					leaves[v.Column()].set(&o, v)
				}
				objects = append(objects, o)
			}
			return err
		})
		for _, o := range objects {
			if !yield(o, nil) {
				return false, nil
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil:
			return false, err
		}
	}
}

// set sets what a value says; null says nothing.
func (l leaf) set(o *Object, v parquet.Value) {
	if v.IsNull() {
		return
	}
	switch l.column {
	case bucketColumn:
		o.Bucket = string(v.ByteArray())
	case keyColumn:
		o.Key = string(v.ByteArray())
	case versionColumn:
		o.VersionID = string(v.ByteArray())
	case latestColumn:
		o.IsLatest = v.Boolean()
	case markerColumn:
		o.IsDeleteMarker = v.Boolean()
	case sizeColumn:
		if o.Size = v.Int64(); v.Kind() == parquet.Int32 {
			o.Size = int64(v.Int32())
		}
	case modifiedColumn:
		o.LastModified = dateOf(v.Int64(), l.unit)
	case etagColumn:
		o.ETag = string(v.ByteArray())
	case classColumn:
		o.StorageClass = string(v.ByteArray())
	}
}

// dateOf is a date kept to the millisecond, from a count of units since 1970.
func dateOf(n int64, unit time.Duration) time.Time {
	per := int64(time.Millisecond / unit)
	ms := n / per
	if n%per < 0 {
		ms-- // down, before 1970 too
	}
	return time.UnixMilli(ms).UTC()
}
