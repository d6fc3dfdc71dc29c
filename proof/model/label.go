package model

import (
	"fmt"
	"strings"
)

// label says what a step was. Its text is made only where somebody reads it.
type label struct {
	m      msg
	verb   string
	at     pid
	about  bool // at is named
	nobody bool // the step is not of a message
	yes    bool
	said   bool // yes or no is said
	lost   bool // the answer was lost
	post   slots
	re     uint8
	kind   planType
	more   string
}

// then adds to a label what follows at once.
func (c *checker) then(l label, verb string) label {
	if c.tracing {
		l.more += "; " + verb
	}
	return l
}

func (c *checker) labelText(l label) string {
	var b strings.Builder
	if !l.nobody {
		fmt.Fprintf(&b, "%-34s ", c.msgText(&l.m))
	}
	b.WriteString(l.verb)
	if l.about {
		b.WriteString(" " + c.placeName(l.at))
	}
	if l.kind != noPlan {
		b.WriteString(" (" + [...]string{"", "live", "leaf", "tomb"}[l.kind] + ")")
	}
	if l.post != 0 {
		fmt.Fprintf(&b, " (slots %b, re %d)", l.post, l.re)
	}
	if l.said {
		b.WriteString(map[bool]string{true: ": won", false: ": not won"}[l.yes])
	}
	if l.lost {
		b.WriteString(", and the ANSWER IS LOST")
	}
	b.WriteString(l.more)
	return b.String()
}

func (c *checker) msgText(m *msg) string {
	var b strings.Builder
	b.WriteString([...]string{"none", "node", "group", "reduce", "climb"}[m.op])
	fmt.Fprintf(&b, " %s at %s #%d", c.w.nodes[m.name].name, c.placeName(m.at), m.mid)
	if m.epoch > 0 {
		fmt.Fprintf(&b, " epoch %d", m.epoch)
	}
	if m.re > 0 {
		fmt.Fprintf(&b, " re %d", m.re)
	}
	if m.tries > 0 {
		fmt.Fprintf(&b, " try %d", m.tries)
	}
	if m.dead {
		b.WriteString(" (dead)")
	}
	return b.String()
}

// placeName is where something hangs: the slots on the way from the root.
func (c *checker) placeName(p pid) string {
	x := c.w.places[p]
	if x.of != none {
		return c.placeName(x.of) + "'"
	}
	if x.up == none {
		return "root"
	}
	return strings.TrimPrefix(c.placeName(x.up)+".", "root.") + string(rune('0'+x.slot))
}

func (c *checker) namesText(set uint32) string {
	var b strings.Builder
	for n := range c.w.nodes {
		for range set >> (2 * n) & 3 {
			b.WriteString(" " + c.w.nodes[n].name)
		}
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()[1:]
}

func (c *checker) accountText(a account) string {
	return fmt.Sprintf("{%s; failures %d, reduces %d}", c.namesText(a.nodes), a.failures, a.reduces)
}

func (c *checker) outcome(out uint8) string {
	if !c.tracing {
		return ""
	}
	o := c.w.outcomes[out]
	text := "{" + c.namesText(o.own.nodes)
	for i, kid := range o.kids {
		if i == 0 {
			text += " >"
		}
		text += " " + c.w.nodes[kid].name
	}
	return text + "}"
}
