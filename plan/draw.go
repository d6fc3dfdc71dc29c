package plan

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"
)

// blocks fill a cell from below, by eighths.
var blocks = []rune(" ▁▂▃▄▅▆▇█")

// Plot writes the curves of tasks and backlog for a terminal: as many columns as
// given, four lines each.
func (e *Estimate) Plot(w io.Writer, columns int) error {
	const rows = 4
	if len(e.Curve) == 0 {
		return nil
	}
	end := e.Curve[len(e.Curve)-1].At
	var b strings.Builder
	for _, c := range curves {
		values := e.columns(c.of, columns)
		top := 0.0
		for _, v := range values {
			top = max(top, v)
		}
		fmt.Fprintf(&b, "%s, at most %s\n", c.name, short(top))
		for row := rows - 1; row >= 0; row-- {
			line := make([]rune, 0, columns)
			for _, v := range values {
				// What is not zero is seen.
				eighths := math.Ceil(v/max(top, 1e-9)*rows*8) - float64(row*8)
				line = append(line, blocks[int(min(max(eighths, 0), 8))])
			}
			b.WriteString("  " + strings.TrimRight(string(line), " ") + "\n")
		}
	}
	right := time.Duration(end * int(time.Second)).String()
	fmt.Fprintf(&b, "  0s%*s\n", max(columns-2, len(right)), right)
	_, err := io.WriteString(w, b.String())
	return err
}

// curves are what is drawn.
var curves = []struct {
	name, colour string
	of           func(p Point) float64
}{
	{"tasks running", "#1f6feb", func(p Point) float64 { return float64(p.Running) }},
	{"backlog", "#d1571b", func(p Point) float64 { return p.Outstanding }},
}

// columns are the greatest values of each of so many stretches of time.
func (e *Estimate) columns(of func(Point) float64, columns int) []float64 {
	values := make([]float64, columns)
	end := e.Curve[len(e.Curve)-1].At
	last := 0
	for _, p := range e.Curve {
		i := min(p.At*columns/(end+1), columns-1)
		for ; last < i; last++ {
			values[last+1] = of(p) // where there are more columns than points
		}
		values[i] = max(values[i], of(p))
	}
	return values
}

// SVG writes the curves as a picture of its own, readable on light and dark
// ground.
func (e *Estimate) SVG(w io.Writer, title string) error {
	const width, height, left, top, gap = 720.0, 150.0, 64.0, 40.0, 44.0
	if len(e.Curve) == 0 {
		return nil
	}
	end := max(float64(e.Curve[len(e.Curve)-1].At), 1)
	total := top + 2*(height+gap)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12" role="img">`+"\n", left+width+24, total)
	name := html.EscapeString(title)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"%.0f\" y=\"20\" font-size=\"14\">%s</text>\n", name, left, name)
	for i, c := range curves {
		base := top + float64(i)*(height+gap) + height
		most := 1.0
		for _, p := range e.Curve {
			most = max(most, c.of(p))
		}
		fmt.Fprintf(&b, `<text x="%.0f" y="%.1f">%s</text>`+"\n", left, base-height-6, c.name)
		for _, part := range []float64{0, 0.5, 1} {
			y := base - part*height
			fmt.Fprintf(&b, `<path d="M%.0f %.1fh%.0f" stroke="#ddd"/><text x="%.0f" y="%.1f" text-anchor="end">%s</text>`+"\n", left, y, width, left-6, y+4, short(part*most))
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", left+part*width, base+16, time.Duration(part*end)*time.Second)
		}
		b.WriteString(`<path fill="none" stroke-width="1.5" stroke="` + c.colour + `" d="M`)
		for j, p := range e.Curve {
			if j > 0 {
				b.WriteString("L")
			}
			fmt.Fprintf(&b, "%.1f %.1f", left+float64(p.At)/end*width, base-c.of(p)/most*height)
		}
		b.WriteString("\"/>\n")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// short is a figure in three digits with an SI prefix.
func short(n float64) string {
	units := []string{"", "k", "M", "G", "T"}
	i := 0
	for math.Round(n) >= 1000 && i < len(units)-1 {
		n /= 1000
		i++
	}
	if n < 9.95 && n != math.Trunc(n) {
		return fmt.Sprintf("%.1f%s", n, units[i])
	}
	return fmt.Sprintf("%.0f%s", n, units[i])
}
