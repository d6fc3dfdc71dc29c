package schedule

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// File is what one cron.yaml says.
type File struct {
	Path      string
	Schedules []*Schedule // in the order of the file
}

// maxFile is the most bytes of a file.
const maxFile = 1 << 20

// Read reads a file.
func Read(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read schedules: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read schedules: %w", err)
	}
	return ParseFile(path, text)
}

// ParseFile reads the text of a file. An error names file, line, schedule, field and
// value.
func ParseFile(path string, text []byte) (*File, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: it is too long, want a file of at most %d bytes", path, maxFile)
	}
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: it is empty, want `schedules:`, and below it schedules by name", path)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: a second document begins, want one", path)
	}
	r := &reader{path: path, file: &File{Path: path}}
	r.root(doc.Content[0])
	if r.err != nil {
		return nil, r.err
	}
	return r.file, nil
}

// reader keeps the first thing that is wrong.
type reader struct {
	path string
	name string // of the schedule that is read
	file *File
	err  error
}

func (r *reader) fail(n *yaml.Node, field, want string, args ...any) {
	if r.err != nil {
		return
	}
	in := ""
	if r.name != "" {
		in = " schedule " + r.name + ":"
	}
	value := n.Value
	if len(value) > 80 {
		value = value[:80] + "…"
	}
	r.err = fmt.Errorf("%s:%d:%s %s is %q, want %s", r.path, n.Line, in, field, value, fmt.Sprintf(want, args...))
}

// fields reads a mapping whose keys are known.
func (r *reader) fields(n *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, what, "a mapping of %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content) && r.err == nil; i += 2 {
		key := n.Content[i]
		read := known[key.Value]
		switch {
		case read == nil:
			r.fail(key, "field", "one of %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case seen[key.Value]:
			r.fail(key, "field", "each field once")
		default:
			seen[key.Value] = true
			read(n.Content[i+1])
		}
	}
}

// text reads a text, a number or a truth value as it is written.
func (r *reader) text(into *string, field string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
			r.fail(n, field, "a text")
			return
		}
		*into = n.Value
	}
}

func (r *reader) root(n *yaml.Node) {
	var ours, theirs *yaml.Node
	var version string
	r.fields(n, "file", map[string]func(*yaml.Node){
		"schedules": func(n *yaml.Node) { ours = n },
		"cron":      func(n *yaml.Node) { theirs = n },
		"version":   r.text(&version, "version"),
	})
	switch {
	case r.err != nil:
	case version != "" && version != "1":
		r.fail(&yaml.Node{Line: n.Line, Value: version}, "version", "1")
	case ours != nil && theirs != nil:
		r.fail(theirs, "cron", "either schedules, or the cron of Elastic Beanstalk")
	case ours != nil:
		r.ours(ours)
	case theirs != nil:
		r.theirs(theirs)
	}
	if r.err == nil && len(r.file.Schedules) == 0 {
		r.fail(n, "schedules", "at least one: a name, and below it cron and job")
	}
}

// scheduleName has room in the name of a run for the tick.
var scheduleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)

func (r *reader) ours(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "schedules", "schedules by name")
		return
	}
	for i := 0; i < len(n.Content) && r.err == nil; i += 2 {
		key := n.Content[i]
		if !scheduleName.MatchString(key.Value) {
			r.fail(key, "name of a schedule", "1 to 32 letters, digits, '.', '_' or '-', beginning with a letter or digit")
			return
		}
		r.name = key.Value
		r.add(key, r.schedule(key, n.Content[i+1]))
		r.name = ""
	}
}

func (r *reader) schedule(key, n *yaml.Node) *Schedule {
	s := &Schedule{Name: key.Value, Missed: Last}
	var cron *yaml.Node
	zone := time.UTC
	r.fields(n, "schedule", map[string]func(*yaml.Node){
		"about":  r.text(&s.About, "about"),
		"cron":   func(n *yaml.Node) { cron = n },
		"zone":   func(n *yaml.Node) { zone = r.zone(n) },
		"job":    r.text(&s.Job, "job"),
		"target": r.text(&s.Target, "target"),
		"url":    func(n *yaml.Node) { r.urlPath(n, s) },
		"task":   r.text(&s.Task, "task"),
		"params": func(n *yaml.Node) { r.params(n, s) },
		"missed": func(n *yaml.Node) {
			s.Missed = Missed(n.Value)
			if s.Missed != Skip && s.Missed != Last && s.Missed != All {
				r.fail(n, "missed", "skip, last or all")
			}
		},
	})
	switch {
	case r.err != nil:
	case cron == nil:
		r.fail(key, "cron", "the five fields of cron in quotes, such as \"30 2 * * *\"")
	case given(s.Job)+given(s.Target)+given(s.URL) != 1:
		r.fail(key, "schedule", "one of job, target and url")
	case s.Task != "" && s.URL == "":
		r.fail(key, "schedule", "task with a url only")
	case len(s.Params) > 0 && s.Job == "":
		r.fail(key, "schedule", "params with a job only")
	default:
		if s.URL != "" && s.Task == "" {
			s.Task = s.Name
		}
		r.when(cron, "cron", zone, s)
	}
	return s
}

func given(s string) int {
	if s == "" {
		return 0
	}
	return 1
}

func (r *reader) when(n *yaml.Node, field string, zone *time.Location, s *Schedule) {
	e, err := Parse(n.Value, zone)
	if err != nil {
		if r.err == nil {
			r.err = fmt.Errorf("%s:%d: schedule %s: %s is %q: %w", r.path, n.Line, r.name, field, n.Value, err)
		}
		return
	}
	s.When = e
}

func (r *reader) zone(n *yaml.Node) *time.Location {
	z, err := time.LoadLocation(n.Value)
	if err != nil || n.Value == "" || n.Value == "Local" {
		r.fail(n, "zone", "a time zone of the IANA database, such as Europe/Berlin, or UTC")
		return time.UTC
	}
	return z
}

var urlPath = regexp.MustCompile(`^/[A-Za-z0-9._~!$&'()*+,;=:@/-]*$`)

func (r *reader) urlPath(n *yaml.Node, s *Schedule) {
	if !urlPath.MatchString(n.Value) || strings.Contains(n.Value, "//") || strings.Contains(n.Value, "..") {
		r.fail(n, "url", "a path that begins with /")
		return
	}
	s.URL = n.Value
}

func (r *reader) params(n *yaml.Node, s *Schedule) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "params", "parameters by name")
		return
	}
	s.Params = map[string]string{}
	for i := 0; i < len(n.Content) && r.err == nil; i += 2 {
		name, value := n.Content[i].Value, ""
		if _, twice := s.Params[name]; twice || n.Content[i].Kind != yaml.ScalarNode {
			r.fail(n.Content[i], "params", "each parameter once, by name")
			return
		}
		r.text(&value, "params."+name)(n.Content[i+1])
		for _, m := range placeholder.FindAllStringSubmatch(value, -1) {
			if m[1] != "date" && m[1] != "time" {
				r.fail(n.Content[i+1], "params."+name, "{{date}} or {{time}}")
			}
		}
		s.Params[name] = value
	}
}

func (r *reader) add(key *yaml.Node, s *Schedule) {
	if slices.ContainsFunc(r.file.Schedules, func(o *Schedule) bool { return o.Name == s.Name }) {
		r.fail(key, "name of a schedule", "each name once")
		return
	}
	r.file.Schedules = append(r.file.Schedules, s)
}

// theirs reads the list of an Elastic Beanstalk worker environment.
//
// Source: AWS Elastic Beanstalk Developer Guide, "Elastic Beanstalk worker
// environments", "Periodic tasks": name, url and schedule, in UTC.
func (r *reader) theirs(n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		r.fail(n, "cron", "a list of tasks, each with name, url and schedule")
		return
	}
	for _, item := range n.Content {
		s := &Schedule{Missed: Skip}
		cron := &yaml.Node{Line: item.Line}
		r.fields(item, "task", map[string]func(*yaml.Node){
			"name":     r.text(&s.Task, "name"),
			"url":      func(n *yaml.Node) { r.urlPath(n, s) },
			"schedule": func(n *yaml.Node) { cron = n },
		})
		if r.err != nil {
			return
		}
		s.Name = nameOf(s.Task)
		r.name = s.Task
		switch {
		case s.Task == "":
			r.fail(item, "name", "a name")
		case s.URL == "":
			r.fail(item, "url", "a path that begins with /")
		default:
			r.when(cron, "schedule", time.UTC, s)
			r.add(item, s)
		}
		r.name = ""
	}
}

// nameOf is a name for a task of Elastic Beanstalk, which may be called anything.
func nameOf(task string) string {
	if scheduleName.MatchString(task) {
		return task
	}
	sum := sha256.Sum256([]byte(task))
	return "task-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}
