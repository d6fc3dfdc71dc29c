package report

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ramify/ramify/console"
)

// seen is what of an HTML file a reader has: texts by the element they are in.
type seen struct {
	texts      map[string][]string
	attributes map[string][]string
	elements   map[string]int
}

// read reads a file as strictly as XML is.
func read(t *testing.T, html string) seen {
	t.Helper()
	s := seen{map[string][]string{}, map[string][]string{}, map[string]int{}}
	d := xml.NewDecoder(strings.NewReader(html))
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return s
		}
		if err != nil {
			t.Fatalf("the file is not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
			s.elements[token.Name.Local]++
			for _, a := range token.Attr {
				s.attributes[a.Name.Local] = append(s.attributes[a.Name.Local], a.Value)
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if text := strings.TrimSpace(string(token)); text != "" && len(open) > 0 {
				in := open[len(open)-1]
				s.texts[in] = append(s.texts[in], text)
			}
		}
	}
}

func TestHTML(t *testing.T) {
	r := aReport()
	html := written(t, r, HTML)
	s := read(t, html)
	all := strings.Join(slices.Concat(s.texts["dd"], s.texts["td"], s.texts["code"], s.texts["p"], s.texts["h1"]), "\n")
	for _, want := range []string{
		"7,654,321", "5.0 GiB", "1,234", "1,300", "9,001", "17", "60.0 s", "$1.25", "Run photos", "by estimate; budget $2",
		"At most 8 tasks ran at a time, for 0.06 task-hours in all", "between 0 and 200 tasks", "to be done in 2", "Not known: scaling activities (" + console.Clean(evil),
		"desired count set to 8, from 0: " + console.Clean(evil), "governor",
		"s3://bucket/" + console.Clean(evil), new(console.Names).Text(evil + "/"), "refused: " + console.Clean(evil), "node 199 " + console.Clean(evil),
		"It has finished with failures after 60.0 s of work.", "… and 1,100 more.", "… and 4 more.", "and 100 prefixes more", "in none of them",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q cannot be read in it", want)
		}
	}
	if strings.Contains(all, "node 200 ") {
		t.Error("more failures are shown than are to be")
	}
	titles := strings.Join(s.texts["title"], "\n")
	for _, want := range []string{"a/x/y/: 2,000,000 keys, 1.3 GiB, 26.1%", "(all) directly", "(all) 100 prefixes more", " after 29.8 s"} {
		if !strings.Contains(titles, want) {
			t.Errorf("%q is not said when it is pointed at", want)
		}
	}
}

// Nothing from outside becomes a part of the file, and the file asks for nothing.
func TestHTMLNeedsNothingAndDoesNothing(t *testing.T) {
	html := written(t, aReport(), HTML)
	s := read(t, html)
	for _, element := range []string{"script", "img", "link", "iframe", "object", "a", "form", "image", "use", "foreignObject", "base"} {
		if s.elements[element] > 0 {
			t.Errorf("it has %d elements %s", s.elements[element], element)
		}
	}
	for name, values := range s.attributes {
		if strings.HasPrefix(name, "on") || name == "src" || name == "href" || name == "style" {
			t.Errorf("it has the attribute %s: %.200q", name, values)
		}
	}
	if s.elements["title"] == 0 || s.elements["html"] != 1 || s.elements["svg"] < 7 {
		t.Errorf("elements %v", s.elements)
	}
	if strings.ContainsAny(html, "\x1b\u202e") || strings.Contains(html, "url(") || strings.Contains(css, "@import") {
		t.Error("it has something that commands, or loads")
	}
	if !slices.ContainsFunc(s.attributes["content"], func(p string) bool { return strings.HasPrefix(p, "default-src 'none'; style-src 'sha256-") }) {
		t.Errorf("it has no policy: %q", s.attributes["content"])
	}
	if n := len(html); n > 1<<20 {
		t.Errorf("it has %d bytes", n)
	}
}

// Of a run that goes on more may have failed than can be listed.
func TestFailuresThatCannotBeListedYet(t *testing.T) {
	for state, want := range map[console.State]string{
		console.Running:   "4 more nodes failed below nodes that are not done yet, and will be listed when those are.",
		console.Cancelled: "4 more nodes failed below nodes that were not done when the run was cancelled, so they cannot be listed.",
	} {
		r := &Report{Run: "r", Target: "t", Noun: "object", State: state, Created: noon, MoreFailures: 4}
		for _, listed := range [][]console.Failure{nil, {{Node: "n", Kind: "k", Reason: "why"}}} {
			r.Failures = listed
			for _, f := range []Format{HTML, Markdown} {
				if text := written(t, r, f); !strings.Contains(text, want) || strings.Contains(text, "4 more.") || strings.Contains(text, "No node was given up") {
					t.Errorf("%s with %d listed says\n%s", f, len(listed), text)
				}
			}
		}
	}
}

func TestHTMLOfARunThatGoesOn(t *testing.T) {
	r := &Report{Run: "r", Target: "t", Noun: "object", State: console.Running, Fraction: 0.4267, Seconds: 12, Created: noon, Cost: &Cost{SoFar: 1, Total: 2.5}}
	s := read(t, written(t, r, HTML))
	all := strings.Join(slices.Concat(s.texts["p"], s.texts["dd"]), "\n")
	for _, want := range []string{"It goes on, with 42.6% done after 12.0 s of work. It began at 2026-11-26 12:00:00 UTC.", "of about $2.50, by estimate", "No node was given up."} {
		if !strings.Contains(all, want) {
			t.Errorf("%q cannot be read in\n%s", want, all)
		}
	}
	if s.elements["svg"] != 0 {
		t.Errorf("%d charts of nothing", s.elements["svg"])
	}
}

// What takes no bytes is drawn by its objects.
func TestTreemapOfEmptyObjects(t *testing.T) {
	r := aReport()
	var empty func(*Prefix)
	empty = func(p *Prefix) {
		p.Bytes = 0
		for i := range p.Children {
			empty(&p.Children[i])
		}
	}
	empty(&r.Tree.Prefix)
	r.Tree.Direct.Bytes, r.Tree.Rest.Bytes = 0, 0
	s := read(t, written(t, r, HTML))
	if titles := strings.Join(s.texts["title"], "\n"); !strings.Contains(titles, "a/x/y/: 2,000,000 keys, 0 B, 26.1%") {
		t.Errorf("titles\n%.600s", titles)
	}
}
