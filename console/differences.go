package console

import (
	"fmt"
	"io"
	"time"

	"github.com/ramify/ramify/diff"
	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/totals"
)

// WriteDifference writes one difference as a line for people.
func WriteDifference(w io.Writer, d diff.Difference) error {
	label := map[diff.Where]string{diff.InA: "only in A", diff.InB: "only in B", diff.InBoth: "differs"}[d.In]
	name := Clean(d.Name)
	if d.Name == "" && !d.IsKey {
		name = "(all)"
	}
	_, err := fmt.Fprintf(w, "%-9s  %s  %s\n", label, name, detail(&d))
	return err
}

func detail(d *diff.Difference) string {
	line := func(l *totals.Line) string {
		noun := "objects"
		if l.Objects == 1 {
			noun = "object"
		}
		return exact(l.Objects) + " " + noun + ", " + size(float64(l.Bytes))
	}
	switch {
	case !d.IsKey && d.In == diff.InA:
		return line(d.LineA)
	case !d.IsKey && d.In == diff.InB:
		return line(d.LineB)
	case !d.IsKey:
		return line(d.LineA) + " and " + line(d.LineB)
	case d.In == diff.InA:
		return size(float64(d.A.Size))
	case d.In == diff.InB:
		return size(float64(d.B.Size))
	case d.Why == "size":
		return exact(d.A.Size) + " and " + exact(d.B.Size) + " bytes"
	default:
		return d.Why
	}
}

// differenceLine is a difference as JSON. It has exactly these fields, in this
// order; why only of keys in both.
type differenceLine struct {
	Type string     `json:"type"` // prefix or key
	Name string     `json:"name"` // relative to the base of each tree
	In   diff.Where `json:"in"`
	Why  string     `json:"why,omitempty"`
	A    any        `json:"a"` // null where it is not
	B    any        `json:"b"`
}

type differencePrefix struct {
	Objects int64    `json:"objects"`
	Bytes   int64    `json:"bytes"`
	Digests *Digests `json:"digests"`
}

type differenceKey struct {
	Size     int64  `json:"size"`
	ETag     string `json:"etag"`
	Modified string `json:"modified,omitempty"`
}

// WriteDifferenceJSON writes one difference as a JSON object and a line.
func WriteDifferenceJSON(w io.Writer, d diff.Difference) error {
	l := differenceLine{Type: "prefix", Name: d.Name, In: d.In, Why: d.Why}
	if d.IsKey {
		l.Type = "key"
	}
	key := func(o *inventory.Object) differenceKey {
		k := differenceKey{Size: o.Size, ETag: o.ETag}
		if !o.LastModified.IsZero() {
			k.Modified = o.LastModified.UTC().Format(time.RFC3339)
		}
		return k
	}
	if d.A != nil {
		l.A = key(d.A)
	}
	if d.B != nil {
		l.B = key(d.B)
	}
	if d.LineA != nil {
		l.A = differencePrefix{d.LineA.Objects, d.LineA.Bytes, DigestsOf(*d.LineA)}
	}
	if d.LineB != nil {
		l.B = differencePrefix{d.LineB.Objects, d.LineB.Bytes, DigestsOf(*d.LineB)}
	}
	return writeJSON(w, l)
}

// Comparison is how a comparison of two trees ended: the last object of its JSON. It
// has exactly these fields, in this order.
type Comparison struct {
	Type     string   `json:"type"` // result
	Equal    bool     `json:"equal"`
	Compare  diff.By  `json:"compare"`
	Prefixes int64    `json:"prefixes"` // that differ
	Keys     int64    `json:"keys"`
	A        Compared `json:"a"`
	B        Compared `json:"b"`

	Parts int64 `json:"-"` // keys whose ETags differ, and need not mean another content
	Gone  bool  `json:"-"` // keys were listed, and none differs
}

// Compared is one of two trees.
type Compared struct {
	Run     string   `json:"run"`
	Target  string   `json:"target"`
	Objects int64    `json:"objects"`
	Bytes   int64    `json:"bytes"`
	Digests *Digests `json:"digests"` // null of no objects
}

// WriteJSON writes the comparison as one line.
func (c Comparison) WriteJSON(w io.Writer) error { return writeJSON(w, c) }

// WriteText writes the comparison for people.
func (c Comparison) WriteText(w io.Writer) error {
	var err error
	switch {
	case c.Equal && c.A.Digests != nil:
		_, err = fmt.Fprintf(w, "equal by %s: %s objects, %s, digest %s\n", c.Compare, exact(c.A.Objects), size(float64(c.A.Bytes)), brief(c.digest()))
	case c.Equal:
		_, err = fmt.Fprintln(w, "equal: there are no objects")
	default:
		now := ""
		if c.Gone {
			now = ": keys are listed as they are now, and differ no more"
		}
		_, err = fmt.Fprintf(w, "different: %s prefixes, %s keys%s\n", exact(c.Prefixes), exact(c.Keys), now)
	}
	if err == nil && c.Parts > 0 {
		_, err = fmt.Fprintf(w, "the ETags of %s keys tell in which parts they were uploaded, too, and need not mean another content: --compare checksum asks for their checksums\n", exact(c.Parts))
	}
	return err
}

func (c Comparison) digest() string {
	if c.Compare == diff.Size {
		return c.A.Digests.Size
	}
	return c.A.Digests.ETag
}
