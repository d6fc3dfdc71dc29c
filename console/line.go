package console

import "strings"

// bar is a fraction in width columns of eighths.
func bar(fraction float64, width int) string {
	eighths := int(fraction * float64(width*8))
	full := eighths / 8
	b := strings.Repeat("█", full)
	if full < width {
		if part := eighths % 8; part > 0 {
			b += string([]rune("▏▎▍▌▋▊▉")[part-1])
			full++
		}
		b += strings.Repeat(" ", width-full)
	}
	return "▕" + b + "▏"
}

// bar is that of a terminal, which may have no such characters.
func (t *Terminal) bar(fraction float64, width int) string {
	if !t.ascii {
		return bar(fraction, width)
	}
	full := int(fraction * float64(width))
	return "[" + strings.Repeat("#", full) + strings.Repeat(" ", width-full) + "]"
}

var spinner = []rune("⣷⣯⣟⡿⢿⣻⣽⣾")

// parts are the segments of a status line that may be left out.
type parts struct {
	bar, objects, objectRate, bytes, byteRate, nodes, nodeRate, inFlight, noFailures, eta, band bool
}

// narrower leaves out one segment after the other, the least missed first.
var narrower = []func(*parts){
	func(p *parts) { p.byteRate = false },
	func(p *parts) { p.nodeRate = false },
	func(p *parts) { p.inFlight = false },
	func(p *parts) { p.noFailures = false },
	func(p *parts) { p.bytes = false },
	func(p *parts) { p.nodes = false },
	func(p *parts) { p.band = false },
	func(p *parts) { p.objectRate = false },
	func(p *parts) { p.bar = false },
	func(p *parts) { p.objects = false },
	func(p *parts) { p.eta = false },
}

// line is the status line of a reading in at most width columns, with as much
// in it as there is room for. frame turns the spinner; below 0 there is none.
func (t *Terminal) line(r Reading, frame, width int) string {
	show := parts{true, true, true, true, true, true, true, true, true, true, true}
	for _, leave := range narrower {
		s := t.compose(r, frame, show)
		if columns(unstyled(s)) <= width {
			return s
		}
		leave(&show)
	}
	return cut(t.compose(r, frame, show), width)
}

func (t *Terminal) compose(r Reading, frame int, show parts) string {
	var b strings.Builder
	switch {
	case r.State == Running && frame >= 0:
		b.WriteString(t.paint(string(spinner[frame%len(spinner)]), cyan) + " ")
	case r.State == Paused:
		b.WriteString(t.paint("paused", yellow) + " ")
	default:
		b.WriteString(t.paint(words(r.State), bold) + " ")
	}
	b.WriteString(padLeft(percent(r.Fraction, 0), 3))
	if show.bar {
		b.WriteString(" " + t.paint(t.bar(r.Fraction, 8), cyan))
	}
	speed := r.speed()
	// The first segment stands apart from the bar, the others are divided by dots.
	gap := "  "
	add := func(count string, speed string, withSpeed bool) {
		b.WriteString(gap + count)
		if withSpeed {
			b.WriteString(" " + t.paint(speed, dim))
		}
		gap = t.paint(" · ", dim)
	}
	if show.objects {
		add(short(float64(r.Objects))+" "+plural(r.Objects, r.noun()), perSecond(speed.Objects), show.objectRate)
	}
	if show.bytes {
		add(size(float64(r.Bytes)), size(speed.Bytes)+"/s", show.byteRate)
	}
	if show.nodes {
		add(short(float64(r.Nodes))+" "+plural(r.Nodes, "node"), perSecond(speed.Nodes), show.nodeRate)
	}
	if show.inFlight {
		add(exact(int64(r.InFlight))+" in flight", "", false)
	}
	if failed := short(float64(r.Failures)) + " failed"; r.Failures != 0 {
		add(t.paint(failed, red), "", false)
	} else if show.noFailures {
		add(failed, "", false)
	}
	if show.eta && !r.State.Over() {
		add(t.paint(r.ETA.left(show.band), bold), "", false)
	}
	return b.String()
}

// noun is what the processors of the run count.
func (s Snapshot) noun() string {
	if strings.HasPrefix(s.Kind, "s3.") {
		return "key"
	}
	return "object"
}

// words is a state without underscores.
func words(s State) string { return strings.ReplaceAll(string(s), "_", " ") }
