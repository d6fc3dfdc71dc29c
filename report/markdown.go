package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ramify/ramify/console"
)

// paper writes Markdown as GitHub shows it.
type paper struct{ b bytes.Buffer }

// plain is text from outside in which nothing is markup: all punctuation that may begin
// any is a character reference, which never does.
//
// Source: GitHub Flavored Markdown Spec, "Entity and numeric character references".
func plain(s string) string {
	var b strings.Builder
	for _, r := range console.Clean(s) {
		if strings.ContainsRune("\\`*_{}[]()<>#+!|~@&:\"'$=^%", r) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return strings.ReplaceAll(b.String(), "www.", "www&#46;")
}

// code is a name or a reason from outside: in code GitHub finds neither people to tell
// nor issues.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "<code>" + plain(s) + "</code>"
}

func (p *paper) say(format string, a ...any) { fmt.Fprintf(&p.b, format+"\n", a...) }

// table writes one. Cells are Markdown; a heading that ends in a colon is of numbers.
func (p *paper) table(headings []string, rows [][]string) {
	names, dashes := make([]string, len(headings)), make([]string, len(headings))
	for i, h := range headings {
		name, num := strings.CutSuffix(h, ":")
		names[i], dashes[i] = name, "---"
		if num {
			dashes[i] = "---:"
		}
	}
	p.say("")
	for _, r := range append([][]string{names, dashes}, rows...) {
		p.say("| %s |", strings.Join(r, " | "))
	}
	p.say("")
}

// shownInMarkdown of a list are shown, at most.
const shownInMarkdown = 50

func (p *paper) more(n int64) {
	if n > 0 {
		p.say("… and %s more.\n", console.Count(n))
	}
}

func (r *Report) markdown() []byte {
	p := &paper{}
	p.say("# Run %s\n", plain(r.Run))
	p.say("%s: **%s**\n", code(r.Target), plain(r.stateWords()))
	p.say("%s %s", plain(r.sentence()), r.span())
	var rows [][]string
	for _, f := range r.figures() {
		rows = append(rows, []string{plain(f.name), plain(f.value), plain(f.remark)})
	}
	p.table([]string{"total", "value:", ""}, rows)
	r.speedLines(p)
	r.prefixTable(p)
	r.histogramTables(p)
	r.longTables(p)

	p.say("## Requests and cost")
	rows = nil
	for _, name := range slices.Sorted(maps.Keys(r.Totals.Requests)) {
		rows = append(rows, []string{plain(name), console.Count(r.Totals.Requests[name])})
	}
	if c := r.Cost; c != nil {
		rows = append(rows, []string{"cost so far, by estimate", plain(console.Dollars(c.SoFar))})
		if c.Total > 0 {
			rows = append(rows, []string{"cost in all, if it goes on so", plain(console.Dollars(c.Total))})
		}
		if c.Budget > 0 {
			rows = append(rows, []string{"budget", plain(console.Dollars(c.Budget))})
		}
	}
	p.table([]string{"what", "how much:"}, rows)
	p.say("## Configuration")
	rows = nil
	for _, s := range r.settings() {
		rows = append(rows, []string{plain(s.Name), code(s.Value)})
	}
	p.table([]string{"setting", "value"}, rows)
	p.say("Made by %s at %s.", plain(r.By), clock(r.Made))
	return p.b.Bytes()
}

func (r *Report) speedLines(p *paper) {
	h := r.History
	var rows [][]string
	add := func(name string, of func(console.Point) int64) {
		speeds := h.Speeds(48, of)
		for _, v := range speeds {
			if v > 0 {
				rows = append(rows, []string{plain(name), "`" + console.Spark(speeds) + "`"})
				return
			}
		}
	}
	add(r.Noun+"s", func(p console.Point) int64 { return p.Objects })
	add("bytes", func(p console.Point) int64 { return p.Bytes })
	add("nodes", func(p console.Point) int64 { return p.Nodes })
	add("requests", func(p console.Point) int64 { return p.Requests })
	add("failures", func(p console.Point) int64 { return p.Failures })
	if len(rows) > 0 {
		p.say("## Over time")
		p.table([]string{"a second", "over " + console.Elapsed(r.Seconds)}, rows)
	}
}

func (r *Report) prefixTable(p *paper) {
	t := r.Tree
	if t == nil || len(t.Children) == 0 {
		return
	}
	by := t.measure()
	p.say("## Prefixes by %s", by)
	if !t.Complete {
		p.say("\nThe run is not over: this is what was committed so far.")
	}
	whole := max(t.Of(by), 1)
	var rows [][]string
	var names console.Names
	shown := t.Children[:min(len(t.Children), shownPrefixes)]
	for i := range shown {
		c := &shown[i]
		rows = append(rows, []string{console.Count(c.Objects), console.Size(c.Bytes), fmt.Sprintf("%.1f %%", 100*float64(c.Of(by))/float64(whole)), code(names.Text(c.Prefix))})
	}
	p.table([]string{r.Noun + "s:", "bytes:", "of all:", "prefix"}, rows)
	p.more(t.Prefixes - int64(len(shown)))
}

func (r *Report) histogramTables(p *paper) {
	for _, of := range []struct {
		title, name string
		bars        []bar
	}{{"Sizes", "size", r.sizeBars()}, {"Depths", "depth", r.depthBars()}} {
		if len(of.bars) == 0 {
			continue
		}
		var rows [][]string
		for _, b := range of.bars {
			rows = append(rows, []string{plain(b.name), console.Count(b.size), plain(b.shown)})
		}
		p.say("## %s", of.title)
		p.table([]string{of.name, r.Noun + "s:", ""}, rows)
	}
}

func (r *Report) longTables(p *paper) {
	if len(r.Slowest) > 0 {
		p.say("## Slowest nodes")
		var rows [][]string
		for _, n := range r.Slowest {
			rows = append(rows, []string{console.Elapsed(n.Seconds), clock(n.At), plain(n.Kind), code(n.Node)})
		}
		p.table([]string{"took:", "ended", "kind", "node"}, rows)
	}
	if len(r.Workers) > 0 {
		p.say("## Workers")
		var rows [][]string
		for _, cells := range r.workerRows() {
			row := make([]string, len(cells))
			for i, c := range cells {
				row[i] = plain(c.text)
				if c.name {
					row[i] = code(c.text)
				}
			}
			rows = append(rows, row)
		}
		p.table([]string{"slots:", "busy:", "nodes:", "messages:", "first seen", "last seen", "worker"}, rows)
		p.more(int64(r.MoreWorkers + len(r.Workers) - len(rows)))
	}
	r.fleetTables(p)
	p.say("## Failures\n")
	if len(r.Failures) == 0 && r.MoreFailures == 0 {
		p.say("No node was given up.\n")
		return
	}
	var rows [][]string
	shown := r.Failures[:min(len(r.Failures), shownInMarkdown)]
	for i := range shown {
		f := &shown[i]
		rows = append(rows, []string{plain(f.Kind), console.Count(int64(f.Depth)), f.Tried(), f.Given(), code(f.Node), code(f.Reason)})
	}
	p.table([]string{"kind", "depth:", "attempts:", "given up, UTC", "node", "reason"}, rows)
	if why := r.unlisted(len(shown)); why != "" {
		p.say("%s\n", why)
		return
	}
	p.more(r.moreFailures(len(shown)))
}
