package jobs

import (
	"fmt"
	"regexp"
	"strings"
)

// Text is a text with placeholders, {{name}}.
type Text struct{ parts []part }

// part is a piece of text, or what a parameter holds.
type part struct {
	literal string
	param   string
}

var placeholder = regexp.MustCompile(`^\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}`)

// parseText reads a text. Two braces that open nothing are refused: {{Date}} for
// {{date}} would be passed on as it stands. {{{{ is a literal {{.
func parseText(s string) (Text, error) {
	var t Text
	literal := func(s string) {
		if last := len(t.parts) - 1; last >= 0 && t.parts[last].param == "" {
			t.parts[last].literal += s
		} else if s != "" {
			t.parts = append(t.parts, part{literal: s})
		}
	}
	for {
		before, rest, found := strings.Cut(s, "{{")
		literal(before)
		if !found {
			return t, nil
		}
		if after, escaped := strings.CutPrefix(rest, "{{"); escaped {
			literal("{{")
			s = after
			continue
		}
		m := placeholder.FindStringSubmatch("{{" + rest)
		if m == nil {
			return Text{}, fmt.Errorf("placeholders as {{name}}, of letters, digits and _; {{{{ is two braces as they are")
		}
		t.parts = append(t.parts, part{param: m[1]})
		s = ("{{" + rest)[len(m[0]):]
	}
}

// fixed is what the text begins with whatever parameters hold.
func (t Text) fixed() string {
	if len(t.parts) == 0 {
		return ""
	}
	return t.parts[0].literal
}

// params are the names of the placeholders.
func (t Text) params() []string {
	var names []string
	for _, p := range t.parts {
		if p.param != "" {
			names = append(names, p.param)
		}
	}
	return names
}

// begins is the parameter whose value the filled text begins with, or "": one that
// holds nothing leaves the beginning to what follows it.
func (t Text) begins(values map[string]string) string {
	for _, p := range t.parts {
		if p.param == "" || values[p.param] != "" {
			return p.param
		}
	}
	return ""
}

// fill is the text with what the parameters hold.
func (t Text) fill(values map[string]string) string {
	if len(t.parts) == 1 && t.parts[0].param == "" {
		return t.parts[0].literal
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.param != "" {
			b.WriteString(values[p.param])
		} else {
			b.WriteString(p.literal)
		}
	}
	return b.String()
}

// String is the text as it was written, for people.
func (t Text) String() string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.param != "" {
			b.WriteString("{{" + p.param + "}}")
		} else {
			b.WriteString(strings.ReplaceAll(p.literal, "{{", "{{{{"))
		}
	}
	return b.String()
}
