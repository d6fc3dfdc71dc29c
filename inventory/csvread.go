package inventory

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// ReadCSV yields the objects of rows in the CSV of S3 Inventory, decompressed,
// whose columns are those that a manifest's fileSchema names, in any order; ones
// that are not known here are passed over. It ends with the first error, which
// names the row.
func ReadCSV(rows io.Reader, schema string) iter.Seq2[Object, error] {
	columns := parseSchema(schema)
	if !columns.has(keyColumn) {
		return failed(fmt.Errorf("read csv: the schema %q has no Key", schema))
	}
	return numbered(CSV, readCSV(rows, columns))
}

// parseSchema reads names with commas between them, known or not.
func parseSchema(schema string) Columns {
	var list []column
	for name := range strings.SplitSeq(schema, ",") {
		list = append(list, findColumn(name))
	}
	return columnsOf(list...)
}

func failed(err error) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) { yield(Object{}, err) }
}

func readCSV(r io.Reader, columns Columns) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		in := &rowReader{r: r}
		rows := csv.NewReader(in)
		rows.FieldsPerRecord = len(columns.list)
		rows.ReuseRecord = true
		told := columns.has(markerColumn)
		for {
			in.next()
			row, err := rows.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			var o Object
			if err == nil {
				o, err = parseCSV(row, columns, told)
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// parseCSV reads a row. Only delete markers have no size: it tells them where no
// column does.
func parseCSV(row []string, columns Columns, told bool) (o Object, err error) {
	for i, field := range row {
		c := column(columns.list[i])
		if c == sizeColumn && field == "" && !told {
			o.IsDeleteMarker = true
		}
		if err := setField(&o, c, field); err != nil {
			return Object{}, fmt.Errorf("parse %s %q: %w", names[c].csv, field, err)
		}
	}
	return o, nil
}

// setField sets what a field of a CSV row says.
func setField(o *Object, c column, field string) (err error) {
	switch c {
	case bucketColumn:
		o.Bucket = field
	case keyColumn:
		o.Key, err = decodeURL(field)
	case versionColumn:
		o.VersionID = field
	case latestColumn:
		o.IsLatest, err = parseBool(field)
	case markerColumn:
		o.IsDeleteMarker, err = parseBool(field)
	case sizeColumn:
		if field != "" {
			o.Size, err = strconv.ParseInt(field, 10, 64)
		}
	case modifiedColumn:
		o.LastModified, err = parseTime(field)
	case etagColumn:
		o.ETag = field
	case classColumn:
		o.StorageClass = field
	}
	return err
}

// parseBool reads true and false in any case; "", which is unknown, is false.
func parseBool(s string) (bool, error) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, nil
	case s == "", strings.EqualFold(s, "false"):
		return false, nil
	default:
		return false, errors.New("want true or false")
	}
}
