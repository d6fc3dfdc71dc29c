package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ramify/ramify/console"
)

//go:embed report.css
var css string

// policy lets a browser do nothing with the file but show it with our style.
//
// Source: W3C, "Content Security Policy Level 3".
func policy() string {
	sum := sha256.Sum256([]byte(css))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// What the HTML and the Markdown show of the lists, at most.
const (
	shownFailures = 200
	shownWorkers  = 50
	shownPrefixes = 25
)

func (r *Report) html() []byte {
	w := &writer{}
	w.b.WriteString("<!DOCTYPE html>\n")
	w.start("html", "lang", "en")
	w.start("head")
	w.empty("meta", "charset", "utf-8")
	w.empty("meta", "http-equiv", "Content-Security-Policy", "content", policy())
	w.empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1")
	w.empty("meta", "name", "color-scheme", "content", "light dark")
	w.empty("meta", "name", "referrer", "content", "no-referrer")
	w.element("title", "Run "+r.Run+" of "+r.Target)
	w.b.WriteString("\n<style>" + css + "</style>\n")
	w.end("head")
	w.start("body")
	w.start("main")
	r.head(w)
	r.speedCharts(w)
	r.prefixes(w)
	r.histograms(w)
	r.people(w)
	r.fleet(w)
	r.trouble(w)
	r.configuration(w)
	w.end("main")
	w.start("footer")
	w.text(fmt.Sprintf("Made by %s at %s.", r.By, clock(r.Made)))
	w.end("footer", "body", "html")
	return w.b.Bytes()
}

func (w *writer) section(title string) {
	w.start("section")
	w.element("h2", title)
}

func (r *Report) head(w *writer) {
	w.start("header")
	w.start("h1")
	w.text("Run " + r.Run + " ")
	w.element("span", r.stateWords(), "class", "state "+string(r.State))
	w.end("h1")
	w.start("p", "class", "target")
	w.element("code", r.Target)
	w.end("p")
	w.element("p", r.sentence()+" "+r.span())
	if r.Fraction < 1 {
		w.element("progress", console.Percent(r.Fraction), "max", "1", "value", fmt.Sprintf("%.4f", r.Fraction), "aria-label", "done")
	}
	w.end("header")
	w.start("dl", "class", "figures")
	for _, f := range r.figures() {
		w.start("div")
		w.element("dt", f.name)
		w.element("dd", f.value)
		if f.remark != "" {
			w.element("dd", f.remark, "class", "dim")
		}
		w.end("div")
	}
	w.end("dl")
}

func (r *Report) stateWords() string {
	switch r.State {
	case console.Failed:
		return "finished with failures"
	default:
		return string(r.State)
	}
}

// span is from when to when the run went.
func (r *Report) span() string {
	s := "It began at " + clock(r.Created)
	if r.Finished != nil {
		s += " and was over at " + clock(*r.Finished)
	}
	return s + "."
}

func (r *Report) speedCharts(w *writer) {
	if len(r.History.Points) < 2 {
		return
	}
	w.section("Over time")
	w.start("div", "class", "charts")
	h := r.History
	count := func(v float64) string {
		if v < 10 {
			return fmt.Sprintf("%.1f", v)
		}
		return console.Count(int64(v))
	}
	w.overTime(h, r.Noun+"s", func(p console.Point) int64 { return p.Objects }, count)
	w.overTime(h, "bytes", func(p console.Point) int64 { return p.Bytes }, func(v float64) string { return console.Size(int64(v)) })
	w.overTime(h, "nodes", func(p console.Point) int64 { return p.Nodes }, count)
	w.overTime(h, "requests", func(p console.Point) int64 { return p.Requests }, count)
	w.overTime(h, "failures", func(p console.Point) int64 { return p.Failures }, count)
	w.end("div", "section")
}

func (r *Report) prefixes(w *writer) {
	if r.Tree == nil {
		return
	}
	t := r.Tree
	by := t.measure()
	w.section("Prefixes by " + string(by))
	if !t.Complete {
		w.element("p", "The run is not over: this is what was committed so far.", "class", "dim")
	}
	w.treemap(t, r.Noun)
	var rows [][]cell
	whole := max(t.Of(by), 1)
	row := func(name string, known bool, s Sums) {
		rows = append(rows, []cell{
			{text: console.Count(s.Objects), num: true}, {text: console.Size(s.Bytes), num: true},
			{text: fmt.Sprintf("%.1f%%", 100*float64(s.Of(by))/float64(whole)), num: true}, {text: name, name: known},
		})
	}
	rest, left := t.Rest, t.Children
	more := Rest{}
	if rest != nil {
		more = *rest
	}
	var names console.Names
	for i := range left {
		if i < shownPrefixes {
			row(names.Text(left[i].Prefix), true, left[i].Sums)
			continue
		}
		more.Prefixes++
		more.Objects, more.Bytes, more.Seconds = more.Objects+left[i].Objects, more.Bytes+left[i].Bytes, more.Seconds+left[i].Seconds
	}
	if more.Prefixes > 0 {
		row("and "+counted(more.Prefixes, "prefix")+" more", false, more.Sums)
	}
	if t.Direct != nil && t.Direct.Objects > 0 {
		row("in none of them", false, *t.Direct)
	}
	w.table("Biggest prefixes", []string{r.Noun + "s", "bytes", "of all", "prefix"}, rows)
	w.end("section")
}

func (r *Report) histograms(w *writer) {
	if len(r.Histograms.Sizes) == 0 && len(r.Histograms.Depths) == 0 {
		return
	}
	w.section("Sizes and depths")
	w.start("div", "class", "charts")
	w.bars("Objects by size", r.sizeBars())
	w.bars("Objects by depth", r.depthBars())
	w.end("div", "section")
}

// people are who worked, and what took them long.
func (r *Report) people(w *writer) {
	if len(r.Slowest) > 0 {
		w.section("Slowest nodes")
		rows := make([][]cell, 0, len(r.Slowest))
		for _, n := range r.Slowest {
			rows = append(rows, []cell{{text: console.Elapsed(n.Seconds), num: true}, {text: clock(n.At)}, {text: n.Kind}, {text: n.Node, name: true}})
		}
		w.table("Slowest nodes", []string{"took", "ended", "kind", "node"}, rows)
		w.end("section")
	}
	if len(r.Workers) > 0 {
		w.section("Workers")
		w.table("Workers", workerHeadings, r.workerRows())
		w.more(int64(r.MoreWorkers + max(len(r.Workers)-shownWorkers, 0)))
		w.end("section")
	}
}

var workerHeadings = []string{"slots", "busy", "nodes", "messages", "first seen", "last seen", "worker"}

func (r *Report) workerRows() (rows [][]cell) {
	for i := range r.Workers[:min(len(r.Workers), shownWorkers)] {
		m := &r.Workers[i]
		busy := ""
		if all := m.At.Sub(m.Started).Seconds() * float64(m.Slots); all > 0 {
			busy = console.Percent(min(m.Busy/all, 1))
		}
		rows = append(rows, []cell{
			{text: console.Count(int64(m.Slots)), num: true}, {text: busy, num: true}, {text: console.Count(m.Nodes), num: true},
			{text: console.Count(m.Units), num: true}, {text: clock(m.Started)}, {text: clock(m.At)}, {text: m.ID, name: true},
		})
	}
	return rows
}

// more says how many of a list are not shown.
func (w *writer) more(n int64) {
	if n > 0 {
		w.element("p", "… and "+console.Count(n)+" more.", "class", "dim")
	}
}

// trouble is what failed.
func (r *Report) trouble(w *writer) {
	w.section("Failures")
	if len(r.Failures) == 0 && r.MoreFailures == 0 {
		w.element("p", "No node was given up.")
		w.end("section")
		return
	}
	shown := r.Failures[:min(len(r.Failures), shownFailures)]
	rows := make([][]cell, 0, len(shown))
	for i := range shown {
		f := &shown[i]
		rows = append(rows, []cell{{text: f.Kind}, {text: console.Count(int64(f.Depth)), num: true}, {text: f.Tried(), num: true}, {text: f.Given()}, {text: f.Node, name: true}, {text: f.Reason}})
	}
	w.table("Nodes that were given up", []string{"kind", "depth", "attempts", "given up, UTC", "node", "reason"}, rows)
	if why := r.unlisted(len(shown)); why != "" {
		w.element("p", why, "class", "dim")
	} else {
		w.more(r.moreFailures(len(shown)))
	}
	w.end("section")
}

// unlisted says why there are more than are known, where all that are known are shown.
func (r *Report) unlisted(shown int) string {
	if shown < len(r.Failures) {
		return ""
	}
	return console.Unlisted(r.MoreFailures, r.State)
}

// moreFailures are those that are not among so many that are shown.
func (r *Report) moreFailures(shown int) int64 {
	return r.MoreFailures + int64(len(r.Failures)-shown)
}

func (r *Report) configuration(w *writer) {
	w.section("Requests and cost")
	rows := make([][]cell, 0, len(r.Totals.Requests)+1)
	for _, name := range slices.Sorted(maps.Keys(r.Totals.Requests)) {
		rows = append(rows, []cell{{text: name}, {text: console.Count(r.Totals.Requests[name]), num: true}})
	}
	if c := r.Cost; c != nil {
		rows = append(rows, []cell{{text: "cost so far, by estimate"}, {text: console.Dollars(c.SoFar), num: true}})
		if c.Total > 0 {
			rows = append(rows, []cell{{text: "cost in all, if it goes on so"}, {text: console.Dollars(c.Total), num: true}})
		}
		if c.Budget > 0 {
			rows = append(rows, []cell{{text: "budget"}, {text: console.Dollars(c.Budget), num: true}})
		}
	}
	w.table("Requests and cost", []string{"what", "how much"}, rows)
	w.end("section")
	w.section("Configuration")
	rows = rows[:0]
	for _, s := range r.settings() {
		rows = append(rows, []cell{{text: s.Name}, {text: s.Value, name: true}})
	}
	w.table("Configuration", []string{"setting", "value"}, rows)
	w.end("section")
}

// settings are the configuration, and what else a run is.
func (r *Report) settings() []Setting {
	all := []Setting{
		{"target", r.Target}, {"kind of the root", r.Kind}, {"begun", r.Created.UTC().Format(time.RFC3339)}, {"results", r.Out},
	}
	if r.Out == "" {
		all[3].Value = "none"
	}
	return append(all, r.Configuration...)
}
