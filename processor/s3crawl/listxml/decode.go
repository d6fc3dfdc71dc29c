package listxml

import (
	"bytes"
	"math"
	"strings"
	"sync"

	"github.com/ramify/ramify/inventory"
)

// decoder is the working memory of Decode.
type decoder struct {
	scanner
	page     *Page
	said     field // of the page
	texts    []texts
	prefixes []ref
	size     int // of all texts of the arena, encoded
	url      bool
	marker   ref // NextKeyMarker
}

// texts are an object's, before it is known how they are encoded: EncodingType
// may stand behind them.
type texts struct{ key, etag, version ref }

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
)

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// Decode makes the page of a body, which it does not keep, in the page's own
// memory. The error is ErrDoubt or a *SyntaxError; the page is then empty.
func (p *Page) Decode(body []byte) error {
	p.Reset()
	if len(body) > math.MaxInt32 {
		return ErrDoubt
	}
	d := decoders.Get().(*decoder)
	*d = decoder{
		scanner: scanner{doc: body, open: d.open[:0], kept: d.kept[:0]},
		page:    p, texts: d.texts[:0], prefixes: d.prefixes[:0],
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

// elements calls take with the name of every element in the open one.
func (d *decoder) elements(take func(local []byte) error) error {
	for {
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
		return d.object(inventory.Object{})
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
		return d.object(inventory.Object{})
	case "DeleteMarker":
		return d.object(inventory.Object{IsDeleteMarker: true})
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

func boolean(b []byte) (bool, error) {
	switch string(b) {
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
			d.size += int(prefix.n)
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

// object reads an object, a version or a delete marker.
func (d *decoder) object(o inventory.Object) error {
	var said field
	var t texts
	for {
		local, ok, err := d.child()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		var r ref
		switch string(local) {
		case "Key":
			t.key, err = d.once(&said, key)
		case "LastModified":
			if r, err = d.once(&said, lastModified); err == nil {
				if o.LastModified, ok = dateTime(d.bytes(r)); !ok {
					err = ErrDoubt
				}
			}
		case "ETag":
			if said&etag != 0 {
				return ErrDoubt
			}
			said |= etag
			t.etag, err = d.quoted()
		case "Size":
			if r, err = d.once(&said, size); err == nil {
				if o.Size, ok = number(d.bytes(r)); !ok {
					err = ErrDoubt
				}
			}
		case "StorageClass":
			if r, err = d.once(&said, storageClass); err == nil {
				o.StorageClass = d.class(d.bytes(r))
			}
		case "VersionId":
			t.version, err = d.once(&said, versionID)
		case "IsLatest":
			if r, err = d.once(&said, isLatest); err == nil {
				o.IsLatest, err = boolean(d.bytes(r))
			}
		case "Owner", "ChecksumAlgorithm", "ChecksumType", "RestoreStatus":
			err = d.skip()
		default:
			if folds(local, "Key", "LastModified", "ETag", "Size", "StorageClass", "VersionId", "IsLatest") {
				return ErrDoubt
			}
			err = d.skip()
		}
		if err != nil {
			return err
		}
	}
	d.page.Objects = append(d.page.Objects, o)
	d.texts = append(d.texts, t)
	d.size += int(t.key.n) + int(t.etag.n) + int(t.version.n)
	return nil
}

// class is a storage class: objects next to each other share the text.
func (d *decoder) class(b []byte) string {
	if n := len(d.page.Objects); n > 0 && d.page.Objects[n-1].StorageClass == string(b) {
		return d.page.Objects[n-1].StorageClass
	}
	return class(b)
}

// cut cuts all texts out of one arena.
func (d *decoder) cut() error {
	var arena strings.Builder
	arena.Grow(d.size)
	ok := true
	name := func(r ref) string {
		from := arena.Len()
		if d.url {
			ok = writeURL(&arena, d.bytes(r)) && ok
		} else {
			arena.Write(d.bytes(r))
		}
		return arena.String()[from:]
	}
	plain := func(b []byte) string {
		from := arena.Len()
		arena.Write(b)
		return arena.String()[from:]
	}
	for i := range d.texts {
		t, o := &d.texts[i], &d.page.Objects[i]
		o.Key = name(t.key)
		o.ETag = plain(bytes.Trim(d.bytes(t.etag), `"`))
		o.VersionID = plain(d.bytes(t.version))
	}
	for _, r := range d.prefixes {
		d.page.Prefixes = append(d.page.Prefixes, name(r))
	}
	d.page.NextKeyMarker = string(d.bytes(d.marker))
	if d.url {
		var marker strings.Builder
		ok = writeURL(&marker, d.bytes(d.marker)) && ok
		d.page.NextKeyMarker = marker.String()
	}
	if !ok {
		return ErrDoubt
	}
	return nil
}
