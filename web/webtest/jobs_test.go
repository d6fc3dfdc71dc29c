package webtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/s3serve"
)

// A job that waits for a file to be there, and fails if it says so.
const waiting = `jobs:
  report:
    params: {name: {pattern: "[a-z]+"}}
    run: [sh, -c, 'until [ -e "$1" ]; do sleep 0.05; done; grep good "$1"', sh, "{{name}}"]
    exit: {done: 0, give_up: 1}
    timeout: 10m
`

// TestJobsOnThePage looks at jobs that are started by HTTP: they are in the list as soon as
// they are begun, their run says what is done, a failure can be redriven, and whoever may
// start jobs has no token of the page.
func TestJobsOnThePage(t *testing.T) {
	t.Parallel()
	u := newUser(t, s3serve.New(s3serve.Options{}))
	u.env = append(u.env, "PATH="+os.Getenv("PATH")) // of the jobs
	write := func(name, content string) {
		t.Helper()
		// At once: a job must not see half of it.
		require.NoError(t, os.WriteFile(filepath.Join(u.dir, name+".new"), []byte(content), 0o600))
		require.NoError(t, os.Rename(filepath.Join(u.dir, name+".new"), filepath.Join(u.dir, name)))
	}
	write("jobs.yaml", waiting)
	address, end := u.walks("serve", "--jobs", "jobs.yaml", "--listen", "127.0.0.1:0", "--retries", "0", "--rate", "0")
	at, err := url.Parse(address)
	require.NoError(t, err)
	server := "http://" + at.Host
	begin := func(name string) (run string) {
		t.Helper()
		answer, err := http.Post(server+"/jobs/report", "application/json", strings.NewReader(`{"name":"`+name+`"}`))
		require.NoError(t, err)
		defer answer.Body.Close()
		var begun struct{ Run string }
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&begun))
		require.Equal(t, http.StatusAccepted, answer.StatusCode)
		return begun.Run
	}
	bare, err := http.Get(server + "/api/runs")
	require.NoError(t, err)
	require.NoError(t, bare.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, bare.StatusCode, "who may start jobs may not look at runs for that")

	b := newTab(t, 1280, 900)
	b.open(address)
	b.until("!document.querySelector('#runs-none').hidden")
	first := begin("first")
	b.shows("#runs-list", first)
	b.shows("#runs-list", "Running")
	second := begin("second")
	b.shows("#runs-list", second)
	eval[any](b, "[...document.querySelectorAll('#runs-list a')].find((a) => a.href.includes("+quote(first)+")).click()")
	b.shows("#state", "Running")
	b.shows("#workers", "report") // what its worker does
	b.until("document.querySelector('#tree').hidden")
	write("first", "good")
	b.shows("#state", "Finished")
	b.until("document.querySelector('#f-nodes').dataset.exact === '1'")

	b.press(".brand")
	b.shows("#runs-list", "Finished")
	eval[any](b, "[...document.querySelectorAll('#runs-list a')].find((a) => a.href.includes("+quote(second)+")).click()")
	b.shows("#state", "Running")
	write("second", "bad")
	b.shows("#state", "Finished with failures")
	b.shows("#failures-rows", "exit code 1")
	write("second", "good")
	b.press("#redrive")
	b.until("document.querySelector('#state').innerText === 'Finished'")
	b.shows("#facts", "redriven once")
	b.open("about:blank") // it does not see the server end
	for _, s := range b.heard() {
		assert.Contains(t, s, "404", "a job has no prefixes")
	}
	assert.Zero(t, end())
}
