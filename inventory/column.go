package inventory

import (
	"fmt"
	"slices"
	"strings"
)

// column is one thing that a listing says of an object.
type column uint8

const (
	bucketColumn column = iota
	keyColumn
	versionColumn
	latestColumn
	markerColumn
	sizeColumn
	modifiedColumn
	etagColumn
	classColumn
	multipartColumn // derived from the ETag when it is written; not read

	// Of reports of what was done to objects, and not of listings.
	statusColumn
	errorColumn
	httpColumn
	messageColumn

	unknownColumn // of others' listings: passed over
)

const listed = statusColumn // columns of listings are those before it

// names are those of S3 Inventory, in CSV and, within its types, in Parquet. NDJSON and
// people take those of CSV in lower case.
var names = [unknownColumn]struct{ csv, parquetType string }{
	bucketColumn:    {"Bucket", "required binary bucket (STRING);"},
	keyColumn:       {"Key", "required binary key (STRING);"},
	versionColumn:   {"VersionId", "optional binary version_id (STRING);"},
	latestColumn:    {"IsLatest", "optional boolean is_latest;"},
	markerColumn:    {"IsDeleteMarker", "optional boolean is_delete_marker;"},
	sizeColumn:      {"Size", "optional int64 size;"},
	modifiedColumn:  {"LastModifiedDate", "optional int64 last_modified_date (TIMESTAMP(MILLIS,true));"},
	etagColumn:      {"ETag", "optional binary e_tag (STRING);"},
	classColumn:     {"StorageClass", "optional binary storage_class (STRING);"},
	multipartColumn: {"IsMultipartUploaded", "optional boolean is_multipart_uploaded;"},
	statusColumn:    {csv: "TaskStatus"},
	errorColumn:     {csv: "ErrorCode"},
	httpColumn:      {csv: "HTTPStatusCode"},
	messageColumn:   {csv: "ResultMessage"},
}

// lower are the names as people write them.
var lower = func() (l [unknownColumn]string) {
	for c := range unknownColumn {
		l[c] = strings.ToLower(names[c].csv)
	}
	return l
}()

// findColumn finds a column by its name in any format, in any case.
func findColumn(name string) column {
	name = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), "_", ""))
	for c, known := range lower {
		if known == name {
			return column(c)
		}
	}
	return unknownColumn
}

// Columns are what a listing says of each object, in order. Two are equal if
// they are the same columns in the same order; the zero Columns are none.
type Columns struct {
	list string // a byte a column
}

// The columns of a listing for which nobody has chosen any.
var (
	CurrentColumns = columnsOf(bucketColumn, keyColumn, sizeColumn, modifiedColumn, etagColumn, classColumn)
	VersionColumns = columnsOf(bucketColumn, keyColumn, versionColumn, latestColumn, markerColumn,
		sizeColumn, modifiedColumn, etagColumn, classColumn)
)

// OutcomeColumns are those of a report, in the order in which S3 Batch Operations
// has them.
var OutcomeColumns = columnsOf(bucketColumn, keyColumn, versionColumn, statusColumn, errorColumn, httpColumn, messageColumn)

func columnsOf(list ...column) Columns {
	b := make([]byte, len(list))
	for i, c := range list {
		b[i] = byte(c)
	}
	return Columns{string(b)}
}

// parseColumns reads the names of columns, in any case and with commas between
// them: bucket, key, versionid, islatest, isdeletemarker, size,
// lastmodifieddate, etag, storageclass, ismultipartuploaded; or OutcomeColumns.
func parseColumns(text string) (Columns, error) {
	if text == OutcomeColumns.String() {
		return OutcomeColumns, nil
	}
	var list []column
	for name := range strings.SplitSeq(text, ",") {
		c := findColumn(name)
		if c >= listed {
			return Columns{}, fmt.Errorf("parse columns %q: %q is none of %s", text, strings.TrimSpace(name), strings.Join(lower[:listed], ", "))
		}
		if columnsOf(list...).has(c) {
			return Columns{}, fmt.Errorf("parse columns %q: %s stands there twice", text, lower[c])
		}
		list = append(list, c)
	}
	return columnsOf(list...), nil
}

// ColumnNames are the names that parseColumns knows, of columns of listings.
func ColumnNames() []string { return slices.Clone(lower[:listed]) }

// String is what parseColumns reads.
func (c Columns) String() string { return c.join(",", func(c column) string { return lower[c] }) }

// Has reports whether a column is among them, by its name in any case.
func (c Columns) Has(name string) bool {
	found := findColumn(name)
	return found != unknownColumn && c.has(found)
}

func (c Columns) has(one column) bool { return strings.IndexByte(c.list, byte(one)) >= 0 }

// with is the columns and one more, unless it is among them.
func (c Columns) with(one column) Columns {
	if c.has(one) {
		return c
	}
	return Columns{c.list + string([]byte{byte(one)})}
}

func (c Columns) join(between string, name func(column) string) string {
	var b strings.Builder
	for i := range len(c.list) {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(name(column(c.list[i])))
	}
	return b.String()
}
