// Package inventory is the rows of a listing: what is known of an object, and
// the formats in which lists of objects are written and read back. The columns
// and layouts are those of Amazon S3 Inventory, so what reads its reports reads
// ours, and its reports can be read here. It knows no other room of the house.
//
// Source: Amazon S3 User Guide, "Cataloging and analyzing your data with S3
// Inventory" and "Locating your inventory list".
package inventory

import "time"

// Object is one row of a listing: an object, one of its versions, or a delete
// marker, which has neither size nor ETag nor class. Key may be any UTF-8 that S3
// allows, control characters included; the other texts are plain ASCII.
type Object struct {
	Bucket       string
	Key          string
	Size         int64     // bytes
	LastModified time.Time // kept to the millisecond; zero if unknown
	ETag         string    // without the quotes that S3's answers put around it; "" if unknown
	StorageClass string    // "" if unknown

	// Of a listing of versions; else zero.
	VersionID      string // "null" for one that was put without versioning
	IsLatest       bool   // the key's current version, or the delete marker that hides them
	IsDeleteMarker bool   // no version, but the mark of a deletion
}
