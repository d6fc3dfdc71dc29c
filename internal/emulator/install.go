// Package emulator brings what we did not write, for tests: programs that are
// installed once into the checkout's .cache/, and servers that listen on loopback and
// end with the test binary.
package emulator

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// Installed makes the folder of a name ("server-1.2.3") in the checkout's
// .cache/ by install, unless that was done before, and returns its path. One
// process installs at a time; the others wait. What an install that failed or was
// killed has left is removed first.
func Installed(name string, install func(dir string) error) (string, error) {
	root, err := checkout()
	if err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	dir := filepath.Join(root, ".cache", name)
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	lock := flock.New(dir + ".lock")
	if err := lock.Lock(); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	defer lock.Unlock() //nolint:errcheck // the process ends soon
	ready := filepath.Join(dir, "ready")
	if _, err := os.Stat(ready); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	if err := install(dir); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return dir, os.WriteFile(ready, nil, 0o600)
}

// checkout is the folder of go.mod, above the package under test.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory: run tests with go test")
		}
		dir = up
	}
}

// Run runs a command of an install in dir. need says what to install where the
// command is missing.
func Run(dir, need, command string, args ...string) error {
	if _, err := exec.LookPath(command); err != nil {
		return fmt.Errorf("%s is not there: install %s", command, need)
	}
	cmd := exec.Command(command, args...) //nolint:noctx // an install that was begun is of use to the next test
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w (needs %s, and its package registry within reach)\n%s",
			command, strings.Join(args, " "), err, need, out)
	}
	return nil
}
