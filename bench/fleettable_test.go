package bench

import (
	"fmt"
	"strings"
)

// fleetTable is a race as Markdown; the first is Ramify.
func fleetTable(t tree, all []entrant) string {
	var text strings.Builder
	fmt.Fprintf(&text, "### Fleet, fan-out %d, %d nodes, one message a node\n\n", t.fanout, t.nodes())
	text.WriteString("| worker | runs | nodes/s | ours × | µs of CPU a node | requests a node | sends | receives | deletes | others |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for i := range all {
		e := &all[i]
		if e.wrong != nil {
			fmt.Fprintf(&text, "| %s | %d | failed: %s | | | | | | | |\n", e.name, len(e.rounds), cell(e.wrong.Error()))
			continue
		}
		c := &e.counted
		fmt.Fprintf(&text, "| %s | %d | %s | %s | %s | %.3f | %.3f | %.3f | %.3f | %.3f |\n", e.name, len(e.rounds),
			e.rate().text(0), times(all[0].rate(), e.rate()), e.cpuPerNode().text(0), c.requests(),
			c.per("Send"), c.per("Receive"), c.per("Delete"), c.requests()-c.per("Send")-c.per("Receive")-c.per("Delete"))
	}
	text.WriteByte('\n')
	return text.String()
}

// per is the requests a node of the operations of a name's beginning.
func (r *round) per(operation string) float64 {
	n := 0
	for name, k := range r.asked {
		if strings.HasPrefix(name, operation) {
			n += k
		}
	}
	return float64(n) / float64(r.nodes)
}

// fleetGoals are the goals of the queue alone, met or not.
func fleetGoals(t tree, all []entrant) (lines []string) {
	us := &all[0]
	if us.wrong != nil || len(us.rounds) == 0 {
		return nil
	}
	most := 0.31
	if t.fanout < 10 {
		most = 0.35
	}
	requests := us.counted.requests()
	lines = append(lines, verdict(requests <= most, "%.3f requests a node; at most %.2f", requests, most))
	if t.fanout < 10 {
		return lines
	}
	rate := us.rate().mid
	lines = append(lines, verdict(rate >= 4_000, "%.0f nodes/s; at least 4,000", rate))
	for _, g := range []struct {
		batched bool
		what    string
		ratio   float64
	}{{true, "the best of all, batched by hand or not", 2.5}, {false, "the best of the plain ones", 5}} {
		best := 0.0
		name := ""
		for i := range all[1:] {
			e := &all[1+i]
			if (g.batched || !e.batched) && e.rate().mid > best {
				best, name = e.rate().mid, e.name
			}
		}
		if best > 0 {
			lines = append(lines, verdict(rate >= g.ratio*best, "%.1f × %s, %s (%.0f nodes/s); at least %.1f ×", rate/best, name, g.what, best, g.ratio))
		}
	}
	return lines
}

func fleetLegend(all []entrant) string {
	var lines []string
	for i := range all {
		lines = append(lines, all[i].name+": "+all[i].about)
	}
	return bullets(lines)
}
