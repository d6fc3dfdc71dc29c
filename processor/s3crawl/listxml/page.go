// Package listxml decodes the answers to ListObjectsV2 and ListObjectVersions:
// bytes in, a page out. It takes any XML that means the same, whatever its
// layout, and knows three outcomes: a page, ErrDoubt where something is
// unusual enough that a general decoder should look at it, and an error where
// the document is malformed or cut short. It never makes a shorter page of a
// document that it did not understand.
//
// A page costs a handful of allocations: its strings are cut out of one arena.
// Whoever keeps a key longer than the page must clone it (strings.Clone), or
// keeps the keys of the whole page.
//
// Source: Amazon S3 API Reference, "ListObjectsV2" and "ListObjectVersions",
// Response Syntax; W3C, "Extensible Markup Language (XML) 1.0 (Fifth Edition)".
package listxml

import (
	"errors"
	"fmt"

	"github.com/ramify/ramify/inventory"
)

// ErrDoubt says that a document may be fine, but is not of a form that this
// package is sure of: another decoder must decide.
var ErrDoubt = errors.New("a listing of an unusual form")

// SyntaxError is a document that is malformed or ends too soon.
type SyntaxError struct {
	At   int // bytes before it
	What string
}

// Error is one line.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("malformed XML at byte %d: %s", e.At, e.What)
}

// Page is what one answer says. What it says of itself — whether there is more,
// how many keys it holds — is not checked here.
type Page struct {
	// Objects are in the order of the document, with neither their bucket nor
	// any check of their keys. A delete marker is an object without a size.
	Objects []inventory.Object
	// Prefixes are the common prefixes.
	Prefixes []string

	IsTruncated   bool
	SaysTruncated bool // IsTruncated was found
	KeyCount      int
	SaysKeyCount  bool // KeyCount was found
	UTF8          bool // the keys and prefixes are known to be UTF-8

	NoETags bool // asked of Decode: leave out the objects' ETags, to save memory

	// Where to go on. These are not in the arena, and "" where not found.
	NextToken           string // NextContinuationToken
	NextKeyMarker       string
	NextVersionIDMarker string
}

// Reset empties the page and keeps its memory. Nothing that was cut out of its
// arena is held any more.
func (p *Page) Reset() {
	clear(p.Objects)
	clear(p.Prefixes)
	*p = Page{Objects: p.Objects[:0], Prefixes: p.Prefixes[:0], NoETags: p.NoETags}
}
