package inventory

import (
	"fmt"
	"io"
	"strings"
)

// Format is how the rows of a listing are written. The zero Format is none.
//
// A listing is built from blocks: rows are appended to a block with
// Layout.Append, the block becomes a member with Pack, and members one after
// another are a file. A member stands alone, so leaving some out needs no
// decompression. Parquet is the exception: its members are a spool, CSV rows in
// zstd frames, from which a ParquetWriter makes the file.
type Format uint8

// The formats of a listing.
const (
	// Keys is one key a line, not compressed: backslash, newline and carriage
	// return are written `\\`, `\n` and `\r`, so that a line is a key. It keeps
	// nothing else of an object.
	Keys Format = iota + 1

	// CSV is the layout of S3 Inventory, gzipped: no header, every field quoted.
	// Key is URL-encoded: '/' as it is, space as '+', other bytes than letters,
	// digits and -_.* as %XX. LastModifiedDate is ISO 8601 with milliseconds, UTC;
	// what is true or false is "true" or "false". What is unknown is empty, and so
	// is the size of a delete marker.
	CSV

	// NDJSON is one JSON object a line in zstd frames, with the names of the CSV
	// columns in lower case. Texts that are unknown are "", anything else that is
	// unknown, and the size of a delete marker, is null. JSON is UTF-8: a byte that
	// is not is replaced by U+FFFD.
	NDJSON

	// Parquet has the columns of S3 Inventory's Parquet reports, such as version_id
	// and last_modified_date (milliseconds, UTC). What is unknown is null, and so is
	// the size of a delete marker.
	Parquet
)

// formats are what distinguishes them.
var formats = [...]struct {
	name     string // as people write it
	ext      string // of a file's name
	manifest string // fileFormat
	packing  packing
}{
	Keys:    {name: "keys", ext: ".txt", manifest: "Keys"},
	CSV:     {name: "csv", ext: ".csv.gz", manifest: "CSV", packing: gzipped},
	NDJSON:  {name: "ndjson", ext: ".ndjson.zst", manifest: "NDJSON", packing: zstandard},
	Parquet: {name: "parquet", ext: ".parquet", manifest: "Parquet", packing: zstandard},
}

// ParseFormat finds a format by its name: keys, csv, ndjson or parquet.
func ParseFormat(name string) (Format, error) {
	var all []string
	for f := Keys; f <= Parquet; f++ {
		if formats[f].name == name {
			return f, nil
		}
		all = append(all, formats[f].name)
	}
	return 0, fmt.Errorf("parse format %q: want one of %s", name, strings.Join(all, ", "))
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
