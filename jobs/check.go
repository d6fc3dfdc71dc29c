package jobs

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Finding is something in a file that is allowed, and rarely meant.
type Finding struct {
	Line int    `json:"line"`
	Job  string `json:"job"`
	Text string `json:"text"`
}

// Check finds what is allowed and rarely meant, in the order of the file.
func (f *File) Check() []Finding {
	var all []Finding
	for _, j := range f.Jobs {
		c := &check{j: j, f: f}
		if j.Run != nil {
			c.timeout()
		}
		f.twice(c)
		if j.Shell {
			c.script(j.Run)
			c.script(j.Reduce)
		} else {
			c.arguments(j.Run)
			c.arguments(j.Reduce)
		}
		c.unused()
		all = append(all, c.found...)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Or(a.Line-b.Line, strings.Compare(a.Job, b.Job)) })
	return all
}

// check is the check of one job.
type check struct {
	f     *File
	j     *Job
	found []Finding
}

func (c *check) find(p position, format string, args ...any) {
	c.found = append(c.found, Finding{Line: p.line, Job: c.j.Name, Text: fmt.Sprintf(format, args...)})
}

func (c *check) timeout() {
	if c.j.Timeout == 0 {
		c.find(c.j.at, "it has no timeout: a program that hangs holds its node, and a slot, for ever")
	}
}

// unused finds parameters that the job itself makes nothing of.
func (c *check) unused() {
	used := map[string]bool{}
	see := func(t Text) {
		for _, name := range t.params() {
			used[name] = true
		}
		for _, m := range paramVariable.FindAllStringSubmatch(t.String(), -1) {
			used[m[1]] = true
		}
	}
	for _, p := range []Program{c.j.Run, c.j.Reduce} {
		for _, t := range p {
			see(t)
		}
	}
	for _, v := range c.j.Env {
		see(v.Value)
	}
	for _, starts := range c.j.starts() {
		for _, s := range starts {
			for _, v := range s.Params {
				see(v.Value)
			}
			for _, name := range c.f.Jobs[s.Job].names() { // handed on
				used[name] = true
			}
		}
	}
	for _, p := range c.j.Params {
		if !used[p.Name] {
			c.find(p.at, "parameter %s is in none of its arguments and variables: programs see it on standard input, and as %s%s, only", p.Name, paramPrefix, p.Name)
		}
	}
}

// readers are programs that take a program of some language behind a flag.
var readers = []struct {
	name *regexp.Regexp
	flag *regexp.Regexp
}{
	{regexp.MustCompile(`^(python|psql|su|ssh|sqlite|duckdb)[0-9.]*$`), regexp.MustCompile(`^(-c|--command|-cmd)$`)},
	{regexp.MustCompile(`^(perl|ruby|node|mysql|mariadb|lua|osascript|Rscript)[0-9.]*$`), regexp.MustCompile(`^-[a-zA-Z]*[eE]$|^--(eval|execute|print)$`)},
	{regexp.MustCompile(`^php[0-9.]*$`), regexp.MustCompile(`^-[rBRE]$`)},
	{regexp.MustCompile(`^(` + strings.Join(shells, "|") + `)$`), regexp.MustCompile(`^-[a-zA-Z]*c$`)},
}

// shellAlways are programs that join their arguments and give them to a shell, and
// shellBehind those that do so with what stands behind an option.
//
// Sources: the manual pages of procps watch, GNU parallel, util-linux script and flock.
var (
	shellAlways = map[string]bool{"watch": true, "parallel": true, "sem": true}
	shellBehind = map[string]string{"script": "-c", "flock": "-c", "entr": "-s"}
	valued      = regexp.MustCompile(`^--(command|eval|execute|exec|to-command|checkpoint-action|expression)=`)
)

// arguments finds placeholders where data would become a program.
func (c *check) arguments(p Program) {
	if len(p) == 0 {
		return
	}
	first := path.Base(p[0].String())
	for i, arg := range p[1:] {
		if len(arg.params()) == 0 {
			continue
		}
		before := p[i].String()
		for _, word := range p[:i+1] { // the program may be run by another: env sh -c
			for _, r := range readers {
				if name := path.Base(word.String()); r.name.MatchString(name) && r.flag.MatchString(before) {
					c.find(c.j.at, "%s would read %s as a program, and what a parameter holds as a part of it: pass it as an argument or a variable of its own", name, arg)
				}
			}
		}
		switch word := arg.fixed(); {
		case shellAlways[first], shellBehind[first] == before && before != "":
			c.find(c.j.at, "%s would give %s to a shell, and what a parameter holds as a part of it: run a script that gets it as an argument", first, arg)
		case first == "find" && (before == "-exec" || before == "-execdir" || before == "-ok" || before == "-okdir"):
			c.find(c.j.at, "find would run the program that %s names", arg)
		case i == 0 && isShell(p[0]):
			c.find(c.j.at, "%s would run the script that %s names: name one in the file", first, arg)
		case strings.HasPrefix(first, "sed") && (i == 0 || before == "-e" || before == "--expression"):
			c.find(c.j.at, "%s would read %s as a program, which can start others (e) and write files (w)", first, arg)
		case valued.MatchString(word):
			c.find(c.j.at, "%s may be read as a program, and what a parameter holds as a part of it: pass it as an argument or a variable of its own", arg)
		case first == "ssh" && i > 0:
			c.find(c.j.at, "the shell at the other end of ssh would read %s, and what a parameter holds as a part of it: send it on standard input", arg)
		case strings.HasSuffix(first, "awk") && i == 0:
			c.find(c.j.at, "%s would read %s as a program: pass it by -v, or as a variable", first, arg)
		}
	}
}

var (
	paramVariable = regexp.MustCompile(paramPrefix + `([A-Za-z_][A-Za-z0-9_]*)`)
	evaluates     = regexp.MustCompile(`(?:^|[\s;&|({])(eval|(?:` + strings.Join(shells, "|") + `)\s+-[a-z]*c)(?:\s|$)`)
)

// script finds in a script what its shell would make of parameters.
func (c *check) script(p Program) {
	if len(p) == 0 {
		return
	}
	text := p[0].fill(nil)
	if m := evaluates.FindStringSubmatch(text); m != nil && paramVariable.MatchString(text) {
		c.find(c.j.at, "its script has %s: what a parameter holds could become a command", m[1])
	}
	told := map[string]bool{}
	for _, use := range uses(text) {
		switch {
		case c.j.param(use.name) == nil:
			use.why = fmt.Sprintf("%s%s is in its script, and it has no such parameter", paramPrefix, use.name)
		case use.quote == '\'':
			use.why = fmt.Sprintf("$%s%s is in single quotes, in which it stays as it is", paramPrefix, use.name)
		case use.quote == 0:
			use.why = fmt.Sprintf(`$%s%s is without quotes: the shell cuts it at spaces and fills in file names; write "$%s%s"`, paramPrefix, use.name, paramPrefix, use.name)
		}
		if use.why != "" && !told[use.why] {
			told[use.why] = true
			c.find(c.j.at, "%s", use.why)
		}
	}
}

// use is a variable of a parameter in a script.
type use struct {
	name  string
	quote byte // in which it stands, or 0
	why   string
}

// uses are the variables of parameters in a script, with the quotes they stand in.
// Documents (<<) are taken for plain text.
func uses(script string) []use {
	var all []use
	stack := []byte{0} // quotes, one within the other: "$(a "b")"
	for i := 0; i < len(script); i++ {
		top := stack[len(stack)-1]
		switch ch := script[i]; {
		case ch == '\\' && top != '\'':
			i++
		case ch == '\'' && top == '\'', ch == '"' && top == '"', ch == ')' && top == 0 && len(stack) > 1:
			stack = stack[:len(stack)-1]
		case ch == '\'' && top == 0, ch == '"' && top == 0:
			stack = append(stack, ch)
		case ch == '#' && top == 0 && (i == 0 || strings.IndexByte(" \t\n;", script[i-1]) >= 0):
			for i < len(script) && script[i] != '\n' {
				i++
			}
		case ch == '(' && top == 0 || strings.HasPrefix(script[i:], "$(") && top == '"':
			stack = append(stack, 0)
			if ch == '$' {
				i++
			}
		case ch == '$':
			rest := strings.TrimPrefix(script[i+1:], "{")
			if m := paramVariable.FindStringSubmatchIndex(rest); len(m) > 0 && m[0] == 0 {
				all = append(all, use{name: rest[m[2]:m[3]], quote: top})
			}
		}
	}
	return all
}
