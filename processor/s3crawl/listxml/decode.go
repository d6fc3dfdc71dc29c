package listxml

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// decoder is the working memory of Decode.
type decoder struct {
	scanner
	page     *Page
	said     field // of the page
	texts    []texts
	prefixes []ref
	url      bool
	marker   ref     // NextKeyMarker
	forms    [2]form // of objects read: of a delete marker the second
}

// field is a set of elements that may stand once.
type field uint16

const (
	isTruncated field = 1 << iota
	keyCount
	nextToken
	nextKeyMarker
	nextVersionIDMarker
	encodingType
	key
	size
	lastModified
	etag
	storageClass
	versionID
	isLatest
	ignored
)

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// Decode makes the page of a body, which it does not keep, in the page's own
// memory. The error is ErrDoubt or a *SyntaxError; the page is then empty.
func (p *Page) Decode(body []byte) error {
	p.Reset()
	if len(body) > math.MaxInt32 {
		return ErrDoubt
	}
	// An object takes more than that: the slice need not grow.
	p.Objects = slices.Grow(p.Objects, min(len(body)/128, 1000))
	d := decoders.Get().(*decoder)
	*d = decoder{
		scanner: scanner{doc: body, open: d.open[:0], kept: d.kept[:0]},
		page:    p, texts: d.texts[:0], prefixes: d.prefixes[:0],
		forms: [2]form{{slots: d.forms[0].slots[:0]}, {slots: d.forms[1].slots[:0]}},
	}
	err := d.document()
	if err == nil {
		err = d.cut()
	}
	d.doc, d.page = nil, nil
	decoders.Put(d)
	if err != nil {
		p.Reset()
	}
	return err
}

func (d *decoder) document() error {
	root, err := d.root()
	if err != nil {
		return err
	}
	switch string(root) {
	case "ListBucketResult":
		err = d.elements(d.objects)
	case "ListVersionsResult", "ListBucketVersionsResult": // the latter by gofakes3
		err = d.elements(d.versions)
	default:
		return ErrDoubt
	}
	if err != nil {
		return err
	}
	return d.tail()
}

// elements calls take with the name of every element in the open one, which is
// the root, but for objects that are like one before.
func (d *decoder) elements(take func(local []byte) error) error {
	for {
		for d.alike() {
		}
		local, ok, err := d.child()
		if err != nil || !ok {
			return err
		}
		if err := take(local); err != nil {
			return err
		}
	}
}

// objects takes an element of ListBucketResult.
func (d *decoder) objects(local []byte) error {
	switch string(local) {
	case "Contents":
		return d.object(false)
	case "NextContinuationToken":
		return d.text(nextToken, &d.page.NextToken)
	case "KeyCount":
		r, err := d.once(&d.said, keyCount)
		if err != nil {
			return err
		}
		n, ok := number(d.bytes(r))
		if !ok || n > math.MaxInt32 {
			return ErrDoubt
		}
		d.page.KeyCount, d.page.SaysKeyCount = int(n), true
		return nil
	}
	return d.either(local, "Contents", "NextContinuationToken", "KeyCount")
}

// versions takes an element of ListVersionsResult.
func (d *decoder) versions(local []byte) error {
	switch string(local) {
	case "Version":
		return d.object(false)
	case "DeleteMarker":
		return d.object(true)
	case "NextKeyMarker":
		r, err := d.once(&d.said, nextKeyMarker)
		d.marker = r
		return err
	case "NextVersionIdMarker":
		return d.text(nextVersionIDMarker, &d.page.NextVersionIDMarker)
	}
	return d.either(local, "Version", "DeleteMarker", "NextKeyMarker", "NextVersionIdMarker")
}

// either takes an element that both kinds of listing have. One whose name is
// known but for the case of its letters is in doubt: the SDK takes it.
func (d *decoder) either(local []byte, others ...string) error {
	switch string(local) {
	case "CommonPrefixes":
		return d.commonPrefix()
	case "IsTruncated":
		r, err := d.once(&d.said, isTruncated)
		if err != nil {
			return err
		}
		d.page.SaysTruncated = true
		d.page.IsTruncated, err = boolean(d.bytes(r))
		return err
	case "EncodingType":
		r, err := d.once(&d.said, encodingType)
		if err != nil {
			return err
		}
		switch string(d.bytes(r)) {
		case "":
		case "url":
			d.url = true
		default:
			return ErrDoubt
		}
		return nil
	case "Name", "Prefix", "Delimiter", "MaxKeys", "StartAfter", "ContinuationToken", "KeyMarker", "VersionIdMarker":
		return d.skip()
	}
	if folds(local, others...) || folds(local, "CommonPrefixes", "IsTruncated", "EncodingType") {
		return ErrDoubt
	}
	return d.skip()
}

func folds(local []byte, names ...string) bool {
	for _, name := range names {
		if len(local) == len(name) && strings.EqualFold(string(local), name) {
			return true
		}
	}
	return false
}

// once reads the text of an element that may stand once.
func (d *decoder) once(said *field, f field) (ref, error) {
	if *said&f != 0 {
		return ref{}, ErrDoubt
	}
	*said |= f
	return d.value()
}

// text reads a text of the page's own.
func (d *decoder) text(f field, to *string) error {
	r, err := d.once(&d.said, f)
	if err == nil {
		*to = string(d.bytes(r))
	}
	return err
}

// boolean reads true or false, white space around it or not (XML Schema Part 2,
// section 4.3.6: that of a boolean collapses).
func boolean(b []byte) (bool, error) {
	switch string(bytes.Trim(b, " \t\r\n")) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, ErrDoubt
}

func (d *decoder) commonPrefix() error {
	var said field
	var prefix ref
	for {
		local, ok, err := d.child()
		if err != nil {
			return err
		}
		if !ok {
			d.prefixes = append(d.prefixes, prefix)
			return nil
		}
		switch {
		case string(local) == "Prefix":
			prefix, err = d.once(&said, key)
		case folds(local, "Prefix"):
			err = ErrDoubt
		default:
			err = d.skip()
		}
		if err != nil {
			return err
		}
	}
}

// cut cuts all texts out of one arena.
func (d *decoder) cut() error {
	size := 0
	for i := range d.texts {
		t := &d.texts[i]
		if d.page.NoETags {
			t.etag = ref{}
		}
		size += int(t.key.n) + int(t.etag.n) + int(t.version.n)
	}
	for _, r := range d.prefixes {
		size += int(r.n)
	}
	c := cutter{url: d.url, ok: true, utf8: true}
	c.arena.Grow(size)
	for i := range d.texts {
		t, o := &d.texts[i], &d.page.Objects[i]
		o.Key = c.name(d.bytes(t.key))
		o.ETag = c.plain(bytes.Trim(d.bytes(t.etag), `"`))
		o.VersionID = c.plain(d.bytes(t.version))
	}
	for _, r := range d.prefixes {
		d.page.Prefixes = append(d.page.Prefixes, c.name(d.bytes(r)))
	}
	d.page.UTF8 = c.utf8
	c.arena.Reset() // what is the page's own
	d.page.NextKeyMarker = c.name(d.bytes(d.marker))
	if !c.ok {
		return ErrDoubt
	}
	return nil
}

// cutter makes strings that share one memory.
type cutter struct {
	arena strings.Builder
	url   bool // names are URL-encoded
	ok    bool // all names were in their encoding
	utf8  bool // all names are UTF-8
}

func (c *cutter) plain(b []byte) string {
	from := c.arena.Len()
	c.arena.Write(b)
	return c.arena.String()[from:]
}

func (c *cutter) name(b []byte) string {
	if !c.url || bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return c.plain(b) // the document is UTF-8
	}
	from := c.arena.Len()
	c.ok = writeURL(&c.arena, b) && c.ok
	name := c.arena.String()[from:]
	c.utf8 = c.utf8 && utf8.ValidString(name)
	return name
}
