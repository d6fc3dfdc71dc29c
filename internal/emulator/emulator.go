// Package emulator starts servers that stand in for AWS in tests: on loopback, on
// a free port, installed once into the checkout's .cache without root. A server
// that cannot start is an error that says what to install, never a reason to
// skip.
package emulator

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Install is the folder of a name in the checkout's .cache/emulators, filled by
// fill if it is not whole yet. Processes wait for one another.
func Install(name string, fill func(dir string) error) (dir string, err error) {
	root, err := checkout()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(root, ".cache", "emulators", name)
	ready := filepath.Join(dir, "ready")
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return "", err
	}
	lock := flock.New(dir + ".lock")
	if err := lock.Lock(); err != nil {
		return "", fmt.Errorf("lock %s: %w", dir, err)
	}
	defer lock.Unlock() //nolint:errcheck // closing the file unlocks it, too
	if _, err := os.Stat(ready); err == nil {
		return dir, nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o750)); err != nil {
		return "", err
	}
	if err := fill(dir); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return dir, os.WriteFile(ready, nil, 0o600)
}

// checkout is the folder of go.mod, above the package under test.
func checkout() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("find checkout: no go.mod above this folder")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// Output runs a command in a folder; its error says what the command printed.
func Output(dir, name string, args ...string) error {
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, bytes.TrimSpace(out))
	}
	return nil
}

// Process is a server that runs until its standard input ends: so it never
// outlives the process that started it, however that dies.
type Process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	read  sync.WaitGroup
	tail  tail
}

// patience is how long a server may take to start on a busy machine.
const patience = 2 * time.Minute

// Start starts a server and waits until it prints a line that begins with
// "listening ", whose rest it returns.
func Start(cmd *exec.Cmd) (p *Process, where string, err error) {
	p = &Process{cmd: cmd}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	p.stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	cmd.Stderr = &p.tail
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	line := make(chan string, 1)
	p.read.Go(func() {
		defer close(line)
		told := false
		for s := bufio.NewScanner(stdout); s.Scan(); {
			if at, ok := strings.CutPrefix(s.Text(), "listening "); ok && !told {
				told = true
				line <- at
				continue
			}
			fmt.Fprintln(&p.tail, s.Text())
		}
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case at, ok := <-line:
		if ok {
			return p, at, nil
		}
		err = errors.New("it ended before it listened")
	case <-timer.C:
		err = fmt.Errorf("it does not listen after %s", patience)
	}
	p.Stop()
	return nil, "", fmt.Errorf("start %s: %w; it said:\n%s", cmd.Path, err, p.tail.String())
}

// Stop ends the server and waits for it.
func (p *Process) Stop() {
	p.stdin.Close() //nolint:errcheck // where that fails, the kill below does not
	timer := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	p.read.Wait()
	p.cmd.Wait() //nolint:errcheck // how it ends tells nothing
}

// tail keeps the end of what a server says.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - 16<<10; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
