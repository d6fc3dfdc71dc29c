package integration

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ramify/ramify/internal/emulator/ministack"
)

// console finds what is typed in a document, and what is printed then.
var (
	consoleBlock = regexp.MustCompile("(?s)(?:^|\n)```console\n(.*?)```\n")
	prompt       = "$ "
)

// typed is a command of a document, and what it prints.
type typed struct{ command, prints string }

func consoleOf(t *testing.T, file string) (all []typed) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range consoleBlock.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			if command, is := strings.CutPrefix(line, prompt); is {
				try(command)
				all = append(all, typed{command: command})
				continue
			}
			all[len(all)-1].prints += line
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no commands", file)
	}
	return all
}

// session is a shell on a terminal, whose variables stay from one command to the next.
type session struct {
	u *user
}

// run runs one command, and returns what was seen on the terminal.
func (s *session) run(t *testing.T, command string) string {
	t.Helper()
	reader, screen := terminal(t)
	vars := filepath.Join(s.u.dir, "variables")
	cmd := exec.Command("/bin/sh", "-c", command+"\nenv -0 > "+vars+"\n")
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = s.u.env, s.u.dir, screen, screen
	seen := make(chan []byte)
	go func() {
		var b bytes.Buffer
		_, _ = io.Copy(&b, reader) // it ends by an error when nobody has the screen any more
		seen <- b.Bytes()
	}()
	err := cmd.Run()
	_ = screen.Close()
	text := <-seen
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, text)
	}
	env, err := os.ReadFile(vars)
	if err != nil {
		t.Fatal(err)
	}
	s.u.env = strings.Split(strings.TrimRight(string(env), "\x00"), "\x00")
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// runConsole runs all commands of a document, and compares what they print.
func runConsole(t *testing.T, s *session, file string) {
	t.Helper()
	for _, c := range consoleOf(t, file) {
		got := s.run(t, strings.TrimSpace(c.command))
		want := strings.ReplaceAll(regexp.QuoteMeta(c.prints), "…", `[^\n]*`)
		if !regexp.MustCompile("^" + want + "$").MatchString(got) {
			t.Errorf("%s%sprints\n%s\nand the document says\n%s", prompt, c.command, got, c.prints)
		}
	}
}

// All that the page about job queues shows is as it shows it.
func TestQueueDocument(t *testing.T) {
	t.Parallel()
	u := newUser(t, "")
	bin := u.path("bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(bin, "ramify")); err != nil {
		t.Fatal(err)
	}
	u.env = append(u.env, "PATH="+bin+":"+os.Getenv("PATH"), "LC_ALL=C", "AWS_REGION=us-east-1",
		"AWS_ENDPOINT_URL="+ministack.URL(t), "AWS_ACCESS_KEY_ID=111122223333", "AWS_SECRET_ACCESS_KEY=test")
	runConsole(t, &session{u}, "../docs/jobs/queue.md")
}
