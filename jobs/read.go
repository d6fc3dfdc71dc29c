package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the most bytes of a file.
const maxFile = 4 << 20

// Error says what is wrong with a file, and where.
type Error struct {
	Path  string
	Line  int    // from 1
	Job   string // "" outside of jobs
	Field string // "" where there is none, such as in a file that is no YAML
	Value string
	Want  string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Path)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Job != "" {
		fmt.Fprintf(&b, ": job %s", e.Job)
	}
	v := e.Value
	if len(v) > 80 {
		v = v[:80] + "…"
	}
	if e.Field == "" {
		fmt.Fprintf(&b, ": %s", e.Want)
	} else {
		fmt.Fprintf(&b, ": %s is %q, want %s", e.Field, v, e.Want)
	}
	return b.String()
}

// Read reads a file. What is wrong with it is an *Error.
func Read(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	return Parse(path, text)
}

// Parse reads the text of a file at a path: the folder that relative ones in it
// begin from.
func Parse(path string, text []byte) (*File, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	r := &reader{path: path, dir: filepath.Dir(full)}
	file := &File{Path: full, Jobs: map[string]*Job{}}
	if len(text) > maxFile {
		return nil, &Error{Path: path, Want: fmt.Sprintf("it is too long, want a file of at most %d bytes", maxFile)}
	}
	root, err := document(text)
	if err != nil {
		return nil, &Error{Path: path, Want: err.Error()}
	}
	r.file(root, file)
	if r.err != nil {
		return nil, r.err
	}
	return file, nil
}

// document is the one document of a file.
func document(text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty, want `jobs:`, and below it jobs by name")
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: a second document begins, want one", more.Line)
	}
	return doc.Content[0], nil
}

func (r *reader) file(n *yaml.Node, f *File) {
	r.mapping(n, "file", fields{
		"queue":   r.queue(&f.Queue),
		"results": r.queue(&f.Results),
		"jobs": func(n *yaml.Node, field string) {
			r.each(n, field, func(key, value *yaml.Node) { r.named(f, key, value) })
		},
	})
	if r.err == nil && len(f.Jobs) == 0 {
		r.fail(at(n), "jobs", "", "at least one job: a name, and below it `run: [PROGRAM, ARGUMENT, …]`")
	}
	for _, j := range f.Jobs {
		if j.Results == "" {
			j.Results = f.Results
		}
	}
	r.flows(f)
}

var jobName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (r *reader) named(f *File, key, value *yaml.Node) {
	if !jobName.MatchString(key.Value) {
		r.fail(at(key), "name of a job", key.Value, "1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit")
		return
	}
	r.job = key.Value
	f.Jobs[key.Value] = r.readJob(key, value)
	r.job = ""
}

func (r *reader) readJob(key, n *yaml.Node) *Job {
	j := &Job{
		Name: key.Value, Dir: r.dir, KillAfter: DefaultKillAfter, Output: DefaultOutput, Retries: -1,
		Exits: Exits{done: []int{0}}, at: at(key),
	}
	// Whether programs are scripts is known only when all is read.
	var run, reduce *yaml.Node
	var exits bool
	r.mapping(n, "", fields{
		"about":      r.text(&j.About),
		"params":     func(n *yaml.Node, field string) { r.params(n, field, j) },
		"shell":      r.flag(&j.Shell),
		"run":        func(n *yaml.Node, _ string) { run = n },
		"reduce":     func(n *yaml.Node, _ string) { reduce = n },
		"env":        func(n *yaml.Node, field string) { r.env(n, field, j) },
		"inherit":    func(n *yaml.Node, field string) { r.inherit(n, field, j) },
		"dir":        func(n *yaml.Node, field string) { r.folder(n, field, j) },
		"user":       r.text(&j.User),
		"timeout":    r.duration(&j.Timeout),
		"kill_after": r.duration(&j.KillAfter),
		"nice":       r.number(&j.Nice, -20, 19),
		"output":     r.size(&j.Output),
		"retries":    r.number(&j.Retries, 0, 1000),
		"queue":      func(n *yaml.Node, field string) { r.queues(n, field, j) },
		"needs":      r.startsOf(&j.Needs),
		"on_success": r.startsOf(&j.OnSuccess),
		"on_failure": r.startsOf(&j.OnFailure),
		"join":       r.startsOf(&j.Join),
		"results":    r.queue(&j.Results),
		"exit": func(n *yaml.Node, field string) {
			exits = true
			r.exits(n, field, &j.Exits)
		},
	})
	if r.err != nil {
		return j
	}
	switch {
	case run != nil:
		j.Run = r.program(run, "run", j)
	case len(j.Needs)+len(j.OnSuccess)+len(j.Join) == 0:
		r.fail(j.at, "run", "", "a list, [PROGRAM, ARGUMENT, …]")
		return j
	case reduce != nil:
		r.fail(j.at, "reduce", "", "none where there is no run")
		return j
	}
	if reduce != nil {
		j.Reduce = r.program(reduce, "reduce", j)
	}
	if j.Shell && !exits { // as a shell says it: no retry finds the program
		j.Exits.giveUp = []int{126, 127}
	}
	for _, v := range j.Env {
		r.known(j, v.Value, j.at, "env."+v.Name)
	}
	return j
}
