package jobs

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// A pattern is matched by the whole of a value.
const (
	patternBegin = `\A(?:`
	patternEnd   = `)\z`
)

// params reads parameters: `name:` is one that must be given, `name: text` has a
// default, and a mapping says more.
func (r *reader) params(n *yaml.Node, field string, j *Job) {
	r.each(n, field, func(key, value *yaml.Node) {
		p := Param{Name: key.Value, Required: true, at: at(key)}
		field := field + "." + key.Value
		if !variableName.MatchString(p.Name) || len(p.Name) > 64 {
			r.fail(p.at, field, p.Name, "a name of 1 to 64 letters, digits and _, not beginning with a digit")
			return
		}
		setDefault := func(n *yaml.Node, field string) {
			p.Default, _ = r.scalar(n, field, "a text")
			p.Required = false
		}
		switch {
		case value.Tag == "!!null":
		case value.Kind == yaml.MappingNode:
			r.mapping(value, field, fields{
				"about":   r.text(&p.About),
				"default": setDefault,
				"pattern": func(n *yaml.Node, field string) {
					v, ok := r.scalar(n, field, "a regular expression")
					re, err := regexp.Compile(patternBegin + v + patternEnd)
					if ok && err != nil {
						r.fail(at(n), field, v, "a regular expression (RE2)")
					}
					p.Pattern = re
				},
			})
		default:
			setDefault(value, field)
		}
		if r.err != nil {
			return
		}
		if !p.Required {
			if err := p.check(p.Default); err != nil {
				r.fail(p.at, field+".default", p.Default, "a value that the parameter may have: "+err.Error())
			}
		}
		j.Params = append(j.Params, p)
	})
}

// program reads arguments or, of a job with a shell, a script.
func (r *reader) program(n *yaml.Node, field string, j *Job) Program {
	n = resolved(n)
	if j.Shell {
		v, ok := r.scalar(n, field, "one text, the script, since shell is true")
		if !ok {
			return nil
		}
		if strings.TrimSpace(v) == "" {
			r.fail(at(n), field, v, "a script")
		}
		for _, p := range j.Params {
			if regexp.MustCompile(`\{\{\s*` + p.Name + `\s*\}\}`).MatchString(v) {
				r.fail(at(n), field, "{{"+p.Name+"}}", `"$`+paramPrefix+p.Name+`", quotes included: nothing is pasted into a script`)
			}
		}
		return Program{{parts: []part{{literal: v}}}}
	}
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		r.fail(at(n), field, n.Value, "a list, [PROGRAM, ARGUMENT, …]; or say `shell: true`, and it is a script for /bin/sh")
		return nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.fail(at(n), field, describe(n), "a list, [PROGRAM, ARGUMENT, …]")
		return nil
	}
	var program Program
	r.list(n, field, func(n *yaml.Node, field string) {
		v, ok := r.scalar(n, field, "a text")
		if !ok {
			return
		}
		t, err := parseText(v)
		if err != nil {
			r.fail(at(n), field, v, err.Error())
			return
		}
		r.known(j, t, at(n), field)
		program = append(program, t)
	})
	if r.err == nil {
		r.checkProgram(n, field, program)
	}
	return program
}

// known refuses placeholders that are no parameters.
func (r *reader) known(j *Job, t Text, p position, field string) {
	for _, name := range t.params() {
		if j.param(name) == nil {
			want := "a parameter of the job: " + some(j.names())
			if len(j.Params) == 0 {
				want = "a parameter, which the job names under params: it names none"
			}
			r.fail(p, field, "{{"+name+"}}", want)
		}
	}
}

// shells are programs that take a script as an argument.
var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "busybox"}

// checkProgram refuses programs that data could choose or become.
func (r *reader) checkProgram(n *yaml.Node, field string, program Program) {
	first := program[0].String()
	switch {
	case len(program[0].params()) > 0:
		r.fail(at(n), field+"[0]", first, "the name of a program: no parameter may choose it")
	case first == "":
		r.fail(at(n), field+"[0]", first, "the name of a program")
	default:
		r.checkCarried(n, field, program)
		r.checkShell(n, field, program)
	}
}

func isShell(t Text) bool { return slices.Contains(shells, path.Base(t.String())) }

// checkShell refuses a script with placeholders, behind the -c of a shell that is run
// or that a carrier runs.
func (r *reader) checkShell(n *yaml.Node, field string, program Program) {
	shell := slices.IndexFunc(program, isShell)
	if shell < 0 {
		return
	}
	if _, carried := carrierOf(program[0]); shell > 0 && !carried {
		return
	}
	next := false // what comes may be the script
	for _, arg := range program[shell+1:] {
		word := arg.String()
		option := strings.HasPrefix(word, "-")
		if names := arg.params(); next && len(names) > 0 {
			r.fail(at(n), field, word, "a script without placeholders, which data would become a part of: say `shell: true` and use $"+paramPrefix+names[0]+`, or pass it behind the script and use "$1"`)
			return
		}
		// Options may stand between -c and the script.
		next = option && (next || !strings.HasPrefix(word, "--") && strings.Contains(word, "c"))
	}
}

// choosers are variables that say which program, or what code within it, is run.
var choosers = []string{"PATH", "ENV", "BASH_ENV", "SHELLOPTS", "PS4"}

func chooses(variable string) bool {
	return slices.Contains(choosers, variable) || strings.HasPrefix(variable, "LD_") || strings.HasPrefix(variable, "DYLD_")
}

// env reads variables.
func (r *reader) env(n *yaml.Node, field string, j *Job) {
	r.each(n, field, func(key, value *yaml.Node) {
		field := field + "." + key.Value
		if !variableName.MatchString(key.Value) {
			r.fail(at(key), field, key.Value, "the name of a variable")
			return
		}
		if slices.Contains([]string{"RAMIFY_FD", "RAMIFY_JOB", "RAMIFY_KEY"}, key.Value) || strings.HasPrefix(key.Value, paramPrefix) {
			r.fail(at(key), field, key.Value, "another name: this one says what the program is run for")
			return
		}
		v, ok := r.scalar(value, field, "a text")
		if !ok {
			return
		}
		t, err := parseText(v)
		if err != nil {
			r.fail(at(value), field, v, err.Error())
		}
		if chooses(key.Value) && len(t.params()) > 0 {
			r.fail(at(value), field, v, "a text without placeholders: no parameter may choose the program")
		}
		j.Env = append(j.Env, Variable{key.Value, t})
	})
}

// inherit reads names of variables that are passed on.
func (r *reader) inherit(n *yaml.Node, field string, j *Job) {
	r.list(n, field, func(n *yaml.Node, field string) {
		v, ok := r.scalar(n, field, "the name of a variable, or * in it")
		if !ok {
			return
		}
		if !variableName.MatchString(strings.ReplaceAll(v, "*", "_")) {
			r.fail(at(n), field, v, "the name of a variable, such as AWS_PROFILE or AWS_*")
		}
		j.Inherit = append(j.Inherit, v)
	})
}

// folder reads where programs begin.
func (r *reader) folder(n *yaml.Node, field string, j *Job) {
	v, ok := r.scalar(n, field, "a folder")
	switch {
	case !ok:
	case v == "":
		r.fail(at(n), field, v, "a folder")
	case strings.Contains(v, "{{"):
		r.fail(at(n), field, v, "a folder without placeholders: no parameter may choose it")
	case filepath.IsAbs(v):
		j.Dir = filepath.Clean(v)
	default:
		j.Dir = filepath.Join(r.dir, v)
	}
}

// exits reads what exit codes mean.
func (r *reader) exits(n *yaml.Node, field string, e *Exits) {
	named := map[int]string{}
	codes := func(into *[]int) func(*yaml.Node, string) {
		return func(n *yaml.Node, field string) {
			*into = nil
			r.list(n, field, func(n *yaml.Node, field string) {
				var code int
				r.number(&code, 0, 255)(n, field)
				if other := named[code]; other != "" && r.err == nil {
					r.fail(at(n), field, strconv.Itoa(code), "a code that stands in one list: it is in "+other)
				}
				named[code] = field
				*into = append(*into, code)
			})
		}
	}
	r.mapping(n, field, fields{"done": codes(&e.done), "retry": codes(&e.retry), "give_up": codes(&e.giveUp)})
}
