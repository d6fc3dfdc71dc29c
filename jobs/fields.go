package jobs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// position is where something stands in a file.
type position struct{ line int }

func at(n *yaml.Node) position { return position{n.Line} }

// reader reads a file up to the first thing that is wrong with it.
type reader struct {
	path string
	dir  string // relative paths begin here
	job  string // that is being read
	err  error
}

func (r *reader) fail(p position, field, value, want string) {
	if r.err == nil {
		r.err = &Error{Path: r.path, Line: p.line, Job: r.job, Field: field, Value: value, Want: want}
	}
}

// fields are the ones that a mapping may have.
type fields map[string]func(n *yaml.Node, field string)

// mapping reads a mapping of known fields; within is its own field, "" for a job.
func (r *reader) mapping(n *yaml.Node, within string, f fields) {
	r.each(n, within, func(key, value *yaml.Node) {
		field := key.Value
		if within != "" && within != "file" {
			field = within + "." + field
		}
		read := f[key.Value]
		if read == nil {
			r.fail(at(key), "field", field, "one of "+strings.Join(slices.Sorted(maps.Keys(f)), ", "))
			return
		}
		read(value, field)
	})
}

// each calls do with the keys and values of a mapping, in their order, each key once.
func (r *reader) each(n *yaml.Node, field string, do func(key, value *yaml.Node)) {
	n = resolved(n)
	if n.Kind != yaml.MappingNode {
		r.fail(at(n), name(field), describe(n), "a mapping, NAME: VALUE")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content) && r.err == nil; i += 2 {
		key := resolved(n.Content[i])
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fail(at(key), name(field), describe(key), `names; a placeholder stands in quotes, "{{name}}"`)
		case seen[key.Value]:
			r.fail(at(key), name(field), key.Value, "each name once")
		default:
			seen[key.Value] = true
			do(key, resolved(n.Content[i+1]))
		}
	}
}

// name is a field as it is called in an error.
func name(field string) string {
	if field == "" {
		return "job"
	}
	return field
}

// resolved is what an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// describe is a value for an error.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return n.Value
	}
}

// scalar is a text, a number or a word; as it is written, also where YAML would
// take it for a number or a date.
func (r *reader) scalar(n *yaml.Node, field, want string) (string, bool) {
	n = resolved(n)
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		if n.Kind == yaml.MappingNode && n.Style == yaml.FlowStyle {
			want += `; a placeholder stands in quotes, "{{name}}"`
		}
		r.fail(at(n), field, describe(n), want)
		return "", false
	}
	if strings.ContainsRune(n.Value, 0) {
		r.fail(at(n), field, n.Value, want+", without a zero byte")
		return "", false
	}
	return n.Value, true
}

func (r *reader) text(into *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, field string) {
		*into, _ = r.scalar(n, field, "a text")
	}
}

func (r *reader) flag(into *bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, field string) {
		v, ok := r.scalar(n, field, "true or false")
		if ok && v != "true" && v != "false" {
			r.fail(at(n), field, v, "true or false")
		}
		*into = v == "true"
	}
}

func (r *reader) number(into *int, least, most int) func(*yaml.Node, string) {
	return func(n *yaml.Node, field string) {
		want := fmt.Sprintf("a number from %d to %d", least, most)
		v, ok := r.scalar(n, field, want)
		i, err := strconv.Atoi(v)
		if ok && (err != nil || i < least || i > most) {
			r.fail(at(n), field, v, want)
		}
		*into = i
	}
}

// longest is the longest time that a job may name.
const longest = 30 * 24 * time.Hour

func (r *reader) duration(into *time.Duration) func(*yaml.Node, string) {
	return func(n *yaml.Node, field string) {
		const want = "a time from 1ms to 720h, such as 90s"
		v, ok := r.scalar(n, field, want)
		d, err := time.ParseDuration(v)
		if s, bad := strconv.Atoi(v); bad == nil {
			d, err = time.Duration(min(s, 1<<30))*time.Second, nil
		}
		if ok && (err != nil || d < time.Millisecond || d > longest) {
			r.fail(at(n), field, v, want)
		}
		*into = d
	}
}

// mostOutput is the most bytes kept of one output.
const mostOutput = 16 << 20

func (r *reader) size(into *int) func(*yaml.Node, string) {
	return func(n *yaml.Node, field string) {
		const want = "a size from 0 to 16MiB, such as 64KiB"
		v, ok := r.scalar(n, field, want)
		unit := 1
		digits := v
		for end, u := range map[string]int{"KiB": 1 << 10, "MiB": 1 << 20} {
			if before, is := strings.CutSuffix(v, end); is {
				digits, unit = strings.TrimSpace(before), u
			}
		}
		i, err := strconv.Atoi(digits)
		if ok && (err != nil || i < 0 || i > mostOutput/unit) {
			r.fail(at(n), field, v, want)
		}
		*into = i * unit
	}
}

// list calls do with the members of a list; a single one needs no brackets.
func (r *reader) list(n *yaml.Node, field string, do func(n *yaml.Node, field string)) {
	n = resolved(n)
	if n.Kind != yaml.SequenceNode {
		do(n, field)
		return
	}
	for i, m := range n.Content {
		if r.err == nil {
			do(resolved(m), fmt.Sprintf("%s[%d]", field, i))
		}
	}
}
