package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Least and most lines of what stands below the figures of a run.
const (
	leastChart, mostChart = 2, 8
	mostCrew              = 12
	mostSlowShown         = 5
	widestChart           = 120
)

// panel is a reading as `ramify watch` shows it in a terminal of that size: the figures,
// and below them, as far as there is room, the speed over time, what the workers do, and
// the slowest nodes.
func (t *Terminal) panel(r Reading, width, height int) []string {
	lines := t.table(r, width)
	room := height - 1 - len(lines)
	chart := t.chart(r.Snapshot, min(width-1, widestChart), 1)
	crew := t.crewLines(r.Snapshot)
	slow := t.slowLines(r.Snapshot)

	// Each part has a heading and at least one line, or is not there; what is left goes
	// to the chart, then to the workers, then to the slowest nodes.
	chartRows, crewRows, slowRows := 0, 0, 0
	take := func(rows *int, heading, least, most int) {
		if most = min(most, room-heading); most >= least && most > 0 {
			*rows, room = most, room-most-heading
		}
	}
	more := func(rows *int, most int) {
		if *rows > 0 {
			n := min(max(most-*rows, 0), room)
			*rows, room = *rows+n, room-n
		}
	}
	if len(chart) > 0 {
		take(&chartRows, 1, leastChart, leastChart)
	}
	take(&crewRows, 1, 1, min(len(crew)-1, 2))
	take(&slowRows, 1, 1, min(len(slow)-1, 2))
	gaps := 0
	for _, rows := range []int{chartRows, crewRows, slowRows} {
		if rows > 0 {
			gaps++
		}
	}
	roomy := room >= gaps+2
	if roomy {
		room -= gaps
	}
	more(&chartRows, 4)
	more(&crewRows, min(len(crew)-1, mostCrew))
	more(&slowRows, min(len(slow)-1, mostSlowShown))
	more(&chartRows, mostChart)

	add := func(rows int, part []string) {
		if rows == 0 {
			return
		}
		if roomy {
			lines = append(lines, "")
		}
		lines = append(lines, part[:rows+1]...)
	}
	if chartRows > 0 {
		chart = t.chart(r.Snapshot, min(width-1, widestChart), chartRows)
	}
	add(chartRows, chart)
	add(crewRows, crew)
	add(slowRows, slow)
	return lines
}

// crewLines are what the workers do, those that are alive: a heading, a line for each,
// and then what else they do, the longest first. Nothing once the run is over.
func (t *Terminal) crewLines(s Snapshot) []string {
	rows := [][4]string{{"worker", "slots", "busy", "doing, for how long"}}
	var rest []Doing
	hidden := 0
	for _, m := range s.Crew {
		if !m.Alive {
			hidden++
			continue
		}
		row := [4]string{Clean(m.ID), fmt.Sprintf("%d of %d", m.InFlight, m.Slots), m.busy(), ""}
		if len(m.Doing) > 0 {
			row[3] = doingText(m.Doing[0])
			rest = append(rest, m.Doing[1:]...)
		}
		rows = append(rows, row)
	}
	if len(rows) == 1 {
		return nil
	}
	slices.SortStableFunc(rest, func(a, b Doing) int { return cmp.Compare(b.Seconds, a.Seconds) })
	for _, d := range rest[:min(len(rest), mostCrew)] {
		rows = append(rows, [4]string{"", "", "", doingText(d)})
	}
	if hidden > 0 {
		rows[0][0] = "worker, " + exact(int64(hidden)) + " gone"
	}
	return t.columnsOf(rows, 24)
}

// busy is the part of a worker's slots that were in use.
func (m Member) busy() string {
	all := m.At.Sub(m.Started).Seconds() * float64(m.Slots)
	if all <= 0 {
		return ""
	}
	return percent(min(m.Busy.Seconds()/all, 1), 0)
}

func doingText(d Doing) string {
	return elapsed(d.Seconds) + "  " + Clean(d.Node)
}

// slowLines are the slowest nodes, below a heading.
func (t *Terminal) slowLines(s Snapshot) []string {
	rows := [][4]string{{"slowest", "ended", "", ""}}
	for _, n := range SlowestOf(s.sketches) {
		rows = append(rows, [4]string{elapsed(n.Seconds), n.At.UTC().Format(time.TimeOnly), Clean(n.Node), ""})
	}
	if len(rows) == 1 {
		return nil
	}
	return t.columnsOf(rows, 60)
}

// columnsOf are rows in columns, the first of them a heading. The first column is cut
// to a width.
func (t *Terminal) columnsOf(rows [][4]string, widest int) []string {
	var widths [4]int
	for i := range rows {
		rows[i][0] = cut(rows[i][0], widest)
		for k := range rows[i] {
			widths[k] = max(widths[k], columns(rows[i][k]))
		}
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		var b strings.Builder
		for k, text := range r {
			if widths[k] == 0 {
				continue
			}
			if k > 0 {
				b.WriteString("  ")
			}
			b.WriteString(pad(text, widths[k]))
		}
		lines[i] = strings.TrimRight(b.String(), " ")
		if i == 0 {
			lines[i] = t.paint(lines[i], dim)
		}
	}
	return lines
}
