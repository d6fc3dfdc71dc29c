package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ordinary are the variables that every program gets. All others must be asked for
// by name: those that hold secrets cannot be told by theirs, and a list of them
// would always lack the next one.
var ordinary = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_*"}

func (o Options) environ() []string {
	if o.Environ != nil {
		return o.Environ
	}
	return os.Environ()
}

// inherited are the variables that are passed on. A star alone is all but ours,
// among which are signing keys: these must be called RAMIFY_, at least.
func inherited(environ, asked []string) []string {
	var env []string
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if matches(name, ordinary) || matches(name, asked) {
			env = append(env, v)
		}
	}
	return env
}

func matches(name string, patterns []string) bool {
	for _, p := range patterns {
		if before, _, _ := strings.Cut(p, "*"); strings.HasPrefix(name, "RAMIFY_") && !strings.HasPrefix(before, "RAMIFY_") {
			continue
		}
		if is, err := path.Match(p, name); err == nil && is {
			return true
		}
	}
	return false
}

// variable is the last value of a variable, which is the one that counts.
func variable(env []string, name string) string {
	value := ""
	for _, v := range env {
		if n, rest, found := strings.Cut(v, "="); found && n == name {
			value = rest
		}
	}
	return value
}

// locate finds a program as execvp does: by a path from the folder where it
// begins, or along PATH as the program will have it.
func locate(name, dir string, env []string) (string, error) {
	if strings.ContainsRune(name, '/') {
		full := name
		if !filepath.IsAbs(full) {
			full = filepath.Join(dir, name)
		}
		return full, executable(full)
	}
	search := variable(env, "PATH")
	var found error
	for _, folder := range filepath.SplitList(search) {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(dir, folder)
		}
		full := filepath.Join(folder, name)
		err := executable(full)
		if err == nil {
			return full, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			found = err
		}
	}
	if found != nil {
		return "", found
	}
	return "", fmt.Errorf("program %q is not found: PATH is %q", name, search)
}

// executable says why a file is not one. Whether the user may run it is found out
// by running it.
func executable(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("program %s does not exist: %w", file, fs.ErrNotExist)
	case err != nil:
		return fmt.Errorf("look at program: %w", err)
	case info.IsDir():
		return fmt.Errorf("program %s is a folder", file)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("program %s is not executable: chmod +x makes it so", file)
	}
	return nil
}
