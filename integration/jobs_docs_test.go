package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ramify/ramify/internal/emulator"
	"github.com/ramify/ramify/internal/emulator/ministack"
)

// write makes a file of the user's.
func (u *user) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(u.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// typed runs a line as it is printed; the binary is found as ramify.
func (u *user) typed(t *testing.T, line string, code int) string {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.Dir, cmd.Env = u.dir, append(slices.Clone(u.env), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("%s ends with exit code %d, want %d:\n%s", line, got, code, out)
	}
	return string(out)
}

// serving starts the command of a page that goes on until it is told to stop.
func (u *user) serving(t *testing.T, line, says string) *process {
	t.Helper()
	args := strings.Fields(strings.TrimSpace(line))
	if len(args) == 0 || args[0] != "ramify" {
		t.Fatalf("%q is no command of ours", line)
	}
	p := u.start(t, args[1:]...)
	p.stderr.await(t, says)
	return p
}

func (p *process) end(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	p.wait(t).requireCode(t, 0)
}

func TestDocsSchedules(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	u.env = append(u.env, "PATH="+os.Getenv("PATH"))
	doc := readPage(t, "jobs/schedules.md")
	for _, name := range []string{"jobs.yaml", "cron.yaml", "eb.yaml"} {
		u.write(t, name, doc.block(t, "yaml "+name))
	}
	var said strings.Builder
	for _, line := range commandsIn(t, "jobs/schedules.md", "") {
		if strings.HasPrefix(line, "make ") {
			continue // TestDocsMake
		}
		said.WriteString(u.typed(t, line, 0))
	}
	for _, want := range []string{"Europe/Berlin", "nightly-20261126T0130Z", "backup-job", "finished"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, said.String())
		}
	}
	if text, err := os.ReadFile(u.path("reports")); err != nil || string(text) != "report of 2026-11-26\n" {
		t.Errorf("reports: %q, %v", text, err)
	}
	u.serving(t, doc.block(t, "sh service"), `"msg":"schedule"`).end(t)
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	port, err := emulator.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

func TestDocsHTTP(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	u.env = append(u.env, "PATH="+os.Getenv("PATH"))
	doc := readPage(t, "jobs/http.md")
	here := strings.NewReplacer(":8008", ":"+freePort(t))
	u.write(t, "jobs.yaml", doc.block(t, "yaml jobs.yaml"))
	for _, line := range commandsIn(t, "jobs/http.md", "Certificates") {
		u.typed(t, line, 0)
	}
	p := u.serving(t, here.Replace(doc.block(t, "sh service")), "serve begins")
	asks := commandsIn(t, "jobs/http.md", "Ask")
	var runs []string
	for i, line := range append(asks, asks[0]) {
		answer := u.typed(t, here.Replace(line), 0)
		m := regexp.MustCompile(`^\{"run":"([^"]+)","job":"report","begun":(true|false)\}\n$`).FindStringSubmatch(answer)
		if len(m) != 3 || (m[2] == "true") != (i < len(asks)) {
			t.Fatalf("%s answers %s", line, answer)
		}
		runs = append(runs, m[1])
	}
	if runs[0] != runs[2] || runs[0] == runs[1] {
		t.Errorf("runs %v", runs)
	}
	without := strings.Replace(asks[0], "--cert ca/alice.pem --key ca/alice.key", "", 1)
	u.typed(t, here.Replace(without)+" 2>/dev/null && exit 9; exit 3", 3)
	p.end(t)
	text, err := os.ReadFile(u.path("reports"))
	if n := strings.Count(string(text), "report of 20"); err != nil || n != 2 {
		t.Errorf("reports: %q, %v", text, err)
	}
	if audit := p.stdout.String(); strings.Count(audit, `"event":"REQUEST"`) != 3 || strings.Count(audit, `"client":"alice"`) != 3 {
		t.Errorf("audit:\n%s", audit)
	}
}

// What somebody who comes from elsewhere is told to type, and each flag that is named,
// is there.
func TestDocsMigrating(t *testing.T) {
	t.Parallel()
	u := newJobUser(t, ministack.URL(t))
	app := newPosts(t)
	own := newForeignQueue(t, 5)
	sqsd := own.with("RAMIFY_WEBHOOK_URL="+app.URL+"/", "RAMIFY_UNTIL_EMPTY=true", "RAMIFY_GRACE=1s")
	for _, somebody := range []*user{u.user, sqsd} {
		somebody.write(t, "jobs.txt", "q1 echo hi\nq2 echo hi\n")
		somebody.write(t, "jobs.yaml", "jobs: {report: {params: {day: }, run: [echo, '{{day}}'], timeout: 1m}}")
		somebody.write(t, "cron.yaml", "version: 1\ncron:\n - name: backup\n   url: /periodic_tasks\n   schedule: '0 23 * * *'\n")
	}
	text := readPage(t, "migrating.md").text
	span, flag := regexp.MustCompile("`([^`]+)`"), regexp.MustCompile(`--[a-z][a-z-]*`)
	help := u.typed(t, "ramify --help", 0)
	for _, command := range []string{"run", "task", "cron", "serve", "enqueue", "enqueue-batch", "worker", "idle-queues", "jobs run"} {
		help += u.typed(t, "ramify "+command+" --help", 0)
	}
	done := 0
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "|") {
			cells = []string{"", line}
		}
		for _, m := range span.FindAllStringSubmatch(strings.Join(cells[1:], " "), -1) {
			command := m[1]
			switch words := strings.Fields(command); {
			case words[0] != "ramify":
				for _, f := range flag.FindAllString(command, -1) {
					if !strings.Contains(help, f) {
						t.Errorf("%s: there is no flag %s", command, f)
					}
				}
				continue
			case len(words) == 2 || command == "ramify jobs run":
				u.typed(t, command+" --help", 0)
			case command == "ramify cron cron.yaml --compat sqsd":
				sqsd.serving(t, command, `"msg":"schedule"`).end(t)
			case strings.Contains(command, "sqsd"):
				sqsd.typed(t, command, 0)
			case strings.Contains(command, "--compat qdone"):
				u.with("RAMIFY_PREFIX="+u.prefix+"c_").typed(t, command, 0)
			default:
				u.typed(t, command, 0)
			}
			done++
		}
	}
	for _, line := range commandsIn(t, "migrating.md", "Active Elastic Job") {
		u.typed(t, line, 0)
	}
	if done < 20 {
		t.Errorf("%d commands were run", done)
	}
}

// Beyond loopback nothing is served that anybody may ask for, and what is wrong is said
// before anything listens.
func TestServeRefusals(t *testing.T) {
	t.Parallel()
	w := newWalker(t, "jobs: {report: {run: ['true']}}")
	w.write(t, "token", "short\n")
	for args, want := range map[string]string{
		"--job-start":                              "ramify: --job-start is set, but it is not said which jobs may be started: set --jobs or RAMIFY_JOBS",
		"--jobs none.yaml":                         `ramify: --jobs: read jobs: open none.yaml`,
		"--jobs jobs.yaml --listen 0.0.0.0:0":      "ramify: listen on 0.0.0.0:0: that is beyond loopback",
		"--jobs jobs.yaml --listen here":           `ramify: listen on "here": want HOST:PORT`,
		"--jobs jobs.yaml --tls-cert x":            "ramify: read certificate: want --tls-cert and --tls-key together",
		"--jobs jobs.yaml --max-body 0":            `ramify: --max-body is "0", want a number from 1 to 1048576`,
		"--jobs jobs.yaml --rate=-1":               "ramify: --rate is -1, want 0 or more",
		"--jobs jobs.yaml --queue q --ledger none": "ramify: --ledger is none, but what starts a run once needs a ledger",
	} {
		r := w.run(t, append([]string{"serve"}, strings.Fields(args)...)...)
		if r.code != 1 || !strings.HasPrefix(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d: %s", args, r.code, r.stderr)
		}
	}
	for value, want := range map[string]string{"short": "a token has 5 bytes", "file:token": "a token has 5 bytes", "file:none": "RAMIFY_TOKEN: open none", ",": "RAMIFY_TOKEN holds no token"} {
		r := w.with("RAMIFY_TOKEN="+value).run(t, "serve", "--jobs", "jobs.yaml")
		if r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit code %d: %s", value, r.code, r.stderr)
		}
	}
}

// On a fleet what is asked for is seeded, once a key, and a token says who may ask.
func TestServeOnAFleet(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "").setup(t).with("PATH="+os.Getenv("PATH"), "RAMIFY_JOBS=jobs.yaml", "RAMIFY_TOKEN=a token of the crew", "TOKEN=a token of the crew",
		"RAMIFY_VISIBILITY=1m") // what is seen again runs again
	c.write(t, "jobs.yaml", "jobs: {report: {params: {day: }, run: [sh, -c, 'echo \"$1\" >> reports', sh, '{{day}}'], timeout: 1m}}")
	c.work(t)
	port := freePort(t)
	p := c.serving(t, "ramify serve --listen 127.0.0.1:"+port, "serve begins")
	ask := `curl -sS --fail http://127.0.0.1:` + port + `/jobs/report -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -H 'Idempotency-Key: 1' -d '{"day": "1; touch pwned"}'`
	var run string
	for i := range 2 {
		answer := c.typed(t, ask, 0)
		m := regexp.MustCompile(`"run":"([^"]+)"`).FindStringSubmatch(answer)
		if m == nil || strings.Contains(answer, `"begun":true`) != (i == 0) {
			t.Fatal(answer)
		}
		run = m[1]
	}
	c.typed(t, strings.Replace(ask, "$TOKEN", "x", 1)+" 2>/dev/null", 22)
	c.typed(t, strings.Replace(ask, "pwned", "more", 1)+" 2>/dev/null", 22) // the key has started something else
	c.run(t, "watch", run).requireCode(t, 0)
	p.end(t)
	if text, err := os.ReadFile(c.path("reports")); err != nil || string(text) != "1; touch pwned\n" {
		t.Errorf("reports: %q, %v", text, err)
	}
	if log := p.stdout.String() + p.stderr.String(); strings.Contains(log, "token of the crew") || strings.Contains(log, "pwned") || !strings.Contains(log, `"status":422`) {
		t.Errorf("the token is in the log, or what a parameter holds:\n%s", log)
	}
}
