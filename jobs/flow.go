package jobs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Start says that a job starts another one.
type Start struct {
	Job    string
	Params []Variable // what its parameters hold, in words of the job that starts it

	at position
}

// Starts of a job, by the field they stand in.
func (j *Job) starts() map[string][]Start {
	return map[string][]Start{"on_success": j.OnSuccess, "on_failure": j.OnFailure, "needs": j.Needs, "join": j.Join}
}

// Joins reports whether the job waits for others, or others for what it has started:
// which only a ledger can tell.
func (j *Job) Joins() bool { return len(j.Needs)+len(j.Join) > 0 || len(j.Queues) > 1 }

// Given is what another job is given that this one starts, with these values: what the
// start says, and for the parameters that both have under one name, the same.
func (j *Job) Given(s Start, of *Job, values Values) map[string]string {
	given := map[string]string{}
	for i := range of.Params {
		if name := of.Params[i].Name; j.param(name) != nil {
			given[name] = values[name]
		}
	}
	for _, v := range s.Params {
		given[v.Name] = v.Value.fill(values)
	}
	return given
}

// Reach is all jobs that a start of one may come to, itself among them, sorted.
func (f *File) Reach(name string) []*Job {
	seen := map[string]*Job{}
	for next := []string{name}; len(next) > 0; next = next[1:] {
		j := f.Jobs[next[0]]
		if j == nil || seen[j.Name] != nil {
			continue
		}
		seen[j.Name] = j
		for _, starts := range j.starts() {
			for _, s := range starts {
				next = append(next, s.Job)
			}
		}
	}
	all := make([]*Job, 0, len(seen))
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		all = append(all, seen[name])
	}
	return all
}

// Routed reports whether jobs wait on queues of their own.
func (f *File) Routed() bool {
	for _, j := range f.Jobs {
		if len(j.Queues) > 0 {
			return true
		}
	}
	return f.Queue != ""
}

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

const wantQueue = "the name of a queue: 1 to 80 letters, digits, - and _"

// queue reads the name of a queue.
func (r *reader) queue(into *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, field string) {
		v, ok := r.scalar(n, field, wantQueue)
		if ok && !queueName.MatchString(v) {
			r.fail(at(n), field, v, wantQueue)
		}
		*into = v
	}
}

// queues reads the queue of a job, or those that each start of it reaches.
func (r *reader) queues(n *yaml.Node, field string, j *Job) {
	r.list(n, field, func(n *yaml.Node, field string) {
		var name string
		r.queue(&name)(n, field)
		if slices.Contains(j.Queues, name) {
			r.fail(at(n), field, name, "each queue once")
		}
		j.Queues = append(j.Queues, name)
	})
}

// startsOf reads which jobs are started: names, or mappings that say what they are
// given. Which jobs there are is known only when all is read.
func (r *reader) startsOf(into *[]Start) func(*yaml.Node, string) {
	return func(n *yaml.Node, field string) {
		r.list(n, field, func(n *yaml.Node, field string) {
			s := Start{at: at(n)}
			if n.Kind == yaml.MappingNode {
				r.mapping(n, field, fields{
					"job":    r.text(&s.Job),
					"params": func(n *yaml.Node, field string) { r.given(n, field, &s) },
				})
			} else {
				s.Job, _ = r.scalar(n, field, "the name of a job")
			}
			*into = append(*into, s)
		})
	}
}

func (r *reader) given(n *yaml.Node, field string, s *Start) {
	r.each(n, field, func(key, value *yaml.Node) {
		field := field + "." + key.Value
		v, ok := r.scalar(value, field, "a text")
		if !ok {
			return
		}
		t, err := parseText(v)
		if err != nil {
			r.fail(at(value), field, v, err.Error())
		}
		s.Params = append(s.Params, Variable{key.Value, t})
	})
}

// flows checks what jobs say of each other, once all are read.
func (r *reader) flows(f *File) {
	if r.err != nil {
		return
	}
	names := slices.Sorted(maps.Keys(f.Jobs))
	for _, name := range names {
		j := f.Jobs[name]
		r.job = name
		r.checkQueue(f, j)
		for _, field := range []string{"needs", "on_success", "on_failure", "join"} {
			for _, s := range j.starts()[field] {
				r.checkStart(f, j, s, field)
			}
		}
		if j.Reduces() && len(j.OnFailure) > 0 {
			r.fail(j.at, "on_failure", j.OnFailure[0].Job, "none where there is a reduce, which may fail as well: make the reduce a job of its own, and name it under join")
		}
	}
	r.job = ""
	if r.err == nil {
		r.cycles(f, names)
	}
}

// checkQueue refuses a job of which it is not said where it waits, while it is of
// others.
func (r *reader) checkQueue(f *File, j *Job) {
	if len(j.Queues) == 0 && f.Queue == "" && f.Routed() {
		r.fail(j.at, "queue", "", wantQueue+"; other jobs have one. `queue:` above `jobs:` is that of all that name none")
	}
}

func (r *reader) checkStart(f *File, j *Job, s Start, field string) {
	of := f.Jobs[s.Job]
	if of == nil {
		r.fail(s.at, field, s.Job, "a job of this file: "+some(slices.Sorted(maps.Keys(f.Jobs))))
		return
	}
	given := map[string]bool{}
	for _, v := range s.Params {
		given[v.Name] = true
		if of.param(v.Name) == nil {
			want := "a parameter of job " + s.Job + ": " + some(of.names())
			if len(of.Params) == 0 {
				want = "none: job " + s.Job + " has no parameters"
			}
			r.fail(s.at, field+".params", v.Name, want)
		}
		r.known(j, v.Value, s.at, field+".params."+v.Name)
	}
	for i := range of.Params {
		p := &of.Params[i]
		if p.Required && !given[p.Name] && j.param(p.Name) == nil {
			r.fail(s.at, field+".params", "", fmt.Sprintf("a value for %s, which job %s cannot do without, and job %s has no parameter of that name to hand on", p.Name, s.Job, j.Name))
		}
	}
}

// cycles refuses jobs that lead back to themselves: nobody would end them.
func (r *reader) cycles(f *File, names []string) {
	const (
		open = iota + 1
		closed
	)
	state := map[string]int{}
	var path []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = open
		path = append(path, name)
		j := f.Jobs[name]
		for _, field := range []string{"needs", "on_success", "on_failure", "join"} {
			for _, s := range j.starts()[field] {
				switch state[s.Job] {
				case open:
					r.job = name
					round := append(slices.Clone(path[slices.Index(path, s.Job):]), s.Job)
					r.fail(s.at, field, s.Job, "a job that does not lead back here: "+strings.Join(round, " → "))
				case 0:
					visit(s.Job)
				}
			}
		}
		path = path[:len(path)-1]
		state[name] = closed
	}
	for _, name := range names {
		if state[name] == 0 {
			visit(name)
		}
	}
}

// twice finds jobs that a job needs by more than one way: each runs it. That it names one
// twice itself, with other parameters, is meant.
func (f *File) twice(c *check) {
	ways := map[string]map[string]bool{} // by job: through which of those that it needs itself
	var below func(j *Job, first string)
	below = func(j *Job, first string) {
		for _, s := range j.Needs {
			by := first
			if j == c.j {
				by = s.Job
			}
			if of := f.Jobs[s.Job]; of != nil && !ways[s.Job][by] {
				if ways[s.Job] == nil {
					ways[s.Job] = map[string]bool{}
				}
				ways[s.Job][by] = true
				below(of, by)
			}
		}
	}
	below(c.j, "")
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		if len(ways[name]) > 1 {
			c.find(c.j.at, "it needs job %s by more than one way, and it runs once for each: begin with %s, have it start the others by on_success, and name this job under its join", name, name)
		}
	}
}
