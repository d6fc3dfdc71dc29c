package schedule_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/schedule"
	"github.com/ramify/ramify/schema"
)

const ours = `
schedules:
  nightly:
    about: A report of the day.
    cron: "30 2 * * *"
    zone: Europe/Berlin
    job: report
    params: {day: "{{date}}", at: "{{time}}", width: 640}
    missed: all
  bucket:
    cron: "@hourly"
    target: s3://bucket/prefix/
`

func TestRead(t *testing.T) {
	path := t.TempDir() + "/cron.yaml"
	require.NoError(t, os.WriteFile(path, []byte(ours), 0o600))
	f, err := schedule.Read(path)
	require.NoError(t, err)
	require.Len(t, f.Schedules, 2)
	s := f.Schedules[0]
	assert.Equal(t, [...]any{"nightly", "report", schedule.All, "Europe/Berlin", "30 2 * * *"}, [...]any{s.Name, s.Job, s.Missed, s.When.Zone().String(), s.When.String()})
	tick := at(t, "2026-11-25T23:30:00Z") // the next day in Berlin
	assert.Equal(t, map[string]string{"day": "2026-11-26", "at": "2026-11-25T23:30:00Z", "width": "640"}, s.Values(tick))
	assert.Equal(t, "nightly-20261125T2330Z", s.Run(tick))
	assert.Equal(t, [...]any{"s3://bucket/prefix/", schedule.Last, "UTC"}, [...]any{f.Schedules[1].Target, f.Schedules[1].Missed, f.Schedules[1].When.Zone().String()})
	_, err = schedule.Read(path + "x")
	require.ErrorContains(t, err, "read schedules")
}

// The example of the page "Periodic tasks" of Elastic Beanstalk's guide.
func TestElasticBeanstalk(t *testing.T) {
	f, err := schedule.ParseFile("cron.yaml", []byte("version: 1\ncron:\n - name: \"backup job\"\n   url: \"/backup\"\n   schedule: \"0 */12 * * *\"\n - name: \"audit\"\n   url: \"/audit\"\n   schedule: \"0 23 * * *\"\n"))
	require.NoError(t, err)
	require.Len(t, f.Schedules, 2)
	s := f.Schedules[0]
	assert.Equal(t, [...]any{"backup job", "/backup", schedule.Skip, "0 */12 * * *", "UTC"}, [...]any{s.Task, s.URL, s.Missed, s.When.String(), s.When.Zone().String()})
	require.NoError(t, schema.CheckRunName(s.Run(time.Now())))
	assert.NotEqual(t, f.Schedules[1].Run(time.Time{}), s.Run(time.Time{}))
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "cron.yaml: it is empty",
		"a: [":                                "cron.yaml: yaml:",
		"- a":                                 `cron.yaml:1: file is "", want a mapping`,
		"jobs: {}":                            `cron.yaml:1: field is "jobs", want one of cron, schedules, version`,
		"schedules: {}":                       "at least one",
		"schedules: []":                       `schedules is "", want schedules by name`,
		"version: 2\ncron: []":                `version is "2", want 1`,
		"schedules: {a b: {}}":                `name of a schedule is "a b"`,
		"schedules: {a: 1}":                   `schedule a: schedule is "1", want a mapping`,
		"schedules:\n  a: {job: x}":           "cron.yaml:2: schedule a: cron is",
		"schedules: {a: {crom: x}}":           `schedule a: field is "crom", want one of about, cron`,
		"schedules: {a: {cron: '* * * * *'}}": "want one of job, target and url",
		"schedules: {a: {cron: '* * * * *', job: x, url: /x}}":                "want one of job, target and url",
		"schedules: {a: {cron: '* * * * *', url: /x, params: {a: b}}}":        "params with a job only",
		"schedules: {a: {cron: '* * * * *', url: x}}":                         `url is "x", want a path`,
		"schedules: {a: {cron: '* * * * *', url: /../x}}":                     `url is "/../x"`,
		"schedules: {a: {cron: '99 * * * *', job: x}}":                        `cron is "99 * * * *": minute is "99", want`,
		"schedules: {a: {cron: '* * * * *', job: x, zone: Mars}}":             `zone is "Mars", want a time zone`,
		"schedules: {a: {cron: '* * * * *', job: x, zone: Local}}":            `zone is "Local"`,
		"schedules: {a: {cron: '* * * * *', job: x, missed: some}}":           `missed is "some", want skip, last or all`,
		"schedules: {a: {cron: '* * * * *', job: x, job: y}}":                 `field is "job", want each field once`,
		"schedules: {a: {cron: '* * * * *', job: }}":                          `job is "", want a text`,
		"schedules: {a: {cron: '* * * * *', job: x, params: {p: '{{day}}'}}}": `params.p is "{{day}}", want {{date}} or {{time}}`,
		"schedules: {a: {cron: '* * * * *', job: x, params: [p]}}":            "parameters by name",
		"schedules: {a: {cron: '* * * * *', job: x, params: {p: 1, p: 2}}}":   `params is "p", want each parameter once`,
		"schedules: {a: {cron: '* * * * *', job: x, params: {[p]: 1}}}":       "each parameter once, by name",
		"cron: {}": "a list of tasks",
		"cron: [{url: /a, schedule: '* * * * *'}]":                                                       `name is "", want a name`,
		"cron: [{name: a, schedule: '* * * * *'}]":                                                       `url is "", want a path`,
		"cron: [{name: a, url: /a}]":                                                                     `schedule a: schedule is ""`,
		"cron: [{name: a, url: /a, schedule: '* * * * *', zone: UTC}]":                                   `field is "zone"`,
		"cron: [{name: a, url: /a, schedule: '* * * * *'}, {name: a, url: /b, schedule: '* * * * *'}]":   "each name once",
		"schedules: {a: {cron: '* * * * *', job: x}}\n---\na: b":                                         "a second document",
		"cron: [{name: a, url: /a, schedule: '* * * * *'}]\nschedules: {a: {cron: '* * * * *', job: x}}": "either schedules, or",
	} {
		_, err := schedule.ParseFile("cron.yaml", []byte(text))
		require.ErrorContains(t, err, want, text)
	}
}

func TestDeepFiles(t *testing.T) {
	const n = 100_000
	for _, text := range []string{
		strings.Repeat("[", n) + strings.Repeat("]", n), strings.Repeat("{a: ", n) + strings.Repeat("}", n), "\n " + strings.Repeat("- ", n) + "a",
	} {
		_, err := schedule.ParseFile("f.yaml", []byte("schedules: "+text+"\n"))
		require.ErrorContains(t, err, "exceeded max depth")
		assert.Less(t, len(err.Error()), 200)
	}
}
