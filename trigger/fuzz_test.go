package trigger_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/guard"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/trigger"
)

// FuzzRequest: whatever is asked for, without the token nothing is started; with it,
// each request is one answer in JSON and one line of audit, whatever stands in the path,
// the query, the headers and the body; and a run has a name that a run can have.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/jobs/report", "application/json", "key", []byte(`{"day":"1"}`))
	f.Add("GET", "/job_start?job_name=a&x=%0a", "", "", []byte(nil))
	f.Add("POST", "/jobs/..%2f..%2fetc", "application/json", "k\x00\n", []byte(`{"a":{"b":1}}`))
	f.Add("POST", "/jobs/a%1b[2J%0a{\"event\":\"REQUEST\"}", "text/plain", "", []byte(strings.Repeat("[", 500)))
	const token = "a token of sixteen bytes"
	f.Fuzz(func(t *testing.T, method, at, kind, key string, body []byte) {
		u, err := url.ParseRequestURI(at)
		if err != nil || !strings.HasPrefix(at, "/") {
			return
		}
		var audit bytes.Buffer
		j := &jobs{begun: map[string]bool{}}
		s, err := guard.New(guard.Options{Address: "127.0.0.1:0", Tokens: []string{token}, Audit: &audit})
		require.NoError(t, err)
		mux := http.NewServeMux()
		trigger.Mount(mux, trigger.Options{Start: j.start, Old: true})
		ask := func(authorization string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", bytes.NewReader(body))
			r.Method, r.URL, r.RequestURI = method, u, at
			r.Header = http.Header{"Content-Type": {kind}, trigger.KeyHeader: {key}, "Authorization": {authorization}}
			w := httptest.NewRecorder()
			s.Wrap(mux).ServeHTTP(w, r)
			return w
		}
		require.Equal(t, http.StatusUnauthorized, ask("Bearer "+token+"x").Code)
		require.Empty(t, j.asked)
		w := ask("Bearer " + token)
		if w.Header().Get("Content-Type") == "application/json" {
			require.True(t, json.Valid(w.Body.Bytes()), "%q", w.Body)
		}
		lines := strings.Split(strings.TrimSuffix(audit.String(), "\n"), "\n")
		require.Len(t, lines, 2, "%q", lines)
		var e guard.Entry
		require.NoError(t, json.Unmarshal([]byte(lines[1]), &e))
		require.Equal(t, "REQUEST", e.Event)
		require.Equal(t, w.Code, e.Status)
		for _, job := range j.asked {
			require.True(t, job.Run == "" || schema.CheckRunName(job.Run) == nil, "%q", job.Run)
		}
	})
}
