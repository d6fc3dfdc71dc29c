package jobs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/jobs"
)

const all = `
jobs:
  report:
    about: Builds the report of a day.
    params:
      date: {about: The day, pattern: '\d{4}-\d{2}-\d{2}'}
      host:
      level: 3
      day: 2026-01-31
    run: [build-report, --date, "{{date}}", "--to={{host}}:{{ level }}", 5, true, "{{{{.Name}}"]
    reduce: [mail, "--", "{{host}}"]
    env: {LANG: C.UTF-8, WHERE: "at {{host}}"}
    inherit: [AWS_PROFILE, "GIT_*"]
    dir: data
    user: nobody
    timeout: 10m
    kill_after: 30
    nice: -5
    output: 1MiB
    retries: 0
    exit: {done: [0, 3], retry: 75, give_up: [64, 65]}
  tidy:
    shell: true
    params: {word: }
    run: grep -- "$RAMIFY_PARAM_word" list | sort
`

func parse(t *testing.T, text string) *jobs.File {
	t.Helper()
	f, err := jobs.Parse("conf/jobs.yaml", []byte(text))
	require.NoError(t, err)
	return f
}

func TestParse(t *testing.T) {
	f := parse(t, all)
	here, err := filepath.Abs("conf")
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(here, "jobs.yaml"), f.Path)

	j, err := f.Job("report")
	require.NoError(t, err)
	assert.Equal(t, "Builds the report of a day.", j.About)
	assert.Equal(t, filepath.Join(here, "data"), j.Dir)
	assert.Equal(t, "nobody", j.User)
	assert.Equal(t, 10*time.Minute, j.Timeout)
	assert.Equal(t, 30*time.Second, j.KillAfter)
	assert.Equal(t, -5, j.Nice)
	assert.Equal(t, 1<<20, j.Output)
	assert.Equal(t, 0, j.Retries)
	assert.Equal(t, []string{"AWS_PROFILE", "GIT_*"}, j.Inherit)
	assert.True(t, j.Reduces())

	values, err := j.Values(map[string]string{"date": "2026-02-01", "host": "a b"})
	require.NoError(t, err)
	assert.Equal(t, []string{"build-report", "--date", "2026-02-01", "--to=a b:3", "5", "true", "{{.Name}}"}, j.Args(j.Run, values))
	assert.Equal(t, []string{"mail", "--", "a b"}, j.Args(j.Reduce, values))
	assert.Equal(t, []string{
		"LANG=C.UTF-8", "WHERE=at a b",
		"RAMIFY_PARAM_date=2026-02-01", "RAMIFY_PARAM_host=a b", "RAMIFY_PARAM_level=3", "RAMIFY_PARAM_day=2026-01-31",
	}, j.Environment(values))

	for code, want := range map[int]jobs.Verdict{0: jobs.Done, 3: jobs.Done, 75: jobs.Retry, 64: jobs.GiveUp, 65: jobs.GiveUp, 1: jobs.GiveUp} {
		assert.Equal(t, want, j.Exits.Of(code), code)
	}

	tidy, err := f.Job("tidy")
	require.NoError(t, err)
	assert.Equal(t, here, tidy.Dir)
	assert.Equal(t, -1, tidy.Retries)
	assert.Equal(t, jobs.DefaultKillAfter, tidy.KillAfter)
	assert.Equal(t, jobs.DefaultOutput, tidy.Output)
	assert.False(t, tidy.Reduces())
	values, err = tidy.Values(map[string]string{"word": `"; rm -rf /`})
	require.NoError(t, err)
	assert.Equal(t, []string{"/bin/sh", "-c", "--", `grep -- "$RAMIFY_PARAM_word" list | sort`}, tidy.Args(tidy.Run, values))
	for code, want := range map[int]jobs.Verdict{0: jobs.Done, 1: jobs.Retry, 126: jobs.GiveUp, 127: jobs.GiveUp} {
		assert.Equal(t, want, tidy.Exits.Of(code), code)
	}

	_, err = f.Job("repotr")
	assert.ErrorContains(t, err, `job is "repotr", want one of `+f.Path+`: report, tidy`)
}

// Whatever a value holds, the argument that it fills is one argument.
func TestValuesStayWithinTheirArgument(t *testing.T) {
	f := parse(t, `jobs: {x: {params: {a: , b: }, run: [p, "--a={{a}}", "{{b}}{{a}}", "--"]}}`)
	j := f.Jobs["x"]
	for _, v := range []string{"", " ", "a b", "'", `"`, "`id`", "$(id)", "${HOME}", ";", "&&", "|", ">", "\n", "\r\n", "*", "{{b}}", "{{a}}", "{{", "}}", "%s", `\`, "é\u2028", "--x", "!!"} {
		values, err := j.Values(map[string]string{"a": v, "b": "b" + v})
		require.NoError(t, err, v)
		assert.Equal(t, []string{"p", "--a=" + v, "b" + v + v, "--"}, j.Args(j.Run, values))
	}
}

func TestWrongValues(t *testing.T) {
	f := parse(t, all+`
  no:
    run: ["true"]
  dash:
    params: {a: , b: {pattern: '.*'}, c: }
    run: [rm, "{{a}}", "{{b}}", "--", "{{c}}"]
  joined:
    params: {a: "", b: }
    run: [rm, "{{a}}{{b}}"]
  dashed:
    params: {a: }
    run: ["true"]
    reduce: [rm, "{{a}}"]
`)
	good := map[string]string{"date": "2026-02-01", "host": "h"}
	with := func(name, value string) map[string]string {
		m := map[string]string{name: value}
		for k, v := range good {
			if _, is := m[k]; !is {
				m[k] = v
			}
		}
		return m
	}
	for _, test := range []struct {
		job   string
		given map[string]string
		want  string
	}{
		{"report", map[string]string{"date": "2026-02-01"}, `params.host is "", want a value: job report cannot do without`},
		{"report", with("hots", "x"), `params is "hots=x", want one of date, host, level, day`},
		{"report", with("date", "2026-02-01\n"), `params.date is "2026-02-01\n", want what matches \d{4}-\d{2}-\d{2}`},
		{"report", with("date", ""), `params.date is "", want what matches`},
		{"report", with("host", "a\x00b"), `want a text without a zero byte`},
		{"report", with("host", "a\xff"), `want UTF-8`},
		{"report", with("host", strings.Repeat("x", jobs.MaxValue+1)), `params.host is "102401 bytes", want at most 102400 bytes`},
		{"no", map[string]string{"a": "1"}, `params is "a=1", want none: job no has no parameters`},
		{"dash", map[string]string{"a": "-rf", "b": "", "c": ""}, `params.a is "-rf", want a value that does not begin with a dash, which rm would take for an option`},
		{"joined", map[string]string{"b": "-rf"}, `params.b is "-rf", want a value that does not begin with a dash`},
		{"dashed", map[string]string{"a": "-rf"}, `params.a is "-rf", want a value that does not begin with a dash`},
	} {
		_, err := f.Jobs[test.job].Values(test.given)
		require.ErrorContains(t, err, test.want, test.given)
	}
	_, err := f.Jobs["dash"].Values(map[string]string{"a": "a", "b": "-b", "c": "-c"})
	require.NoError(t, err, "behind -- and by a pattern that allows it, a dash is data")
	_, err = f.Jobs["tidy"].Values(map[string]string{"word": "-e"})
	assert.NoError(t, err, "a script gets it as a variable")
}

// What is wrong is said with the file, the line, the job, the field and the value.
func TestWrongFiles(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "f.yaml: it is empty, want `jobs:`"},
		{"# nothing", "f.yaml: it is empty"},
		{"jobs:\n  a: [", "f.yaml: yaml: line 2: "},
		{"jobs: {}", `f.yaml:1: jobs is "", want at least one job`},
		{"jobs: [a]", `f.yaml:1: jobs is "a list", want a mapping`},
		{"jobs:", `f.yaml:1: jobs is "", want a mapping`},
		{"job: {}", `f.yaml:1: field is "job", want one of jobs`},
		{"- a", `f.yaml:1: file is "a list", want a mapping`},
		{"jobs: {a: {run: [x]}}\n---\njobs: {}", "a second document begins"},
		{"jobs:\n  a: {run: [x]}\n  a: {run: [y]}", `f.yaml:3: jobs is "a", want each name once`},
		{"jobs:\n  -a: {run: [x]}", `f.yaml:2: name of a job is "-a", want 1 to 64 letters`},
		{"jobs:\n  a:\n", `f.yaml:2: job a: job is "", want a mapping`},
		{"jobs:\n  a: {}\n", `f.yaml:2: job a: run is "", want a list`},
		{"jobs:\n  a:\n    run: [x]\n    tiemout: 3s\n", `f.yaml:4: job a: field is "tiemout", want one of about, dir, env, exit, inherit, join, kill_after, needs, nice, on_failure, on_success, output, params, queue, reduce, results, retries, run, shell, timeout, user`},
		{"jobs:\n  a:\n    run: [x]\n    run: [y]\n", `f.yaml:4: job a: job is "run", want each name once`},
		{"jobs:\n  a:\n    run: x y\n", `f.yaml:3: job a: run is "x y", want a list, [PROGRAM, ARGUMENT, …]; or say ` + "`shell: true`"},
		{"jobs:\n  a:\n    run: []\n", `f.yaml:3: job a: run is "a list", want a list, [PROGRAM`},
		{"jobs:\n  a:\n    run: [x, {y: z}]\n", `f.yaml:3: job a: run[1] is "a mapping", want a text`},
		{"jobs:\n  a:\n    run: [x, ~]\n", `f.yaml:3: job a: run[1] is "~", want a text`},
		{"jobs:\n  a:\n    params: {b: }\n    run: [x, {{b}}]\n", `f.yaml:4: job a: run[1] is "a mapping", want a text; a placeholder stands in quotes, "{{name}}"`},
		{"jobs:\n  a:\n    run: ['']\n", `job a: run[0] is "", want the name of a program`},
		{"jobs:\n  a:\n    run: [x, '{{b}}']\n", `f.yaml:3: job a: run[1] is "{{b}}", want a parameter, which the job names under params`},
		{"jobs:\n  a:\n    params: {b: }\n    run: [x, '{{c}}']\n", `f.yaml:4: job a: run[1] is "{{c}}", want a parameter of the job: b`},
		{"jobs:\n  a:\n    params: {b: }\n    run: [x]\n    reduce: [y, '{{c}}']\n", `f.yaml:5: job a: reduce[1] is "{{c}}"`},
		{"jobs:\n  a:\n    params: {b: }\n    run: [x]\n    env: {E: '{{c}}'}\n", `job a: env.E is "{{c}}"`},
		{"jobs:\n  a:\n    run: [x, '{{.b}}']\n", `f.yaml:3: job a: run[1] is "{{.b}}", want placeholders as {{name}}`},
		{"jobs:\n  a:\n    params: {b: }\n    run: ['{{b}}', x]\n", `job a: run[0] is "{{b}}", want the name of a program: no parameter may choose it`},
		{"jobs:\n  a:\n    params: {b: }\n    dir: 'x/{{b}}'\n    run: [x]\n", `f.yaml:4: job a: dir is "x/{{b}}", want a folder without placeholders`},
		{"jobs:\n  a:\n    params: {b: }\n    run: [/bin/sh, -c, 'ls {{b}}']\n", `job a: run is "ls {{b}}", want a script without placeholders`},
		{"jobs:\n  a:\n    params: {b: }\n    run: [bash, -ec, 'ls {{b}}']\n", `job a: run is "ls {{b}}", want a script without placeholders`},
		{"jobs:\n  a:\n    params: {b: }\n    run: [bash, -c, -e, 'ls {{b}}']\n", `job a: run is "ls {{b}}", want a script without placeholders`},
		{"jobs:\n  a:\n    params: {b: }\n    run: [sh, -c, --, 'ls {{b}}']\n", `job a: run is "ls {{b}}", want a script without placeholders`},
		{"jobs:\n  a:\n    params: {b: }\n    run: [env, -u, A, bash, -o, pipefail, -c, 'ls {{b}}']\n", `job a: run is "ls {{b}}", want a script without placeholders`},
		{"jobs:\n  a:\n    params: {b: }\n    run: [x]\n    reduce: [timeout, 5, /bin/sh, -c, 'ls {{b}}']\n", `job a: reduce is "ls {{b}}", want a script without placeholders`},
		{"jobs:\n  a:\n    params: {b: }\n    env: {PATH: '{{b}}:/bin'}\n    run: [x]\n", `f.yaml:4: job a: env.PATH is "{{b}}:/bin", want a text without placeholders: no parameter may choose the program`},
		{"jobs:\n  a:\n    params: {b: }\n    env: {LD_PRELOAD: '{{b}}'}\n    run: [x]\n", `job a: env.LD_PRELOAD is "{{b}}"`},
		{"jobs:\n  a:\n    shell: true\n    params: {b: }\n    run: ls {{ b }}\n", `f.yaml:5: job a: run is "{{b}}", want "$RAMIFY_PARAM_b", quotes included`},
		{"jobs:\n  a:\n    run: [ls]\n    shell: true\n", `f.yaml:3: job a: run is "a list", want one text, the script`},
		{"jobs:\n  a:\n    run: [x]\n    shell: maybe\n", `f.yaml:4: job a: shell is "maybe", want true or false`},
		{"jobs:\n  a:\n    run: [x]\n    params: {b-c: }\n", `f.yaml:4: job a: params.b-c is "b-c", want a name`},
		{"jobs:\n  a:\n    run: [x]\n    params: {b: {pattern: '('}}\n", `f.yaml:4: job a: params.b.pattern is "(", want a regular expression`},
		{"jobs:\n  a:\n    run: [x]\n    params: {b: {pattern: 'x', default: y}}\n", `f.yaml:4: job a: params.b.default is "y", want a value that the parameter may have`},
		{"jobs:\n  a:\n    run: [x]\n    params: {b: {standard: y}}\n", `f.yaml:4: job a: field is "params.b.standard", want one of about, default, pattern`},
		{"jobs:\n  a:\n    run: [x]\n    params: {b: [y]}\n", `job a: params.b is "a list", want a text`},
		{"jobs:\n  a:\n    run: [x]\n    env: {1A: y}\n", `job a: env.1A is "1A", want the name of a variable`},
		{"jobs:\n  a:\n    run: [x]\n    env: {RAMIFY_FD: y}\n", `job a: env.RAMIFY_FD is "RAMIFY_FD", want another name`},
		{"jobs:\n  a:\n    run: [x]\n    inherit: ['A B']\n", `job a: inherit[0] is "A B", want the name of a variable`},
		{"jobs:\n  a:\n    run: [x]\n    timeout: soon\n", `f.yaml:4: job a: timeout is "soon", want a time from 1ms to 720h, such as 90s`},
		{"jobs:\n  a:\n    run: [x]\n    timeout: 0\n", `timeout is "0"`},
		{"jobs:\n  a:\n    run: [x]\n    timeout: 9999999999999999999\n", `timeout is "9999999999999999999"`},
		{"jobs:\n  a:\n    run: [x]\n    nice: 20\n", `f.yaml:4: job a: nice is "20", want a number from -20 to 19`},
		{"jobs:\n  a:\n    run: [x]\n    retries: -1\n", `retries is "-1", want a number from 0 to 1000`},
		{"jobs:\n  a:\n    run: [x]\n    output: 64kb\n", `output is "64kb", want a size from 0 to 16MiB`},
		{"jobs:\n  a:\n    run: [x]\n    exit: {done: [0], retry: [0]}\n", `f.yaml:4: job a: exit.retry[0] is "0", want a code that stands in one list: it is in exit.`},
		{"jobs:\n  a:\n    run: [x]\n    exit: {done: 256}\n", `exit.done is "256", want a number from 0 to 255`},
		{"jobs:\n  a: &a\n    run: [x]\n    env: {A: *a}\n", `job a: env.A is "a mapping", want a text`},
		{"jobs:\n  a:\n    run: [\"x\\0y\"]\n", `without a zero byte`},
		{strings.Repeat("#", 5<<20), "f.yaml: it is too long, want a file of at most 4194304 bytes"},
	} {
		_, err := jobs.Parse("f.yaml", []byte(test.text))
		assert.ErrorContains(t, err, test.want, "%.300s", test.text)
	}
}

// What a parameter fills behind a script is an argument of it, and data.
func TestArgumentsOfScripts(t *testing.T) {
	for _, run := range []string{`[sh, -c, 'ls "$1"', sh, '{{b}}']`, `[env, sh, script.sh, '{{b}}']`, `[python3, tool.py, sh, -c, '{{b}}']`} {
		f := parse(t, "jobs: {a: {params: {b: }, run: "+run+"}}")
		values, err := f.Jobs["a"].Values(map[string]string{"b": "$(id)"})
		require.NoError(t, err)
		args := f.Jobs["a"].Args(f.Jobs["a"].Run, values)
		assert.Equal(t, "$(id)", args[len(args)-1])
	}
}

func TestAliases(t *testing.T) {
	f := parse(t, "jobs:\n  a: {run: &r [x, y], timeout: &t 3s}\n  b: {run: *r, timeout: *t}\n")
	assert.Equal(t, []string{"x", "y"}, f.Jobs["b"].Args(f.Jobs["b"].Run, nil))
	assert.Equal(t, 3*time.Second, f.Jobs["b"].Timeout)
}

func TestRead(t *testing.T) {
	_, err := jobs.Read(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(t.TempDir(), "jobs.yaml")
	require.NoError(t, os.WriteFile(path, []byte(all), 0o600))
	f, err := jobs.Read(path)
	require.NoError(t, err)
	assert.Len(t, f.Jobs, 2)
}

// No text crashes the reader, and what it takes can be filled in.
func FuzzParse(f *testing.F) {
	f.Add(all)
	f.Add("jobs: {a: {run: [x, &a '{{{{ {{a}}'], params: {a: }, env: {E: *a}}}")
	f.Add("a: &a [*a, <<: *a]")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := jobs.Parse("f.yaml", []byte(text))
		if err != nil {
			return
		}
		for _, j := range file.Jobs {
			given := map[string]string{}
			for _, p := range j.Params {
				given[p.Name] = "x"
			}
			if values, err := j.Values(given); err == nil {
				require.NotEmpty(t, j.Args(j.Run, values))
			}
		}
	})
}

func TestDeepFiles(t *testing.T) {
	const n = 100_000
	for _, text := range []string{
		strings.Repeat("[", n) + strings.Repeat("]", n), strings.Repeat("{a: ", n) + strings.Repeat("}", n), "\n " + strings.Repeat("- ", n) + "a",
	} {
		_, err := jobs.Parse("f.yaml", []byte("jobs: "+text+"\n"))
		require.ErrorContains(t, err, "exceeded max depth")
		assert.Less(t, len(err.Error()), 200)
	}
}
