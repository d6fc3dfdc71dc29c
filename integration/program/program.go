// Package program drives the real binary as people and schedulers do: it builds it
// once, gives commands to users of their own, signals and kills processes, and holds
// what they said against what they should. For end-to-end tests, wherever they are.
package program

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ramify/ramify/internal/lean"
)

// Patience is how long any single thing may take before a test gives it up: it is for what
// hangs. On a busy machine things are slow; nothing that works comes near it. The long
// variants keep the machine busy themselves, and what they wait for is larger.
var Patience = map[bool]time.Duration{false: 6 * time.Minute, true: 20 * time.Minute}[Soak()]

var binary string

// Main builds the binary, puts its path into at, runs the tests of a package, and
// returns their exit code: what TestMain is for.
func Main(m *testing.M, at *string) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "ramify-program-")
	if err != nil {
		return cannot(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is a folder of temporary files
	// #nosec G302 -- some tests have another user run it
	if err := os.Chmod(dir, 0o755); err != nil {
		return cannot(err)
	}
	binary = filepath.Join(dir, "ramify")
	*at = binary
	modules, err := lean.Modfile(context.Background()) // what is tested is what is shipped
	if err != nil {
		return cannot(err)
	}
	args := []string{"build", "-trimpath", "-modfile=" + modules, "-o", binary}
	if os.Getenv("RAMIFY_TEST_RACE") != "" {
		args = append(args, "-race") // needs cgo
	}
	build := exec.Command("go", append(args, "github.com/ramify/ramify/cmd/ramify")...) //nolint:noctx // it takes as long as it takes
	if out, err := build.CombinedOutput(); err != nil {
		return cannot(fmt.Errorf("build the command: %w\n%s", err, out))
	}
	// The tests mostly wait for processes, and those for servers: more at a time
	// than there are processors, unless the caller has a wish of his own.
	if !flagGiven("test.parallel") {
		_ = flag.Set("test.parallel", "6")
	}
	return m.Run()
}

func cannot(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func flagGiven(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// Soak reports whether the long variants are asked for.
func Soak() bool { return os.Getenv("RAMIFY_SOAK") != "" }

// What people and schedulers send.
const (
	Interrupt = syscall.SIGINT
	Terminate = syscall.SIGTERM
	Kill      = syscall.SIGKILL
)

// User is somebody who types commands: a home of his own, and an environment
// with nothing in it but what a test says.
type User struct {
	Dir string // state, and whatever the test puts there
	Env []string
}

// NewUser is a user whose S3 is at the endpoint; "": who has none.
func NewUser(t *testing.T, endpoint string) *User {
	t.Helper()
	dir := t.TempDir()
	u := &User{Dir: dir, Env: []string{
		"HOME=" + filepath.Join(dir, "home"),
		"XDG_STATE_HOME=" + filepath.Join(dir, "xdg"),
		"AWS_EC2_METADATA_DISABLED=true",
		"TERM=xterm",
	}}
	if endpoint != "" {
		u.Env = append(u.Env, "AWS_ENDPOINT_URL_S3="+endpoint, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1")
	}
	return u
}

// State is the folder in which the user's runs are kept.
func (u *User) State() string { return filepath.Join(u.Dir, "xdg", "ramify") }

// Path is a path below the user's folder.
func (u *User) Path(name string) string { return filepath.Join(u.Dir, name) }

// Command is a command that is not yet started.
func (u *User) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...) //nolint:noctx // the test ends it
	cmd.Env, cmd.Dir = u.Env, u.Dir
	return cmd
}

// Run runs a command to its end.
func (u *User) Run(t *testing.T, args ...string) Result {
	t.Helper()
	return u.Start(t, args...).Wait(t)
}

// Start starts a command. What is still running when the test ends is killed.
func (u *User) Start(t *testing.T, args ...string) *Process {
	t.Helper()
	p := New(u.Command(args...))
	p.Begin(t)
	return p
}
