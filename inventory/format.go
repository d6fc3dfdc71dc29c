package inventory

import (
	"fmt"
	"io"
	"iter"
	"strings"
)

// Format is how a listing is written. The zero Format is none of them.
//
// A listing is built from blocks: rows are appended to a block with Append, the
// block becomes a member with Pack, and members one after another are a file.
// A member stands alone, so leaving some out needs no decompression. Parquet is
// the exception: its members are a spool, CSV rows in zstd frames, from which a
// ParquetWriter makes the file.
type Format uint8

// The formats of a listing.
const (
	// Keys is one key a line, not compressed: backslash, newline and carriage
	// return are written `\\`, `\n` and `\r`, so that a line is a key. It keeps
	// nothing else of an object.
	Keys Format = iota + 1

	// CSV is the layout of S3 Inventory, gzipped: no header, every field quoted,
	// Bucket, Key (URL-encoded: '/' as it is, space as '+', other bytes than
	// letters, digits and -_.* as %XX), Size, LastModifiedDate (ISO 8601 with
	// milliseconds, UTC; empty if unknown), ETag, StorageClass.
	CSV

	// NDJSON is one JSON object a line in zstd frames, with the names of the CSV
	// columns in lower case: bucket, key, size, lastmodifieddate (null if
	// unknown), etag, storageclass. JSON is UTF-8: a byte that is not is replaced
	// by U+FFFD.
	NDJSON

	// Parquet has the columns of S3 Inventory's Parquet reports: bucket, key,
	// size, last_modified_date (milliseconds, UTC), e_tag, storage_class; unknown
	// values are null.
	Parquet
)

// traits are what distinguishes the formats.
type traits struct {
	name     string // as people write it
	ext      string // of a file's name
	manifest string // fileFormat
	schema   string // fileSchema
	packing  packing
	write    func([]byte, *Object) []byte
	read     func(io.Reader) iter.Seq2[Object, error]
}

var formats = [...]traits{
	Keys: {
		name: "keys", ext: ".txt", manifest: "Keys",
		schema: "Key",
		write:  appendKey, read: readKeys,
	},
	CSV: {
		name: "csv", ext: ".csv.gz", manifest: "CSV", packing: gzipped,
		schema: "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass",
		write:  appendCSV, read: readCSV,
	},
	NDJSON: {
		name: "ndjson", ext: ".ndjson.zst", manifest: "NDJSON", packing: zstandard,
		schema: "bucket, key, size, lastmodifieddate, etag, storageclass",
		write:  appendNDJSON, read: readNDJSON,
	},
	Parquet: {
		name: "parquet", ext: ".parquet", manifest: "Parquet", packing: zstandard,
		schema: "message s3.inventory {  required binary bucket (STRING);  required binary key (STRING);" +
			"  optional int64 size;  optional int64 last_modified_date (TIMESTAMP(MILLIS,true));" +
			"  optional binary e_tag (STRING);  optional binary storage_class (STRING);}",
		write: appendCSV, read: readCSV,
	},
}

// ParseFormat finds a format by its name: keys, csv, ndjson or parquet.
func ParseFormat(name string) (Format, error) {
	var names []string
	for f := Keys; f <= Parquet; f++ {
		if formats[f].name == name {
			return f, nil
		}
		names = append(names, formats[f].name)
	}
	return 0, fmt.Errorf("parse format %q: want one of %s", name, strings.Join(names, ", "))
}

// String is the name that ParseFormat reads.
func (f Format) String() string {
	if f == 0 || f > Parquet {
		return fmt.Sprintf("Format(%d)", uint8(f))
	}
	return formats[f].name
}

// Ext is how the name of a file in the format ends: ".txt", ".csv.gz",
// ".ndjson.zst" or ".parquet".
func (f Format) Ext() string { return formats[f].ext }

// Append appends the object's row to a block.
func (f Format) Append(block []byte, o *Object) []byte { return formats[f].write(block, o) }

// Pack appends the block to dst as one member; an empty block is no member. The
// block and dst must not overlap.
func (f Format) Pack(dst, block []byte) []byte {
	if len(block) == 0 {
		return dst
	}
	return formats[f].packing.pack(dst, block)
}

// Unpack reads the blocks of members that follow one another.
func (f Format) Unpack(members io.Reader) (io.ReadCloser, error) {
	r, err := formats[f].packing.unpack(members)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", f, err)
	}
	return r, nil
}

// Read yields the objects of rows that Append wrote. It ends with the first
// error, which names the row.
func (f Format) Read(rows io.Reader) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		n := 0
		for o, err := range formats[f].read(rows) {
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
