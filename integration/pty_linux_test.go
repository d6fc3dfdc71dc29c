package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/ramify/ramify/s3serve"
)

// terminal opens a pseudoterminal: what is written to the second file can be read
// from the first (pts(4)).
func terminal(t *testing.T) (reader, screen *os.File) {
	t.Helper()
	reader, screen, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close(); screen.Close() })
	return reader, screen
}

// Keys that are streamed to a terminal cannot command it; in a pipe they are
// what they are.
func TestStreamToATerminal(t *testing.T) {
	t.Parallel()
	const evil = "\x1b]0;owned\a\x1b[2Jphoto\u009b31m.jpg"
	s := serve(t, listingOf(t, []string{evil}), s3serve.Options{})
	for _, test := range []struct{ format, want string }{
		{"keys", `\x1b]0;owned\x07\x1b[2Jphoto\u009b31m.jpg` + "\r\n"},
		{"ndjson", `"key":"\u001B]0;owned\u0007\u001B[2Jphoto\u009b31m.jpg"`},
		{"csv", `"%1B%5D0%3Bowned%07%1B%5B2Jphoto%C2%9B31m.jpg"`},
	} {
		t.Run(test.format, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, s.url)
			args := []string{"run", "s3://bucket/", "--out", "-", "--format", test.format}
			if r := u.run(t, args...); test.format == "keys" && r.stdout != evil+"\n" {
				t.Errorf("in a pipe %q", r.stdout)
			}
			reader, screen := terminal(t)
			p := &process{cmd: u.command(args...), stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
			p.cmd.Stdout, p.cmd.Stderr = screen, p.stderr
			p.begin(t)
			_ = screen.Close()
			p.wait(t).requireCode(t, 0)
			seen := make([]byte, 4096) // one row: what a terminal keeps until it is read
			n, err := reader.Read(seen)
			if got := string(seen[:n]); err != nil || !strings.Contains(got, test.want) || strings.Contains(got, "\x1b") || strings.Contains(got, "\u009b") {
				t.Errorf("on a terminal %q, %v; want %q", got, err, test.want)
			}
		})
	}
}
