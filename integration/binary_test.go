package integration

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ramify/ramify/integration/program"
)

// What follows is package program in the short names of this package's tests.

var deadline = program.Patience

// binary is the path of the command, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(requireTried(program.Main(m, &binary)))
}

const (
	interrupt = program.Interrupt
	terminate = program.Terminate
	kill      = program.Kill
)

func soak() bool { return program.Soak() }

// user is program.User.
type user struct {
	dir string
	env []string
}

func newUser(t *testing.T, endpoint string) *user {
	t.Helper()
	u := program.NewUser(t, endpoint)
	return &user{u.Dir, u.Env}
}

func (u *user) program() *program.User { return &program.User{Dir: u.dir, Env: u.env} }

func (u *user) state() string { return u.program().State() }

func (u *user) path(name string) string { return filepath.Join(u.dir, name) }

// stateFiles are the names of the files in the folder of states.
func (u *user) stateFiles(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(u.state())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (u *user) command(args ...string) *exec.Cmd { return u.program().Command(args...) }

func (u *user) run(t *testing.T, args ...string) result {
	t.Helper()
	return u.start(t, args...).wait(t)
}

func (u *user) start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: u.command(args...), stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.begin(t)
	return p
}

// process is program.Process.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *transcript
	done           chan struct{}
}

func (p *process) program() *program.Process {
	return &program.Process{Cmd: p.cmd, Stdout: p.stdout.Transcript, Stderr: p.stderr.Transcript, Done: p.done}
}

func (p *process) begin(t *testing.T) {
	t.Helper()
	p.program().Begin(t)
}

func (p *process) running() bool { return p.program().Running() }

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	p.program().Signal(t, s)
}

func (p *process) wait(t *testing.T) result {
	t.Helper()
	r := p.program().Wait(t)
	return result{r.Code, r.Stdout, r.Stderr, r.Took}
}

// result is program.Result.
type result struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

func (r result) requireCode(t *testing.T, want int) {
	t.Helper()
	program.Result{Code: r.code, Stdout: r.stdout, Stderr: r.stderr}.RequireCode(t, want)
}

func shortened(s string) string { return program.Shortened(s) }

// news is program.News.
type news struct{ *program.News }

func newNews() *news { return &news{program.NewNews()} }

func (n *news) tell() { n.Tell() }

func (n *news) coming() <-chan struct{} { return n.Coming() }

func (n *news) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	n.Until(t, what, ok)
}

// transcript is program.Transcript.
type transcript struct{ *program.Transcript }

func newTranscript() *transcript { return &transcript{program.NewTranscript()} }

func (s *transcript) await(t *testing.T, text string) {
	t.Helper()
	s.Await(t, text)
}

func (s *transcript) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	s.Until(t, what, ok)
}

func plain(t *testing.T, stderr string) string {
	t.Helper()
	return program.Plain(t, stderr)
}

func requireText(t *testing.T, got, want string) {
	t.Helper()
	program.RequireText(t, got, want)
}

type summary = program.Summary

func parseSummary(t *testing.T, stdout string) summary {
	t.Helper()
	return program.ParseSummary(t, stdout)
}
