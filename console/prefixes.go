package console

import (
	"bufio"
	"fmt"
	"io"
	"iter"

	"github.com/ramify/ramify/totals"
)

// WritePrefixes writes totals per prefix as a table, as lines come. all is the
// line of all there is, no line being bigger; its prefix is shown as name, so
// that it is told apart from a prefix. Dates are in UTC.
func WritePrefixes(w io.Writer, name string, all totals.Line, lines iter.Seq2[totals.Line, error]) error {
	const newest = "newest (UTC)    " // as wide as a date
	out := bufio.NewWriter(w)
	objects := max(columns("objects"), columns(exact(all.Objects)))
	bytes := columns("1023 KiB")
	_, digests := digestsOf(all)
	row := func(o, b, n, digest, prefix string) {
		if digests {
			digest = pad(digest, shortDigest) + "  "
		}
		fmt.Fprintf(out, "%s  %s  %s  %s%s\n", padLeft(o, objects), padLeft(b, bytes), pad(n, len(newest)), digest, prefix)
	}
	heading := ""
	if digests {
		heading = "digest"
	}
	row("objects", "bytes", newest, heading, "prefix")
	var names Names
	for l, err := range lines {
		if err != nil {
			return err
		}
		date, prefix, digest := "", l.Prefix, ""
		if n := l.Newest(); !n.IsZero() {
			date = n.Format("2006-01-02 15:04")
		}
		if l.Depth == 0 {
			prefix = name
		}
		if d, known := digestsOf(l); known {
			digest = brief(d.ETag)
		}
		row(exact(l.Objects), size(float64(l.Bytes)), date, digest, names.Text(prefix))
	}
	return out.Flush()
}

// Digests are those of totals as they are printed: of what objects, 64 hexadecimal
// digits each.
type Digests struct {
	Size string `json:"size"` // of keys and sizes
	ETag string `json:"etag"` // of keys, sizes and ETags
}

// DigestsOf is the digests of a line; nil where they are not known.
func DigestsOf(l totals.Line) *Digests {
	d, known := digestsOf(l)
	if !known {
		return nil
	}
	return &d
}

func digestsOf(l totals.Line) (Digests, bool) {
	d, known := l.Digests()
	return Digests{d.Size.String(), d.ETag.String()}, known && l.Objects > 0
}

// shortDigest is the digits of a digest that people are shown.
const shortDigest = 16

func brief(digest string) string { return digest[:min(len(digest), shortDigest)] }

// prefixLine is a line of totals as JSON. It has exactly these fields, in this
// order; digests only where the run has made them.
type prefixLine struct {
	Prefix  string                 `json:"prefix"`
	Depth   int                    `json:"depth"`
	Objects int64                  `json:"objects"`
	Bytes   int64                  `json:"bytes"`
	Newest  *string                `json:"newest"` // null if unknown
	Classes map[string]prefixClass `json:"classes"`
	Digests *Digests               `json:"digests,omitempty"`
}

type prefixClass struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// WritePrefixesJSON writes totals per prefix as one JSON object a line.
func WritePrefixesJSON(w io.Writer, lines iter.Seq2[totals.Line, error]) error {
	out := bufio.NewWriter(w)
	for l, err := range lines {
		if err != nil {
			return err
		}
		p := prefixLine{Prefix: l.Prefix, Depth: l.Depth, Objects: l.Objects, Bytes: l.Bytes, Classes: make(map[string]prefixClass, len(l.Classes)), Digests: DigestsOf(l)}
		for _, c := range l.Classes {
			p.Classes[c.Name] = prefixClass{c.Objects, c.Bytes}
		}
		if n := l.Newest(); !n.IsZero() {
			text := n.Format("2006-01-02T15:04:05.000Z")
			p.Newest = &text
		}
		if err := writeJSON(out, p); err != nil {
			return err
		}
	}
	return out.Flush()
}
