package report

import (
	"bytes"
	"fmt"
	"html"

	"github.com/ramify/ramify/console"
)

// writer writes HTML that is well-formed XML, too. Names of elements and attributes are
// ours; texts and values of attributes may be anybody's, and are cleaned and escaped
// here and nowhere else.
type writer struct {
	b bytes.Buffer
}

func escape(s string) string { return html.EscapeString(console.Clean(s)) }

// start begins an element; attributes are pairs of a name and a value.
func (w *writer) start(name string, attributes ...string) {
	w.open(name, attributes)
	w.b.WriteByte('>')
}

// empty writes an element that has no content.
func (w *writer) empty(name string, attributes ...string) {
	w.open(name, attributes)
	w.b.WriteString("/>")
}

func (w *writer) open(name string, attributes []string) {
	w.b.WriteString("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		fmt.Fprintf(&w.b, ` %s="%s"`, attributes[i], escape(attributes[i+1]))
	}
}

func (w *writer) end(names ...string) {
	for _, n := range names {
		w.b.WriteString("</" + n + ">")
	}
	w.b.WriteByte('\n')
}

func (w *writer) text(s string) { w.b.WriteString(escape(s)) }

// element writes an element that holds a text.
func (w *writer) element(name, text string, attributes ...string) {
	w.start(name, attributes...)
	w.text(text)
	w.b.WriteString("</" + name + ">")
}

// number is a length in a drawing.
func number(v float64) string {
	s := fmt.Sprintf("%.1f", v)
	if n := len(s) - 2; s[n:] == ".0" {
		return s[:n]
	}
	return s
}

// cell is one of a table.
type cell struct {
	text string
	name bool // a name from outside: in letters of one width, broken anywhere
	num  bool
}

// table writes one, its rows below headings.
func (w *writer) table(label string, headings []string, rows [][]cell) {
	w.start("div", "class", "scroll", "role", "region", "tabindex", "0", "aria-label", label)
	w.start("table", "aria-label", label)
	w.start("thead")
	w.start("tr")
	for i, h := range headings {
		attributes := []string{"scope", "col"}
		if len(rows) > 0 && rows[0][i].num {
			attributes = append(attributes, "class", "n")
		}
		w.element("th", h, attributes...)
	}
	w.end("tr", "thead")
	w.start("tbody")
	for _, r := range rows {
		w.start("tr")
		for _, c := range r {
			switch {
			case c.num:
				w.element("td", c.text, "class", "n")
			case c.name:
				w.start("td", "class", "k")
				w.element("code", c.text)
				w.b.WriteString("</td>")
			default:
				w.element("td", c.text)
			}
		}
		w.end("tr")
	}
	w.end("tbody", "table", "div")
}
