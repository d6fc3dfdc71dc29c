// Package s3crawl is the processor of kind "s3.crawl": it lists a bucket
// exactly, in as few requests as a flat listing, with many listers at a time.
//
// A node is a set of key ranges (after, until] below a prefix; the root is one
// range, the whole prefix. A unit lists its ranges with one lister a slot, and
// an idle slot cuts the range that has the most left (split.go guesses where).
// A guess decides only speed. What makes the listing exact is this:
//
//   - the ranges of a node, and the pieces they are cut into, tile what is
//     unlisted: a cut replaces (a, b] by (a, c] and (c, b];
//   - a page is trimmed to the bound in force when it arrives, so a range may be
//     cut while its page is under way;
//   - a piece ends only on a key at or beyond its bound or on IsTruncated=false,
//     and a page that does not say so, miscounts or is out of order is an error.
//
// Of versions, cuts are made between keys, but a page may end within one: a range
// then begins behind a version of its first key.
//
// A key that exists throughout the walk is therefore listed exactly once, also
// where others come and go.
//
// With Pages a crawl works on what it lists (pages.go): copies, and whatever is done
// to each object or page. A slot lists or works, whatever is wanted most (crew.go),
// so a unit has few pages ahead; when it ends, the first object that is not done is
// where a child begins.
//
// The other mode, "prefix", is for those who need one node per prefix: a node
// lists what is directly below its prefix, and its children are the prefixes
// below that.
//
// Source: Amazon S3 API Reference, "ListObjectsV2" and "ListObjectVersions"; Amazon S3 User Guide,
// "Creating object key names" and "Listing object keys programmatically".
package s3crawl
