package console

import (
	"sort"
	"strings"
)

// blocks are the eighths of a character cell, from below.
var blocks = []rune(" ▁▂▃▄▅▆▇█")

// columnChart draws numbers, which are not negative, as columns: a line per row, the
// highest first. What is more than nothing can be seen.
func columnChart(values []float64, rows int) []string {
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	eighths := make([]int, len(values))
	for i, v := range values {
		if v > 0 {
			eighths[i] = max(int(v/most*float64(rows*8)+0.5), 1)
		}
	}
	lines := make([]string, rows)
	for row := range lines {
		var b strings.Builder
		below := (rows - 1 - row) * 8
		for _, n := range eighths {
			b.WriteRune(blocks[min(max(n-below, 0), 8)])
		}
		lines[row] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

// Speeds are how much was counted a second in each of so many equal parts of the time
// of a history; between two of its points the count is on a line. nil: there was none.
func (h History) Speeds(parts int, of func(Point) int64) []float64 {
	n := len(h.Points)
	if parts < 1 || n < 2 || h.Points[n-1].Seconds <= 0 {
		return nil
	}
	width := h.Points[n-1].Seconds / float64(parts)
	at := func(t float64) float64 {
		i := sort.Search(n, func(i int) bool { return h.Points[i].Seconds >= t })
		switch i {
		case 0:
			return float64(of(h.Points[0]))
		case n:
			return float64(of(h.Points[n-1]))
		}
		a, b := h.Points[i-1], h.Points[i]
		return float64(of(a)) + float64(of(b)-of(a))*(t-a.Seconds)/(b.Seconds-a.Seconds)
	}
	speeds := make([]float64, parts)
	last := at(0)
	for i := range speeds {
		next := at(width * float64(i+1))
		speeds[i] = max(next-last, 0) / width
		last = next
	}
	return speeds
}

// counted is what a run is charted by: its objects, or nodes where they find none.
func (s Snapshot) counted() (noun string, of func(Point) int64) {
	if s.Objects == 0 && s.Nodes > 0 {
		return "node", func(p Point) int64 { return p.Nodes }
	}
	return s.noun(), func(p Point) int64 { return p.Objects }
}

// chart is the speed of a run over its time, in so many columns and rows below a line
// that says what it shows; nothing where there is none yet.
func (t *Terminal) chart(s Snapshot, width, rows int) []string {
	if len(s.sketches) == 0 {
		return nil // of its end alone there is nothing to draw
	}
	noun, of := s.counted()
	speeds := HistoryOf(s, s.sketches).Speeds(width, of)
	most := 0.0
	for _, v := range speeds {
		most = max(most, v)
	}
	if most == 0 {
		return nil
	}
	lines := []string{t.paint(noun+"s a second over "+elapsed(s.Seconds)+", at most "+strings.TrimSuffix(perSecond(most), "/s"), dim)}
	for _, line := range columnChart(speeds, rows) {
		lines = append(lines, t.paint(line, cyan))
	}
	return lines
}

// Spark draws numbers, which are not negative, in one line.
func Spark(values []float64) string { return columnChart(values, 1)[0] }
