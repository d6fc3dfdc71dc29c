package jobs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/jobs"
)

const flow = `
queue: main
results: told
jobs:
  fetch:
    params: {day: , part: all}
    queue: io
    run: [fetch, "{{day}}", "{{part}}"]
    on_success: [{job: sum, params: {what: "{{day}}/{{part}}"}}]
    on_failure: alert
  sum:
    params: {what: , level: 3}
    run: [sum, "{{what}}", "{{level}}"]
    results: sums
  report:
    params: {day: 2026-01-31}
    needs: [fetch, {job: fetch, params: {part: rest}}]
    join: reload
  reload:
    queue: [web-1, web-2]
    run: [reload]
  alert: {run: [mail]}
`

func TestFlows(t *testing.T) {
	f := parse(t, flow)
	assert.True(t, f.Routed())
	fetch, sum, report := f.Jobs["fetch"], f.Jobs["sum"], f.Jobs["report"]
	assert.Equal(t, []string{"io"}, fetch.Queues)
	assert.Equal(t, []string{"web-1", "web-2"}, f.Jobs["reload"].Queues)
	assert.Equal(t, "told", fetch.Results)
	assert.Equal(t, "sums", sum.Results)
	assert.Nil(t, report.Run)
	assert.True(t, report.Joins())
	assert.True(t, f.Jobs["reload"].Joins())
	assert.False(t, fetch.Joins())

	values, err := fetch.Values(map[string]string{"day": "{{part}}", "part": "x"})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"what": "{{part}}/x"}, fetch.Given(fetch.OnSuccess[0], sum, values), "a default stays the started job's own")
	values, err = report.Values(nil)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"day": "2026-01-31"}, report.Given(report.Needs[0], fetch, values), "what both have is handed on")
	assert.Equal(t, map[string]string{"day": "2026-01-31", "part": "rest"}, report.Given(report.Needs[1], fetch, values))

	names := func(all []*jobs.Job) (names []string) {
		for _, j := range all {
			names = append(names, j.Name)
		}
		return names
	}
	assert.Equal(t, []string{"alert", "fetch", "reload", "report", "sum"}, names(f.Reach("report")))
	assert.Equal(t, []string{"sum"}, names(f.Reach("sum")))
	assert.False(t, parse(t, "jobs:\n  a: {run: [x]}\n").Routed())
}

func TestWrongFlows(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"  a: {run: [x], on_success: b}\n", `f.yaml:2: job a: on_success is "b", want a job of this file: a`},
		{"  a: {run: [x], needs: [a]}\n", `f.yaml:2: job a: needs is "a", want a job that does not lead back here: a → a`},
		{"  a: {run: [x], needs: c}\n  b: {run: [x], on_failure: a}\n  c: {run: [x], join: b}\n", `f.yaml:3: job b: on_failure is "a", want a job that does not lead back here: a → c → b → a`},
		{"  a: {run: [x], on_success: [{job: b, params: {p: 1}}]}\n  b: {run: [x]}\n", `job a: on_success.params is "p", want none: job b has no parameters`},
		{"  a: {run: [x], on_success: [{job: b, params: {p: 1}}]}\n  b: {run: [x], params: {q: 1}}\n", `on_success.params is "p", want a parameter of job b: q`},
		{"  a: {run: [x], on_success: [{job: b, params: {p: \"{{day}}\"}}]}\n  b: {run: [x], params: {p: }}\n", `on_success.params.p is "{{day}}", want a parameter, which the job names under params`},
		{"  a: {run: [x], join: b}\n  b: {run: [x], params: {p: }}\n", `f.yaml:2: job a: join.params is "", want a value for p, which job b cannot do without, and job a has no parameter of that name to hand on`},
		{"  a: {run: [x], on_success: [{jobs: b}]}\n", `field is "on_success[0].jobs", want one of job, params`},
		{"  a: {run: [x], on_success: [[b]]}\n", `job a: on_success[0] is "a list", want the name of a job`},
		{"  a: {run: [x], queue: \"a b\"}\n", `job a: queue is "a b", want the name of a queue`},
		{"  a: {run: [x], queue: [q, q]}\n", `job a: queue[1] is "q", want each queue once`},
		{"  a: {run: [x], results: q.fifo}\n", `job a: results is "q.fifo", want the name of a queue`},
		{"  a: {run: [x], queue: q}\n  b: {run: [x]}\n", `f.yaml:3: job b: queue is "", want the name of a queue: 1 to 80 letters, digits, - and _; other jobs have one. ` + "`queue:` above `jobs:`"},
		{"  a: {run: [x], reduce: [x], on_failure: b}\n  b: {run: [x]}\n", `job a: on_failure is "b", want none where there is a reduce`},
		{"  a: {on_failure: b}\n  b: {run: [x]}\n", `job a: run is "", want a list`},
		{"  a: {needs: b, reduce: [x]}\n  b: {run: [x]}\n", `job a: reduce is "", want none where there is no run`},
	} {
		_, err := jobs.Parse("f.yaml", []byte("jobs:\n"+test.text))
		assert.ErrorContains(t, err, test.want, test.text)
	}
}

func TestCheckFlows(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"  a: {needs: [b, c]}\n  b: {run: [x], timeout: 1m, needs: d}\n  c: {run: [x], timeout: 1m, needs: d}\n  d: {run: [x], timeout: 1m}\n",
			[]string{"it needs job d by more than one way, and it runs once for each: begin with d"}},
		{"  a: {needs: [b, c]}\n  b: {run: [x], timeout: 1m}\n  c: {run: [x], timeout: 1m, needs: b}\n",
			[]string{"it needs job b by more than one way"}},
		{"  a: {needs: [b, b]}\n  b: {run: [x], timeout: 1m}\n", nil}, // that is what it says
		{"  a: {needs: [b], params: {p: , q: , r: }, on_success: [{job: c, params: {s: \"{{r}}\"}}]}\n  b: {run: [x, \"{{p}}\"], timeout: 1m, params: {p: }}\n  c: {run: [x, \"{{s}}\"], timeout: 1m, params: {s: }}\n",
			[]string{"parameter q is in none"}},
	} {
		found := parse(t, "jobs:\n"+test.text).Check()
		if assert.Len(t, found, len(test.want), "%v", found) {
			for i, want := range test.want {
				assert.Contains(t, found[i].Text, want)
			}
		}
	}
}
