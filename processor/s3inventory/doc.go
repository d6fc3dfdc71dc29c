// Package s3inventory is the processor of kind "s3.inventory": it takes the
// objects of a bucket from an inventory of it, S3's own or ours, without a LIST.
//
// The root is a manifest; each data file that it names is a child. A data file
// is fetched whole into a temporary file, held against the size and the MD5 that
// the manifest states, and only then read: Parquet is read out of order, and no
// row of a damaged file is ever shown to anybody. Its rows are one attempt's
// results, so whatever is retried or killed, each counts once.
//
// Of an inventory of all versions, those that are the current ones and no delete
// markers are taken, unless the run asks for all.
//
// Memory is that of the files that are read at a time, no more than there are
// processors and one, and of the totals per prefix of each, which are taken when
// they fill 8 MiB.
//
// Source: Amazon S3 User Guide, "Cataloging and analyzing your data with S3
// Inventory" and "Locating your inventory list".
package s3inventory
