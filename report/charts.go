package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ramify/ramify/console"
)

// Of a chart over time, in units of its drawing.
const (
	chartWidth  = 480
	chartHeight = 150
	chartTop    = 22
	chartBottom = 20
	chartParts  = 120
)

// overTime draws a speed over the time of the run.
func (w *writer) overTime(h console.History, name string, of func(console.Point) int64, show func(float64) string) {
	if n := len(h.Points); n > 0 {
		w.steps(name+" a second", h.Speeds(chartParts, of), h.Points[n-1].Seconds, show)
	}
}

// steps draws values of equal parts of a time in seconds; nothing where all are 0.
func (w *writer) steps(name string, speeds []float64, total float64, show func(float64) string) {
	most := 0.0
	for _, v := range speeds {
		most = max(most, v)
	}
	if most == 0 {
		return
	}
	label := fmt.Sprintf("%s over %s, at most %s", name, console.Elapsed(total), show(most))
	w.start("svg", "viewBox", fmt.Sprintf("0 0 %d %d", chartWidth, chartHeight), "role", "img", "aria-label", label)
	w.element("text", name, "x", "0", "y", "13", "class", "name")
	w.element("text", "at most "+show(most), "x", strconv.Itoa(chartWidth), "y", "13", "text-anchor", "end", "class", "dim")
	bottom := float64(chartHeight - chartBottom)
	tall := bottom - chartTop
	step := float64(chartWidth) / float64(len(speeds))
	var path strings.Builder
	fmt.Fprintf(&path, "M0 %s", number(bottom))
	for i, v := range speeds {
		y := bottom - v/most*tall
		fmt.Fprintf(&path, "L%s %sL%s %s", number(float64(i)*step), number(y), number(float64(i+1)*step), number(y))
	}
	fmt.Fprintf(&path, "L%d %sZ", chartWidth, number(bottom))
	w.empty("line", "x1", "0", "x2", strconv.Itoa(chartWidth), "y1", strconv.Itoa(chartTop), "y2", strconv.Itoa(chartTop), "class", "grid")
	w.empty("path", "d", path.String(), "class", "area")
	for i, v := range speeds { // to be pointed at
		w.start("rect", "x", number(float64(i)*step), "y", strconv.Itoa(chartTop), "width", number(step), "height", number(tall), "class", "point")
		w.element("title", fmt.Sprintf("%s after %s", show(v), console.Elapsed(total*(float64(i)+0.5)/float64(len(speeds)))))
		w.b.WriteString("</rect>")
	}
	w.empty("line", "x1", "0", "x2", strconv.Itoa(chartWidth), "y1", number(bottom), "y2", number(bottom), "class", "axis")
	w.element("text", "0 s", "x", "0", "y", strconv.Itoa(chartHeight-4), "class", "dim")
	w.element("text", console.Elapsed(total), "x", strconv.Itoa(chartWidth), "y", strconv.Itoa(chartHeight-4), "text-anchor", "end", "class", "dim")
	w.end("svg")
}

// bar is one of a chart.
type bar struct {
	name  string
	size  int64
	shown string
}

// bars draws bars one below the other.
func (w *writer) bars(label string, all []bar) {
	const width, left, right, row = 480, 130, 150, 18
	var most int64
	for _, b := range all {
		most = max(most, b.size)
	}
	if most == 0 {
		return
	}
	w.start("svg", "viewBox", fmt.Sprintf("0 0 %d %d", width, row*len(all)+4), "role", "img", "aria-label", label)
	for i, b := range all {
		y := i*row + 2
		w.start("g")
		w.element("title", b.name+": "+b.shown)
		w.element("text", b.name, "x", strconv.Itoa(left-8), "y", strconv.Itoa(y+12), "text-anchor", "end")
		length := float64(width-left-right) * float64(b.size) / float64(most)
		if b.size > 0 {
			length = max(length, 1)
		}
		w.empty("rect", "x", strconv.Itoa(left), "y", strconv.Itoa(y+2), "width", number(length), "height", strconv.Itoa(row-5), "class", "bar")
		w.element("text", b.shown, "x", number(left+length+6), "y", strconv.Itoa(y+12), "class", "dim")
		w.end("g")
	}
	w.end("svg")
}

// sizeBars are the classes of sizes.
func (r *Report) sizeBars() (all []bar) {
	for _, c := range r.Histograms.Sizes {
		name := console.Size(c.From) + " – " + console.Size(c.To)
		if c.From == 0 {
			name = "empty"
		}
		all = append(all, bar{name, c.Objects, counted(c.Objects, r.Noun) + ", " + console.Size(c.Bytes)})
	}
	return all
}

// mostDepths are shown; what is deeper is one.
const mostDepths = 32

// depthBars are the objects by their depth.
func (r *Report) depthBars() (all []bar) {
	var deeper int64
	for _, c := range r.Histograms.Depths {
		if len(all) >= mostDepths {
			deeper += c.Objects
			continue
		}
		all = append(all, bar{fmt.Sprintf("depth %d", c.Depth), c.Objects, counted(c.Objects, r.Noun)})
	}
	if deeper > 0 {
		all = append(all, bar{"deeper", deeper, counted(deeper, r.Noun)})
	}
	return all
}
