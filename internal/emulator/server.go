package emulator

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Command is how to start a server.
type Command struct {
	Name string   // for messages
	Need string   // what must be installed on the machine
	Args []string // the program and its arguments
	Env  []string // beside this process's own
	URL  string   // where it listens: "http://127.0.0.1:1234"
	Path string   // answers as soon as the server serves,
	Code int      // with this status; 0 is 200

	// Ready answers nil as soon as a server that does not speak HTTP serves; then Path
	// is not asked for.
	Ready func(context.Context) error
	Dir   string // removed when the server ends; "": none
	Owner int    // the user who runs it; 0: we
}

// Server is a server that runs until the test binary ends.
type Server struct {
	Command
	log   *os.File
	alive io.Closer // the keeper's standard input
	cmd   *exec.Cmd // the keeper
}

// patience is how long a server may take to start, on a machine that is busy.
const patience = 5 * time.Minute

// keeper runs a server for as long as somebody holds its standard input open: a
// test binary that is killed, or has panicked, leaves no server behind. The
// keeper leads a process group, which takes along what the server started.
const keeper = `exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -9 $server; [ -z "$EMULATOR_DIR" ] || rm -rf -- "$EMULATOR_DIR"; kill -9 0; } &
wait $server
echo "emulator: exited with status $?"
[ -z "$EMULATOR_DIR" ] || rm -rf -- "$EMULATOR_DIR"
kill -9 0`

const exited = "emulator: exited with status"

// Start starts a server and waits until it serves.
func Start(ctx context.Context, c Command) (*Server, error) {
	if _, err := exec.LookPath(c.Args[0]); err != nil {
		return nil, fmt.Errorf("start %s: %s is not there: install %s", c.Name, c.Args[0], c.Need)
	}
	log, err := os.CreateTemp("", "ramify-emulator-*.log")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	_ = os.Remove(log.Name()) // it stays open
	//nolint:noctx // it outlives the test that starts it
	cmd := exec.Command("sh", append([]string{"-c", keeper, "keeper"}, c.Args...)...)
	cmd.Env = append(append(os.Environ(), c.Env...), "EMULATOR_DIR="+c.Dir)
	cmd.Stdout, cmd.Stderr = log, log
	leadGroup(cmd)
	Own(cmd, c.Owner)
	s := &Server{Command: c, log: log}
	if s.alive, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	s.cmd = cmd
	if err := s.ready(ctx); err != nil {
		_ = s.alive.Close()
		return nil, fmt.Errorf("start %s: %w (needs %s)\n%s", c.Name, err, c.Need, s.Log(0))
	}
	return s, nil
}

// Stop ends the server before the test binary does.
func (s *Server) Stop() {
	_ = s.alive.Close()
	_ = s.cmd.Wait() // it kills itself
}

// ready waits until the server answers.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ask := s.Ready
	if ask == nil {
		ask = s.answers
	}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if strings.Contains(s.Log(0), exited) {
			return fmt.Errorf("it ended")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w", patience, err)
		case <-again.C:
		}
	}
}

// answers asks for Path.
func (s *Server) answers(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+s.Path, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != cmp.Or(s.Code, http.StatusOK) {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}

// Log is the end of what the server has printed since it had printed from bytes.
func (s *Server) Log(from int64) string {
	const most = 16 << 10
	size := s.printed()
	from = max(from, size-most)
	text := make([]byte, size-from)
	n, _ := s.log.ReadAt(text, from)
	return string(text[:n])
}

func (s *Server) printed() int64 {
	info, err := s.log.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// URL is the endpoint of a server that start gives, and watches it. A test where
// it cannot start fails.
func URL(t testing.TB, start func() (*Server, error)) string {
	t.Helper()
	s, err := start()
	if err != nil {
		t.Fatal(err)
	}
	s.Watch(t)
	return s.URL
}

// Watch shows what the server prints from now on, if the test fails.
func (s *Server) Watch(t testing.TB) {
	from := s.printed()
	t.Cleanup(func() {
		if text := s.Log(from); t.Failed() && text != "" {
			t.Logf("%s printed:\n%s", s.Name, text)
		}
	})
}
