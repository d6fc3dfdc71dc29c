// Package lean makes the command small. A program that looks up one method by a
// name which the linker does not know keeps every exported method of every type
// that an interface may hold: of the AWS SDK, hundreds of requests that nobody
// makes, 8 MB of 40 (The Go Programming Language, package reflect,
// "Value.MethodByName"). Kong does so for its hooks, of which there are six
// (alecthomas/kong issue 547, open). Here cmd/ramify is built with these six
// names spelled out, in a copy of kong under dist; it does the same.
//
// TestNoMethodByName of package image says who else does so, should it grow back.
package lean

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is what the command is built with an edited copy of.
const Module = "github.com/alecthomas/kong"

// edit replaces each of the times that old is in a file.
type edit struct {
	old, new string
	times    int
}

var edits = map[string][]edit{
	"callbacks.go": {
		{"value.MethodByName(name)", "methodOf(value, name)", 2},
		{"value.Addr().MethodByName(name)", "methodOf(value.Addr(), name)", 2},
		{"t.MethodByName(name)", "methodOfType(t, name)", 1},
	},
	// Methods Provide… of commands, which we have none of (a test of package app).
	"context.go": {
		{"i < p.NumMethod()", "i < 0", 1},
		{"t.Method(i)", "reflect.Method{}", 1},
		{"p.Method(i)", "p", 1},
	},
}

// hooks are the methods that kong asks for by name.
var hooks = []string{"Run", "BeforeReset", "BeforeResolve", "BeforeApply", "AfterApply", "AfterRun"}

// folder is where all of it goes, in the module's root: the same for every build,
// because a binary says where its modules came from.
const folder = "dist/lean"

// Modfile writes what `go build -modfile` is to be given for cmd/ramify, and returns
// its path: our go.mod, with a copy of kong in its place that has the edits. It runs
// the go command in the current folder, which is any of this module. Kong in a version
// that has other code is an error. Any number may run at a time.
func Modfile(ctx context.Context) (path string, err error) {
	// Packages, not modules: they are downloaded where nothing was built yet.
	kong, err := list(ctx, "-f", "{{.Dir}} {{.Module.Version}}", Module)
	if err != nil {
		return "", err
	}
	from, version, _ := strings.Cut(kong, " ")
	root, err := list(ctx, "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	copied := folder + "/kong-" + version
	files, err := filepath.Glob(filepath.Join(from, "*.go"))
	if err != nil {
		return "", fmt.Errorf("read kong: %w", err)
	}
	for _, file := range append(files, filepath.Join(from, "go.mod"), filepath.Join(from, "COPYING")) {
		name := filepath.Base(file)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read kong: %w", err)
		}
		changed, err := apply(string(text), edits[name])
		if err != nil {
			return "", fmt.Errorf("change %s of kong %s: %w; compare the edits of package lean with it", name, version, err)
		}
		if name == "callbacks.go" {
			changed += lookups()
		}
		if err := write(filepath.Join(root, copied, name), changed); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", fmt.Errorf("read our modules: %w", err)
		}
		if name == "go.mod" {
			text = fmt.Appendf(text, "\nreplace %s => ./%s\n", Module, copied)
		}
		if err := write(filepath.Join(root, folder, name), string(text)); err != nil {
			return "", err
		}
	}
	return filepath.Join(root, folder, "go.mod"), nil
}

// list asks the go command for one line.
func list(ctx context.Context, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", append([]string{"list"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// write leaves a file as it is that has the text; others that read it see all of it or
// nothing.
func write(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("write the lean modules: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("write the lean modules: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the lean modules: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

func apply(text string, changes []edit) (string, error) {
	for _, c := range changes {
		if n := strings.Count(text, c.old); n != c.times {
			return "", fmt.Errorf("%q is there %d times, not %d", c.old, n, c.times)
		}
		text = strings.ReplaceAll(text, c.old, c.new)
	}
	return text, nil
}

// lookups is Go code: a method by its name, for the names that there are. Where the
// name is a constant, the linker keeps methods of that name alone.
func lookups() string {
	var b strings.Builder
	for _, f := range []struct{ signature, on string }{
		{"methodOf(v reflect.Value, name string) reflect.Value", "v"},
		{"methodOfType(t reflect.Type, name string) (reflect.Method, bool)", "t"},
	} {
		fmt.Fprintf(&b, "\nfunc %s {\n\tswitch name {\n", f.signature)
		for _, h := range hooks {
			fmt.Fprintf(&b, "\tcase %q:\n\t\treturn %s.MethodByName(%q)\n", h, f.on, h)
		}
		b.WriteString("\t}\n\tpanic(\"package lean knows no hook \" + name)\n}\n")
	}
	return b.String()
}
