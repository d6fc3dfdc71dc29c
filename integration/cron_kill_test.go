package integration

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/emulator/elasticmq"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/schedule"
)

// killedJobs are two jobs of which each attempt leaves a line.
const killedJobs = `
jobs:
  first: {params: {at: }, run: &say [sh, -c, 'echo "$RAMIFY_JOB $1" >> log; sleep 0.1', sh, "{{at}}"], on_success: second}
  second: {params: {at: }, run: *say}
`

const killedTicks = `schedules: {tick: {cron: "* * * * *", missed: all, job: first, params: {at: "{{time}}"}}}`

// fireAndKill starts some ticks, each by a process that is killed at a random moment and
// others that try it again, and returns the names of their runs.
func fireAndKill(t *testing.T, u *user, k *killer, ticks int) (runs []string) {
	t.Helper()
	f, err := schedule.Read(u.path("cron.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range ticks {
		at := time.Date(2026, 1, 31, 2, i, 0, 0, time.UTC)
		args := []string{"cron", "cron.yaml", "--jobs", "jobs.yaml", "--fire", "tick", "--at", at.Format(time.RFC3339)}
		for range 3 {
			if !k.strike(t, u.start(t, args...)) {
				break
			}
		}
		u.run(t, args...).requireCode(t, 0)
		runs = append(runs, f.Schedules[0].Run(at))
	}
	t.Logf("%d clocks killed", k.kills)
	return runs
}

// requireEach fails the test unless there are these runs and no others, each over with
// both its jobs.
func requireEach(t *testing.T, u *user, runs []string) {
	t.Helper()
	if got := begun(t, u); !slices.Equal(got, runs) {
		t.Errorf("there are runs %v, want %v", got, runs)
	}
	for _, run := range runs {
		if s := parseSummary(t, u.run(t, "status", run, "--json").stdout); s.State != "finished" || s.Nodes != 2 {
			t.Errorf("run %s is %s with %d nodes", run, s.State, s.Nodes)
		}
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(readFile(t, u.path("log")))) {
		lines[line] = true
	}
	if len(lines) != 2*len(runs) {
		t.Errorf("run was %v", slices.Sorted(maps.Keys(lines)))
	}
}

// A clock of this machine that is killed in the middle of a start loses no tick and
// starts none twice; the next goes on with what is under way.
func TestCronKilledOnThisMachine(t *testing.T) {
	t.Parallel()
	w := newWalker(t, killedJobs)
	w.write(t, "cron.yaml", killedTicks)
	k := newKiller(t, 250*time.Millisecond)
	requireEach(t, w.user, fireAndKill(t, w.user, k, 8))
}

// The same of a fleet, where it may have died between a run's record and its message.
func TestCronKilledOnAFleet(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").setup(t).with("PATH="+os.Getenv("PATH"), "RAMIFY_JOBS=jobs.yaml", "RAMIFY_NO_PROGRESS=10s", "RAMIFY_SWEEP=1s")
	c.write(t, "jobs.yaml", killedJobs)
	c.write(t, "cron.yaml", killedTicks)
	c.work(t)
	runs := fireAndKill(t, c.user, newKiller(t, 300*time.Millisecond), 6)
	for _, run := range runs {
		c.run(t, "watch", run).requireCode(t, 0)
	}
	requireEach(t, c.user, runs)
}

// A tick that a clock of others knows is not lost where the queue is away for a moment.
func TestCronFireAgain(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").setup(t).with("PATH="+os.Getenv("PATH"), "RAMIFY_JOBS=jobs.yaml")
	c.write(t, "jobs.yaml", killedJobs)
	c.write(t, "cron.yaml", killedTicks)
	to, err := url.Parse(elasticmq.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= 12 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	r := c.with("AWS_ENDPOINT_URL_SQS="+front.URL).run(t, "cron", "cron.yaml", "--fire", "tick", "--at", "2026-01-31T02:00:00Z")
	r.requireCode(t, 0)
	if !strings.Contains(r.stderr, "it is tried again") || !strings.Contains(r.stderr, "run tick-20260131T0200Z\n") {
		t.Error(r.stderr)
	}
}

// A clock that begins goes on with the runs of its schedules that one before it has left,
// and with none that somebody else began or holds; what is over for long is forgotten.
func TestCronGoesOn(t *testing.T) {
	t.Parallel()
	w := newWalker(t, `
jobs:
  long: {params: {at: }, run: [sh, -c, 'echo "$1" >> log; test -e ok || exec sleep 60', sh, "{{at}}"]}
  short: {run: ["true"]}
`)
	w.write(t, "cron.yaml", `schedules: {long: {cron: "0 0 1 1 *", job: long, params: {at: "{{date}}"}}, old: {cron: "0 0 1 1 *", job: short}}`)
	clock := []string{"cron", "cron.yaml", "--jobs", "jobs.yaml"}
	for _, day := range []string{"01", "02"} {
		p := w.start(t, append(clock, "--fire", "long", "--at", "2026-01-"+day+"T00:00:00Z")...)
		p.stderr.await(t, "run begins")
		p.signal(t, kill)
		p.wait(t)
	}
	own := w.start(t, "jobs", "run", "long", "at=own", "--run", "long-20260103T0000Z")
	own.stderr.await(t, "run long-")
	own.signal(t, kill)
	own.wait(t)
	w.run(t, "pause", "long-20260102T0000Z").requireCode(t, 0)
	w.run(t, append(clock, "--fire", "old", "--at", "2026-01-01T00:00:00Z")...).requireCode(t, 0)
	past := time.Now().AddDate(0, 0, -91)
	if err := os.Chtimes(filepath.Join(w.state(), "old-20260101T0000Z.db"), past, past); err != nil {
		t.Fatal(err)
	}
	w.write(t, "ok", "")
	p := w.start(t, clock...)
	p.stderr.await(t, `"msg":"run is over","run":"long-20260101T0000Z"`)
	p.stderr.await(t, `"msg":"run is forgotten","run":"old-20260101T0000Z"`)
	p.end(t)
	for run, want := range map[string]string{"long-20260101T0000Z": "finished", "long-20260102T0000Z": "paused", "long-20260103T0000Z": "running"} {
		if s := parseSummary(t, w.run(t, "status", run, "--json").stdout); s.State != want {
			t.Errorf("run %s is %s, want %s", run, s.State, want)
		}
	}
	if r := w.run(t, "status", "old-20260101T0000Z"); r.code != 1 {
		t.Errorf("exit code %d: %s", r.code, r.stdout)
	}
}

// What has been answered with 202 is done, though the server was killed: whoever asks
// again by the same key is told so, and the next server goes on with it.
func TestServeGoesOn(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "jobs: {long: {params: {key: none}, run: [sh, -c, 'echo begun >> log; test -e ok || exec sleep 60']}}")
	port := freePort(t)
	line := "ramify serve --jobs jobs.yaml --listen 127.0.0.1:" + port
	ask := "curl -sS -X POST -H 'Idempotency-Key: 1' -H 'Content-Type: application/json' -d '{\"key\": \"hidden\"}' http://127.0.0.1:" + port + "/jobs/long"
	p := w.serving(t, line, "serve begins")
	if answer := w.typed(t, ask, 0); !strings.Contains(answer, `"begun":true`) {
		t.Error(answer)
	}
	p.signal(t, kill)
	p.wait(t)
	w.write(t, "ok", "")
	again := w.serving(t, line, "serve begins")
	again.stderr.await(t, `"msg":"run is over"`)
	if answer := w.typed(t, ask, 0); !strings.Contains(answer, `"begun":false`) {
		t.Error(answer)
	}
	if answer := w.typed(t, strings.Replace(ask, "hidden", "other", 1), 0); !strings.Contains(answer, `{"error":"the Idempotency-Key has started this job with other parameters`) {
		t.Error(answer)
	}
	again.end(t)
	for _, said := range []string{p.stdout.String(), p.stderr.String(), again.stdout.String(), again.stderr.String()} {
		if strings.Contains(said, "hidden") {
			t.Errorf("what a parameter holds is in the log:\n%s", said)
		}
	}
}

// The file of a run that was killed before it had a record is in nobody's way.
func TestARunThatWasNeverBegun(t *testing.T) {
	t.Parallel()
	w := newWalker(t, killedJobs)
	w.write(t, "cron.yaml", killedTicks)
	at := time.Date(2026, 1, 31, 2, 0, 0, 0, time.UTC)
	fire := []string{"cron", "cron.yaml", "--jobs", "jobs.yaml", "--fire", "tick", "--at", at.Format(time.RFC3339)}
	w.run(t, fire...).requireCode(t, 0)
	const run = "tick-20260131T0200Z"
	file := filepath.Join(w.state(), run+".db")
	for range 2 {
		s, err := store.Open(file, store.Options{MustExist: true, Owner: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec("DELETE FROM run")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"status", "resume"} {
			if r := w.run(t, command, run); r.code != 1 || r.stderr != fmt.Sprintf("ramify: run %s was never begun: start it again\n", run) {
				t.Errorf("%s: exit code %d: %s", command, r.code, r.stderr)
			}
		}
		if r := w.run(t, fire...); r.code != 0 || !strings.Contains(r.stderr, "run "+run+"\n") {
			t.Errorf("exit code %d: %s", r.code, r.stderr)
		}
		fire = []string{"jobs", "run", "first", "at=1", "--run", run}
	}
	if got := string(readFile(t, w.path("log"))); strings.Count(got, "\n") != 6 {
		t.Errorf("run was\n%s", got)
	}
}
