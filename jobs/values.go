package jobs

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ramify/ramify/schema"
)

// MaxValue is the most bytes of one value: a Linux argument has at most 128 KiB.
const MaxValue = 100 << 10

// Values are what each parameter of a job holds.
type Values map[string]string

// Values are the given ones, with defaults for what is not given. The error names
// the parameter, what it was and what is wanted.
func (j *Job) Values(given map[string]string) (Values, error) {
	for name, value := range given {
		if j.param(name) == nil {
			want := "one of " + some(j.names())
			if len(j.Params) == 0 {
				want = "none: job " + j.Name + " has no parameters"
			}
			return nil, &schema.FieldError{Field: "params", Value: name + "=" + value, Want: want}
		}
	}
	values := Values{}
	for i := range j.Params {
		p := &j.Params[i]
		value, is := given[p.Name]
		if !is {
			if p.Required {
				return nil, &schema.FieldError{Field: "params." + p.Name, Want: "a value: job " + j.Name + " cannot do without"}
			}
			value = p.Default
		}
		if err := p.check(value); err != nil {
			return nil, err
		}
		values[p.Name] = value
	}
	return values, j.checkDashes(values)
}

func (j *Job) names() []string {
	names := make([]string, len(j.Params))
	for i, p := range j.Params {
		names[i] = p.Name
	}
	return names
}

func (p *Param) check(value string) error {
	bad := func(want string) error {
		return &schema.FieldError{Field: "params." + p.Name, Value: value, Want: want}
	}
	switch {
	case len(value) > MaxValue:
		return &schema.FieldError{Field: "params." + p.Name, Value: strconv.Itoa(len(value)) + " bytes", Want: fmt.Sprintf("at most %d bytes", MaxValue)}
	case strings.ContainsRune(value, 0):
		return bad("a text without a zero byte, which no argument can hold")
	case !utf8.ValidString(value):
		return bad("UTF-8")
	case p.Pattern != nil && !p.Pattern.MatchString(value):
		return bad("what matches " + p.pattern())
	}
	return nil
}

// pattern is the pattern as it was written.
func (p *Param) pattern() string {
	return strings.TrimSuffix(strings.TrimPrefix(p.Pattern.String(), patternBegin), patternEnd)
}

// checkDashes refuses a value that a program would take for an option: one with a
// dash at the beginning of an argument. Behind -- a program takes nothing for one,
// and who gives a parameter a pattern has thought of what it may hold.
func (j *Job) checkDashes(values Values) error {
	if j.Shell {
		return nil
	}
	for _, program := range []Program{j.Run, j.Reduce} {
		for _, arg := range program {
			if arg.String() == "--" {
				break
			}
			p := j.param(arg.begins(values))
			if p != nil && p.Pattern == nil && strings.HasPrefix(values[p.Name], "-") {
				return &schema.FieldError{Field: "params." + p.Name, Value: values[p.Name],
					Want: "a value that does not begin with a dash, which " + program[0].String() + ` would take for an option: put "--" before it in the job, or give the parameter a pattern`}
			}
		}
	}
	return nil
}

// Args are the arguments of a program, the first its name, with what the
// parameters hold.
func (j *Job) Args(p Program, values Values) []string {
	if j.Shell {
		return []string{"/bin/sh", "-c", "--", p[0].fill(nil)}
	}
	args := make([]string, len(p))
	for i, t := range p {
		args[i] = t.fill(values)
	}
	return args
}

// paramPrefix begins the names of the variables that parameters come as.
const paramPrefix = "RAMIFY_PARAM_"

// Environment are the variables that the job sets, NAME=value: its own, and one
// for each parameter.
func (j *Job) Environment(values Values) []string {
	var env []string
	for _, v := range j.Env {
		env = append(env, v.Name+"="+v.Value.fill(values))
	}
	for i := range j.Params {
		env = append(env, paramPrefix+j.Params[i].Name+"="+values[j.Params[i].Name])
	}
	return env
}
