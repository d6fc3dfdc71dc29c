package listxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/inventory"
)

// element is a document as encoding/xml reads it, names without their spaces.
type element struct {
	name string
	text string // directly in it
	kids []*element
}

// tree reads a whole document by encoding/xml.
func tree(doc []byte) (*element, error) {
	dec := xml.NewDecoder(bytes.NewReader(doc))
	dec.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		if !strings.EqualFold(charset, "US-ASCII") {
			return nil, errors.New("no such charset")
		}
		return r, nil
	}
	top := &element{}
	open := []*element{top}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if len(top.kids) != 1 {
				return nil, fmt.Errorf("%d roots", len(top.kids))
			}
			return top.kids[0], nil
		}
		if err != nil {
			return nil, err
		}
		last := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			e := &element{name: t.Name.Local}
			last.kids = append(last.kids, e)
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			last.text += string(t)
		}
	}
}

// reference decodes a page by encoding/xml. What is not clear is ErrDoubt.
func reference(doc []byte) (p Page, err error) {
	root, err := tree(doc)
	if err != nil {
		return p, err
	}
	versions := root.name == "ListVersionsResult" || root.name == "ListBucketVersionsResult"
	if !versions && root.name != "ListBucketResult" {
		return p, ErrDoubt
	}
	r := &reader{kids: root.kids, seen: map[string]bool{}}
	plain := func(s string) string { return s }
	switch r.text("EncodingType") {
	case "url":
		plain = func(s string) string {
			u, err := url.QueryUnescape(s)
			if err != nil {
				r.doubt = true
			}
			return u
		}
	case "":
	default:
		r.doubt = true
	}
	p.IsTruncated, p.SaysTruncated = r.bool("IsTruncated")
	if versions {
		p.NextKeyMarker, p.NextVersionIDMarker = plain(r.text("NextKeyMarker")), r.text("NextVersionIdMarker")
	} else {
		p.NextToken = r.text("NextContinuationToken")
		n, found := r.int("KeyCount")
		p.KeyCount, p.SaysKeyCount = int(n), found
	}
	for _, kid := range root.kids {
		switch {
		case kid.name == "CommonPrefixes":
			p.Prefixes = append(p.Prefixes, plain(r.of(kid).text("Prefix")))
		case !versions && kid.name == "Contents", versions && (kid.name == "Version" || kid.name == "DeleteMarker"):
			in := r.of(kid)
			o := inventory.Object{
				Key: plain(in.text("Key")), ETag: strings.Trim(in.text("ETag"), `"`), StorageClass: in.text("StorageClass"),
				VersionID: in.text("VersionId"), IsDeleteMarker: kid.name == "DeleteMarker",
			}
			o.Size, _ = in.int("Size")
			o.IsLatest, _ = in.bool("IsLatest")
			if s := in.text("LastModified"); in.seen["LastModified"] {
				t, err := time.Parse("2006-01-02T15:04:05.999999999Z", s)
				if err != nil {
					t, err = time.Parse("2006-01-02T15:04:05.999999999", s)
				}
				if err != nil {
					t, err = time.Parse(time.RFC3339Nano, s)
				}
				if err != nil {
					r.doubt = true
				}
				o.LastModified = t.UTC().Truncate(time.Millisecond)
			}
			p.Objects = append(p.Objects, o)
			r.doubt = r.doubt || in.doubt
		}
	}
	if r.doubt {
		return Page{}, ErrDoubt
	}
	return p, nil
}

// reader looks for elements among others; each may stand once.
type reader struct {
	kids  []*element
	seen  map[string]bool
	doubt bool
}

func (r *reader) of(e *element) *reader { return &reader{kids: e.kids, seen: map[string]bool{}} }

func (r *reader) text(name string) (s string) {
	for _, k := range r.kids {
		if k.name == name {
			if r.seen[name] || len(k.kids) > 0 {
				r.doubt = true
			}
			r.seen[name] = true
			s = k.text
		}
	}
	return s
}

func (r *reader) bool(name string) (is, found bool) {
	s := r.text(name)
	if !r.seen[name] {
		return false, false
	}
	is, err := strconv.ParseBool(strings.Trim(s, " \t\r\n"))
	if err != nil {
		r.doubt = true
	}
	return is, true
}

func (r *reader) int(name string) (n int64, found bool) {
	s := r.text(name)
	if !r.seen[name] {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.doubt = true
	}
	return n, true
}
