package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/lean"
)

// deadline is how long any single thing may take before a test gives it up. On
// a busy machine things are slow; nothing that works comes near it.
const deadline = 3 * time.Minute

// binary is the path of the command, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ramify-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "ramify")
	modules, err := lean.Modfile(context.Background()) // what is tested is what is shipped
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	args := []string{"build", "-trimpath", "-modfile=" + modules, "-o", binary}
	if os.Getenv("RAMIFY_TEST_RACE") != "" {
		args = append(args, "-race") // needs cgo
	}
	build := exec.Command("go", append(args, "github.com/ramify/ramify/cmd/ramify")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the command: %v\n%s", err, out)
		return 1
	}
	// The tests mostly wait for processes, and those for servers: more at a time
	// than there are processors, unless the caller has a wish of his own.
	if !flagGiven("test.parallel") {
		_ = flag.Set("test.parallel", "6")
	}
	return m.Run()
}

func flagGiven(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// What people and schedulers send.
const (
	interrupt = syscall.SIGINT
	terminate = syscall.SIGTERM
	kill      = syscall.SIGKILL
)

// soak reports whether the long variants are asked for.
func soak() bool { return os.Getenv("RAMIFY_SOAK") != "" }

// user is somebody who types commands: a home of his own, and an environment
// with nothing in it but what a test says.
type user struct {
	dir string // state, and whatever the test puts there
	env []string
}

// newUser is a user whose S3 is at the endpoint.
func newUser(t *testing.T, endpoint string) *user {
	t.Helper()
	dir := t.TempDir()
	u := &user{dir: dir, env: []string{
		"HOME=" + filepath.Join(dir, "home"),
		"XDG_STATE_HOME=" + filepath.Join(dir, "xdg"),
		"AWS_EC2_METADATA_DISABLED=true",
		"TERM=xterm",
	}}
	if endpoint != "" {
		u.env = append(u.env, "AWS_ENDPOINT_URL_S3="+endpoint, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1")
	}
	return u
}

// state is the folder in which the user's runs are kept.
func (u *user) state() string { return filepath.Join(u.dir, "xdg", "ramify") }

// path is a path below the user's folder.
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

func (u *user) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env, cmd.Dir = u.env, u.dir
	return cmd
}

// run runs a command to its end.
func (u *user) run(t *testing.T, args ...string) result {
	t.Helper()
	return u.start(t, args...).wait(t)
}

// start starts a command. What is still running when the test ends is killed.
func (u *user) start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: u.command(args...), stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.begin(t)
	return p
}

// process is a command that was started.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *transcript
	done           chan struct{} // closed when it has ended
}

func (p *process) begin(t *testing.T) {
	t.Helper()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the state says it all
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
}

// running reports whether it has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("signal %v: %v", s, err)
	}
}

// result is how a command ended.
type result struct {
	code           int // -1 where a signal ended it
	stdout, stderr string
	took           time.Duration // since it was waited for
}

// wait waits until the command has ended.
func (p *process) wait(t *testing.T) result {
	t.Helper()
	begun := time.Now()
	select {
	case <-p.done:
	case <-time.After(deadline):
		p.signal(t, syscall.SIGQUIT) // it says where it hangs
		<-p.done
		t.Fatalf("%q did not end in %v\nstdout: %s\nstderr: %s", p.cmd.Args[1:], deadline, p.stdout, p.stderr)
	}
	return result{p.cmd.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String(), time.Since(begun)}
}

// requireCode fails the test, with all that was said, unless the code is right.
func (r result) requireCode(t *testing.T, want int) {
	t.Helper()
	if r.code != want {
		t.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, want, shortened(r.stdout), shortened(r.stderr))
	}
	if strings.Contains(r.stderr, "goroutine ") {
		t.Fatalf("stack trace: %s", r.stderr)
	}
}

func shortened(s string) string {
	const most = 4000
	if len(s) <= most {
		return s
	}
	return s[:most/2] + "\n[…]\n" + s[len(s)-most/2:]
}

// news tells those who wait that something has changed.
type news struct {
	mu   sync.Mutex
	next chan struct{}
}

func newNews() *news { return &news{next: make(chan struct{})} }

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.next)
	n.next = make(chan struct{})
}

// coming is closed at the next news.
func (n *news) coming() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next
}

// until waits, from news to news, until ok holds.
func (n *news) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	over := time.After(deadline)
	for {
		next := n.coming()
		if ok() {
			return
		}
		select {
		case <-next:
		case <-over:
			t.Fatalf("waited %v for %s", deadline, what)
		}
	}
}

// transcript keeps what a process writes and lets others wait for it.
type transcript struct {
	*news
	text sync.Mutex
	buf  bytes.Buffer
}

var _ io.Writer = (*transcript)(nil)

func newTranscript() *transcript { return &transcript{news: newNews()} }

func (s *transcript) Write(p []byte) (int, error) {
	defer s.tell()
	s.text.Lock()
	defer s.text.Unlock()
	return s.buf.Write(p)
}

func (s *transcript) String() string {
	s.text.Lock()
	defer s.text.Unlock()
	return s.buf.String()
}

// await waits until the process has written text.
func (s *transcript) await(t *testing.T, text string) {
	t.Helper()
	s.until(t, fmt.Sprintf("%q to be written", text), func() bool { return strings.Contains(s.String(), text) })
}

// plain is what a process said on standard error besides its log, each line of
// which must be a JSON object.
func plain(t *testing.T, stderr string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "{") {
			b.WriteString(line)
			continue
		}
		var record struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Time == "" || record.Level == "" || record.Msg == "" {
			t.Errorf("log line %q: %+v, %v", line, record, err)
		}
	}
	return b.String()
}

// placeholders are what a wanted text may hold for what differs between runs.
var placeholders = strings.NewReplacer(
	`\{n\}`, `[0-9,]+`,
	`\{rate\}`, `[0-9.,]+(?:[kMG]| (?:B|[KMGT]iB))?/s`,
	`\{s\}`, `(?:[0-9.]+ s|[0-9]+m[0-9]*s?)`,
	`\{name\}`, `[0-9]{8}-[0-9]{6}-[a-z]{4}`,
	`\{any\}`, `.*`,
)

var gaps = regexp.MustCompile(` {2,}`)

// requireText fails the test unless the text is the one wanted, line by line:
// {n}, {rate}, {s} (a duration), {name} (of a run) and {any} stand for what
// differs between runs, two spaces or more for the gap between two columns.
func requireText(t *testing.T, got, want string) {
	t.Helper()
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i, w := range wantLines {
		pattern := "^" + gaps.ReplaceAllString(placeholders.Replace(regexp.QuoteMeta(w)), " {2,}") + "$"
		if i >= len(gotLines) || !regexp.MustCompile(pattern).MatchString(gotLines[i]) {
			t.Fatalf("line %d is not %q in\n%s", i+1, w, shortened(got))
		}
	}
	if len(gotLines) > len(wantLines) {
		t.Fatalf("more than wanted, from %q on, in\n%s", gotLines[len(wantLines)], shortened(got))
	}
}
