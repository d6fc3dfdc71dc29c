package integration

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ramify/ramify/internal/emulator/dynamodblocal"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/ledger/dynamodb"
	ledgerdb "github.com/ramify/ramify/ledger/embedded"
	"github.com/ramify/ramify/schedule"
)

// everyMinute is a schedule of a tree: each tick that was missed starts it.
const everyMinute = `schedules: {tree: {cron: "* * * * *", missed: all, target: '{"kind": "synthetic", "id": "0", "args": {"fanout": 2, "depth": 1}}'}}` + "\n"

// behind is a clock that was last there some minutes ago: ticks are due at once. It
// returns the names of the runs that they start.
func behind(t *testing.T, path string, minutes int, tick func(ctx context.Context, schedule string, to time.Time) (time.Time, error)) (runs []string) {
	t.Helper()
	f, err := schedule.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	s := f.Schedules[0]
	now := time.Now()
	if now.Second() > 50 { // a tick of now would be one more
		minutes--
	}
	since := now.Add(-time.Duration(minutes) * time.Minute)
	if _, err := tick(t.Context(), s.Key(), since); err != nil {
		t.Fatal(err)
	}
	for _, at := range s.When.Between(since, now, 1000) {
		runs = append(runs, s.Run(at))
	}
	return runs
}

// begun are runs of the schedule, by the command status.
func begun(t *testing.T, u *user) (names []string) {
	t.Helper()
	r := u.run(t, "status", "--json")
	r.requireCode(t, 0)
	for line := range strings.Lines(r.stdout) {
		var run struct{ Run string }
		if err := json.Unmarshal([]byte(line), &run); err != nil {
			t.Fatal(err)
		}
		names = append(names, run.Run)
	}
	slices.Sort(names)
	return names
}

// together starts some clocks that write one log.
func together(t *testing.T, u *user, clocks int) (all []*process, log *transcript) {
	t.Helper()
	log = newTranscript()
	for range clocks {
		p := &process{cmd: u.command("cron", "cron.yaml"), stdout: newTranscript(), stderr: log, done: make(chan struct{})}
		p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
		p.begin(t)
		all = append(all, p)
	}
	return all, log
}

// requireOnce waits until the runs of some ticks have begun, each by one of the clocks.
func requireOnce(t *testing.T, want []string, u, watcher *user, clocks int) {
	t.Helper()
	all, log := together(t, u, clocks)
	// One that has not yet begun to listen to signals would be killed by them.
	log.until(t, "all clocks to begin", func() bool { return strings.Count(log.String(), `"msg":"schedule"`) == clocks })
	const begins = `"msg":"run begins","run":"`
	for _, run := range want {
		log.await(t, begins+run+`"`)
	}
	for _, p := range all {
		p.signal(t, syscall.SIGTERM)
	}
	for _, p := range all {
		if r := p.wait(t); r.code != 0 {
			t.Errorf("cron ends with %d: %s", r.code, r.stderr)
		}
	}
	there := begun(t, watcher)
	for _, run := range want {
		if n := strings.Count(log.String(), begins+run+`"`); n != 1 {
			t.Errorf("run %s was begun %d times", run, n)
		}
		if !slices.Contains(there, run) {
			t.Errorf("there is no run %s", run)
		}
	}
}

// firesOnce has clocks start the ticks of some minutes on a fleet, as somebody else sees.
func firesOnce(t *testing.T, c *crew, watcher *user, clocks int) {
	t.Helper()
	path := c.path("cron.yaml")
	if err := os.WriteFile(path, []byte(everyMinute), 0o600); err != nil {
		t.Fatal(err)
	}
	l := dynamodb.New(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(dynamodblocal.URL(t)), Credentials: credentials.NewStaticCredentialsProvider("cli", secretText, ""),
	}, c.name, dynamodb.Options{})
	want := behind(t, path, 5, l.Tick)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	requireOnce(t, want, c.user, watcher, clocks)
}

// However many clocks there are, each tick starts one run.
func TestCronOnAFleet(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").setup(t)
	c.work(t)
	firesOnce(t, c, c.user, 4)
	for _, run := range begun(t, c.user) {
		c.run(t, "watch", run).requireCode(t, 0)
	}
}

func TestCronOnThisMachine(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	path := u.path("cron.yaml")
	if err := os.WriteFile(path, []byte(everyMinute), 0o600); err != nil {
		t.Fatal(err)
	}
	want := behind(t, path, 5, openTicks(t, u).Tick)
	requireOnce(t, want, u, u, 3)
	for _, run := range begun(t, u) {
		if r := u.run(t, "status", run, "--json"); !strings.Contains(r.stdout, `"state":"finished"`) {
			t.Errorf("%s", r.stdout)
		}
	}
}

// A tick that a clock of others knows starts one run, on this machine to its end.
func TestCronFire(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "jobs:\n  report:\n    params: {day: }\n    run: [sh, -c, 'echo \"$1\" >>reports; exit \"$2\"', sh, \"{{day}}\", \"0\"]\n")
	w.write(t, "cron.yaml", "schedules: {nightly: {cron: '30 2 * * *', zone: Europe/Berlin, job: report, params: {day: '{{date}} {{time}}'}}}")
	for i := range 2 {
		r := w.run(t, "cron", "cron.yaml", "--jobs", "jobs.yaml", "--fire", "nightly", "--at", "2026-11-26T23:30:07Z")
		r.requireCode(t, 0)
		want := []string{"run nightly-20261126T2330Z\n", "run nightly-20261126T2330Z was begun before\n"}[i]
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%d: %s", i, r.stderr)
		}
	}
	text, err := os.ReadFile(w.path("reports"))
	if err != nil || string(text) != "2026-11-27 2026-11-26T23:30:00Z\n" {
		t.Errorf("reports %q, %v", text, err)
	}
}

func TestCronRefusals(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "jobs: {report: {params: {day: }, run: [true, '{{day}}']}}")
	for name, c := range map[string]struct {
		file, args, want string
	}{
		"no such file":        {"", "none.yaml", "ramify: read schedules: open none.yaml"},
		"bad file":            {"schedules: {a: {cron: '* * *', job: report}}", "cron.yaml", `ramify: cron.yaml:1: schedule a: cron is "* * *": it has 3 fields`},
		"no jobs":             {"schedules: {a: {cron: '* * * * *', job: report}}", "cron.yaml", "ramify: cron.yaml: schedule a is of job report: name the file that says what it is by --jobs or RAMIFY_JOBS"},
		"no such job":         {"schedules: {a: {cron: '* * * * *', job: repot}}", "cron.yaml --jobs jobs.yaml", `ramify: cron.yaml: schedule a: job is "repot", want one of`},
		"a missing parameter": {"schedules: {a: {cron: '* * * * *', job: report}}", "cron.yaml --jobs jobs.yaml", "ramify: cron.yaml: schedule a: params.day"},
		"a bad target":        {"schedules: {a: {cron: '* * * * *', target: ftp://x}}", "cron.yaml", `ramify: cron.yaml: schedule a: target "ftp://x" is not known`},
		"no application":      {"cron: [{name: a, url: /a, schedule: '* * * * *'}]", "cron.yaml", "ramify: cron.yaml: schedule a posts to an application, and it is not said to which"},
		"no ledger":           {everyMinute, "cron.yaml --queue q --ledger none", "ramify: --ledger is none, but what starts a run once needs a ledger"},
		"fire alone":          {everyMinute, "cron.yaml --fire tree", "ramify: --fire and --at go together"},
		"fire what":           {everyMinute, "cron.yaml --fire x --at 2026-01-01T00:00:00Z", `ramify: --fire is "x", want one of cron.yaml: tree`},
		"fire when":           {everyMinute, "cron.yaml --fire tree --at noon", `ramify: --at is "noon", want a time`},
		"runs":                {everyMinute, "cron.yaml --runs 0", "ramify: --runs is 0, want 1 to 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			w.write(t, "cron.yaml", c.file)
			r := w.run(t, append([]string{"cron"}, strings.Fields(c.args)...)...)
			if r.code != 1 && r.code != 2 || !strings.HasPrefix(r.stderr, c.want) || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("exit code %d: %s", r.code, r.stderr)
			}
		})
	}
}

// The cron.yaml of an Elastic Beanstalk worker environment, as it is: its application
// gets what that environment's daemon would have posted.
func TestCronOfElasticBeanstalk(t *testing.T) {
	t.Parallel()
	app := newPosts(t)
	u := newUser(t, "").with("RAMIFY_WEBHOOK_URL=" + app.URL + "/")
	if err := os.WriteFile(u.path("cron.yaml"), []byte("version: 1\ncron:\n - name: \"backup job\"\n   url: \"/periodic_tasks\"\n   schedule: \"0 */12 * * *\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := u.run(t, "cron", "cron.yaml", "--next", "1")
	r.requireCode(t, 0)
	name, _, _ := strings.Cut(r.stdout, " ")
	u.run(t, "cron", "cron.yaml", "--fire", name, "--at", "2026-11-26T12:00:00Z").requireCode(t, 0)
	got := app.requests()
	if len(got) != 1 {
		t.Fatalf("%d requests", len(got))
	}
	for header, want := range map[string]string{
		"User-Agent": "aws-sqsd/2.0", "X-Aws-Sqsd-Taskname": "backup job", "X-Aws-Sqsd-Scheduled-At": "2026-11-26T12:00:00Z", "X-Aws-Sqsd-Path": "/periodic_tasks",
	} {
		if v := got[0].Header.Get(header); v != want {
			t.Errorf("%s is %q, want %q", header, v, want)
		}
	}
	if got[0].URL.Path != "/periodic_tasks" {
		t.Error(got[0].URL.Path)
	}
}

// posts is an application that answers 200 and keeps what it was asked.
type posts struct {
	*httptest.Server
	mu  sync.Mutex
	got []*http.Request
}

func newPosts(t *testing.T) *posts {
	p := &posts{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.got = append(p.got, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *posts) requests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// The same file, for an application that has its queue from that environment: what is
// due is a message there, which a daemon delivers, ours here.
func TestCronCompatSqsd(t *testing.T) {
	t.Parallel()
	q := newForeignQueue(t, 5)
	if err := os.WriteFile(q.path("cron.yaml"), []byte("cron: [{name: audit it, url: /audit, schedule: '* * * * *'}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := openTicks(t, q.user)
	f, err := schedule.Read(q.path("cron.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tick := f.Schedules[0].When.Next(time.Now().Add(-time.Minute))
	if _, err := l.Tick(t.Context(), f.Schedules[0].Key(), tick.Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	p := q.start(t, "cron", "cron.yaml", "--compat", "sqsd")
	p.stderr.await(t, "periodic task is sent")
	p.signal(t, syscall.SIGTERM)
	p.wait(t).requireCode(t, 0)
	app := newPosts(t)
	q.start(t, "task", "--compat", "sqsd", "--webhook-url", app.URL+"/", "--until-empty", "--grace", "5s").wait(t).requireCode(t, 0)
	got := app.requests()
	// Another minute may have begun meanwhile: then that is due, too, or alone, as the last.
	const layout = "2006-01-02 15:04:05 UTC"
	for _, r := range got {
		at, err := time.Parse(layout, r.Header.Get("X-Aws-Sqsd-Scheduled-At"))
		if err != nil || r.URL.Path != "/audit" || r.Header.Get("X-Aws-Sqsd-Taskname") != "audit it" || at.Before(tick) || at.After(time.Now()) || at.Second() != 0 {
			t.Errorf("got %v: %v", r.Header, err)
		}
	}
	if len(got) == 0 {
		t.Error("nothing was posted")
	}
}

// openTicks opens the marks of a machine.
func openTicks(t *testing.T, u *user) *ledgerdb.Ledger {
	t.Helper()
	s, err := store.Open(filepath.Join(u.state(), "cron", "ticks.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledgerdb.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = l.Close(), s.Close() })
	return l
}
