package trigger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/guard"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/trigger"
)

// jobs are started by name, once a run.
type jobs struct {
	asked []trigger.Job
	begun map[string]bool
}

func (j *jobs) start(_ context.Context, job trigger.Job) (trigger.Started, error) {
	switch job.Name {
	case "none":
		return trigger.Started{}, fmt.Errorf("%w none", trigger.ErrUnknown)
	case "picky":
		return trigger.Started{}, fmt.Errorf("day is %q: %w", job.Params["day"], trigger.ErrParams)
	case "other":
		return trigger.Started{}, trigger.ErrKey
	case "busy":
		return trigger.Started{}, trigger.ErrBusy
	case "broken":
		return trigger.Started{}, errors.New("no queue at 10.0.0.1")
	}
	j.asked = append(j.asked, job)
	if job.Run == "" {
		job.Run = fmt.Sprint("run-", len(j.asked))
	}
	s := trigger.Started{Run: job.Run, Job: job.Name, Begun: !j.begun[job.Run]}
	j.begun[job.Run] = true
	return s, nil
}

func TestTrigger(t *testing.T) {
	cases := map[string]struct {
		method, url, kind, body string
		code                    int
		params                  map[string]string
		reason                  string
	}{
		"no parameters":        {"POST", "/jobs/report", "", "", 202, nil, ""},
		"parameters":           {"POST", "/jobs/report", "application/json; charset=utf-8", `{"day": "a&b", "n": 640, "dry": true}`, 202, map[string]string{"day": "a&b", "n": "640", "dry": "true"}, ""},
		"a form":               {"POST", "/jobs/report", "application/x-www-form-urlencoded", "day=1", 415, nil, "want application/json"},
		"no type":              {"POST", "/jobs/report", "", "{}", 415, nil, "want application/json"},
		"no JSON":              {"POST", "/jobs/report", "application/json", "day", 400, nil, "not an object"},
		"a list":               {"POST", "/jobs/report", "application/json", "[]", 400, nil, "not an object"},
		"two":                  {"POST", "/jobs/report", "application/json", "{}{}", 400, nil, "not an object"},
		"what follows it":      {"POST", "/jobs/report", "application/json", "{}]", 400, nil, "not an object"},
		"cut short":            {"POST", "/jobs/report", "application/json", `{"day": 1`, 400, nil, "not an object"},
		"a name twice":         {"POST", "/jobs/report", "application/json", `{"day": 1, "day": 2}`, 400, nil, "parameter day is there more than once"},
		"an object in it":      {"POST", "/jobs/report", "application/json", `{"day": {}}`, 400, nil, "parameter day"},
		"nothing in it":        {"POST", "/jobs/report", "application/json", `{"day": null}`, 400, nil, "parameter day"},
		"too much":             {"POST", "/jobs/report", "application/json", strings.Repeat(" ", 1000), 413, nil, "1000 bytes"},
		"no such job":          {"POST", "/jobs/none", "", "", 404, nil, "no such job none"},
		"bad parameters":       {"POST", "/jobs/picky", "application/json", `{"day": "hidden"}`, 400, nil, "not the parameters of the job"},
		"a key of another":     {"POST", "/jobs/other", "", "", 422, nil, "something else"},
		"busy":                 {"POST", "/jobs/busy", "", "", 503, nil, "too much"},
		"broken":               {"POST", "/jobs/broken", "", "", 502, nil, "no queue"},
		"GET of a job":         {"GET", "/jobs/report", "", "", 405, nil, "POST is answered, and GET is not"},
		"HEAD as jobz":         {"HEAD", "/job_start?job_name=report", "", "", 405, nil, "GET is answered"},
		"as jobz, unreadable":  {"GET", "/job_start?job_name=report&dry=%zz", "", "", 400, nil, "the query cannot be read"},
		"as jobz":              {"GET", "/job_start?job_name=report&date=2026_11_26", "", "", 202, map[string]string{"date": "2026_11_26"}, ""},
		"as jobz, twice":       {"GET", "/job_start?job_name=report&date=1&date=2", "", "", 400, nil, "date is there 2 times"},
		"as jobz, no name":     {"GET", "/job_start?date=1", "", "", 400, nil, "job_name=NAME"},
		"as jobz, no such job": {"GET", "/job_start?job_name=none", "", "", 404, nil, "no such job"},
		"anything else":        {"GET", "/", "", "", 404, nil, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			j := &jobs{begun: map[string]bool{}}
			var audit strings.Builder
			g, err := guard.New(guard.Options{Address: "127.0.0.1:0", MaxBody: 500, Audit: &audit})
			require.NoError(t, err)
			mux := http.NewServeMux()
			trigger.Mount(mux, trigger.Options{Start: j.start, Old: true})
			r := httptest.NewRequestWithContext(t.Context(), c.method, "http://localhost"+c.url, strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			w := httptest.NewRecorder()
			g.Wrap(mux).ServeHTTP(w, r)
			assert.Equal(t, c.code, w.Code, w.Body.String())
			assert.Contains(t, audit.String(), c.reason)
			assert.NotContains(t, audit.String(), "hidden")
			assert.NotContains(t, w.Body.String(), "10.0.0.1", "what is ours")
			if c.code == 202 {
				assert.JSONEq(t, `{"run":"run-1","job":"report","begun":true}`, w.Body.String())
				require.Len(t, j.asked, 1)
				assert.Equal(t, c.params, j.asked[0].Params)
				var e guard.Entry
				require.NoError(t, json.Unmarshal([]byte(audit.String()), &e))
				assert.Equal(t, [...]string{"report", "run-1"}, [...]string{e.Job, e.Run})
			} else {
				assert.Empty(t, j.asked)
			}
		})
	}
}

func TestTheOldWayIsClosedUnlessEnabled(t *testing.T) {
	j := &jobs{begun: map[string]bool{}}
	mux := http.NewServeMux()
	trigger.Mount(mux, trigger.Options{Start: j.start})
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/job_start?job_name=report", nil))
	assert.Equal(t, 404, w.Code)
	assert.Empty(t, j.asked)
}

// A request that is repeated with its key starts nothing more.
func TestAKeyStartsOneRun(t *testing.T) {
	j := &jobs{begun: map[string]bool{}}
	mux := http.NewServeMux()
	trigger.Mount(mux, trigger.Options{Start: j.start})
	ask := func(job, key string) (int, trigger.Started) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/jobs/"+job, nil)
		r.Header.Set(trigger.KeyHeader, key)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		var s trigger.Started
		if w.Code < 300 {
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &s))
			require.NoError(t, schema.CheckRunName(s.Run))
		}
		return w.Code, s
	}
	code, first := ask("report", "1")
	assert.Equal(t, 202, code)
	code, second := ask("report", "1")
	assert.Equal(t, 200, code)
	assert.Equal(t, trigger.Started{Run: first.Run, Job: "report"}, second)
	_, other := ask("report", "2")
	_, third := ask("bill", "1")
	assert.Len(t, map[string]bool{first.Run: true, other.Run: true, third.Run: true}, 3)
	code, _ = ask("report", strings.Repeat("x", 257))
	assert.Equal(t, 400, code)
}
