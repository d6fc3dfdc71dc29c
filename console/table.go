package console

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteStatus writes a snapshot as the table that `ramify status` shows, and
// how to go on. options are what a command needs besides the run's name to find
// it, such as "--state DIR", quoted for a shell; or empty.
func WriteStatus(w io.Writer, s Snapshot, options string) error {
	lines := new(Terminal).rows(s, s.Mean(), widestBar, "")
	if h := hints(s, options); len(h) > 0 {
		lines = append(append(lines, ""), h...)
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// widestBar is the columns of a bar where there is room.
const widestBar = 20

// table is the figures of a reading as `ramify watch` shows them: where it is narrow the
// bar goes, then the ETA's band.
func (t *Terminal) table(r Reading, width int) []string {
	bar := widestBar
	switch {
	case width < 60:
		bar = 0
	case width < 72:
		bar = 8
	}
	eta := ""
	if !r.State.Over() {
		eta = t.paint(r.ETA.left(width >= 50), bold)
	}
	return t.rows(r.Snapshot, r.speed(), bar, eta)
}

// rows are the figures, each with its name before and a remark behind it.
func (t *Terminal) rows(s Snapshot, speed Rates, barWidth int, eta string) []string {
	state := words(s.State)
	switch s.State {
	case Paused:
		state = t.paint(state, yellow)
	case Failed:
		state = t.paint(state, red)
	}
	failed := exact(s.Failures)
	if s.Failures != 0 {
		failed = t.paint(failed, red)
	}
	drawn := ""
	if barWidth > 0 {
		drawn = t.paint(t.bar(s.Fraction, barWidth), cyan) + " "
	}
	rows := [][3]string{
		{"run", Clean(s.Run)},
		{"target", Clean(s.Target)},
		{"state", state, attempts(s.Epoch)},
		{"done", percent(s.Fraction, 1), strings.TrimSpace(drawn + eta)},
		{"elapsed", elapsed(s.Seconds)},
		{s.noun() + "s", exact(s.Objects), exactPerSecond(speed.Objects)},
		{"bytes", size(float64(s.Bytes)), size(speed.Bytes) + "/s"},
		{"nodes", exact(s.Nodes), exactPerSecond(speed.Nodes)},
		{"requests", exact(countsOf(s).requests), exactPerSecond(speed.Requests)},
	}
	if len(s.Requests) > 1 {
		rows[len(rows)-1][2] += "  " + byName(s.Requests)
	}
	rows = append(rows, [3]string{"retries", exact(s.Retries)})
	if !s.State.Over() {
		rows = append(rows, [3]string{"in flight", exact(int64(s.InFlight)), fmt.Sprintf("of %s, %s", some(int64(s.Slots), "slot"), some(int64(s.Workers), "worker"))})
	}
	rows = append(rows, [3]string{"failed", failed})
	for _, n := range s.Notes {
		rows = append(rows, [3]string{Clean(n.Name), Clean(n.Value), Clean(n.Remark)})
	}
	return t.align(rows)
}

// align makes lines of the rows: remarks begin in one column, that of the
// longest value which has one.
func (t *Terminal) align(rows [][3]string) []string {
	var name, value int
	for _, r := range rows {
		name = max(name, columns(r[0]))
		if r[2] != "" {
			value = max(value, columns(unstyled(r[1])))
		}
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = t.paint(pad(r[0], name), dim) + "  " + r[1]
		if r[2] != "" {
			lines[i] += strings.Repeat(" ", max(value-columns(unstyled(r[1])), 0)) + "  " + r[2]
		}
	}
	return lines
}

// byName is requests by name, the most frequent first: 1,240 list, 60 head.
func byName(requests map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(requests), func(a, b string) int {
		return cmp.Or(cmp.Compare(requests[b], requests[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = exact(requests[name]) + " " + Clean(name)
	}
	return strings.Join(names, ", ")
}

func attempts(epoch int) string {
	if epoch == 0 {
		return ""
	}
	return "redriven " + some(int64(epoch), "time")
}

// hints say how to go on from a run as it is.
func hints(s Snapshot, options string) []string {
	command := func(name string) string {
		return "  " + strings.TrimSpace("ramify "+name+" "+Clean(s.Run)+" "+options)
	}
	var lines []string
	if s.Failures > 0 {
		verb := "were"
		if s.Failures == 1 {
			verb = "was"
		}
		lines = append(lines, fmt.Sprintf("%s %s given up. To see why:", some(s.Failures, "node"), verb), command("failed"))
	}
	switch {
	case s.State == Failed:
		lines = append(lines, "To try again:", command("redrive"))
	case s.State == Paused && s.spent:
		lines = append(lines, "It is paused: "+s.Reason+". To go on, with a higher one:", command("resume")+" --budget USD")
	case s.State == Paused:
		lines = append(lines, "It is paused. To go on:", command("resume"))
	case s.State == Interrupted:
		lines = append(lines, "It was interrupted, and nothing is lost. To go on:", command("resume"))
	case s.State == Running && s.idle:
		lines = append(lines, "Nobody works on it. To go on:", command("resume"))
	case s.State == Running && s.Workers == 0 && s.age > Fresh: // a run just begun has none yet
		lines = append(lines, fmt.Sprintf("No worker has reported in the last %s. To go on:", span(Fresh)), command("resume"))
	}
	return lines
}
