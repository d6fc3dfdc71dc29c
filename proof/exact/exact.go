// Package exact builds test programs that run the same way each time: it has go build
// replace a few lines of the runtime, so that one number decides whatever the runtime
// and math/rand/v2 leave to chance. The same way it plants bugs: an edit is a source
// file of which one text was replaced, and the file itself stays as it is.
//
// What remains of chance are threads and the garbage collector: a program has one
// processor (GOMAXPROCS=1), collects no garbage while it must be exact, and is not
// preempted. Where things lie in memory is of chance, too: nothing may depend on it, as
// the order of a map whose keys are pointers does.
//
// Source: Go command documentation, "go help build", -overlay.
package exact

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Edit replaces a text of a source file, which must be in it exactly once.
type Edit struct {
	File string // by its path in the module; with the prefix "std/", in the standard library
	Old  string
	New  string
}

// Build makes the test program of a package with edits applied, beside those of the
// runtime. root is the module's folder; what is built and all that it is built from
// are kept in dir.
func Build(ctx context.Context, root, pkg, dir string, edits ...Edit) (program string, err error) {
	overlay, err := prepare(ctx, root, dir, append(runtimeEdits(), edits...))
	if err != nil {
		return "", err
	}
	program = filepath.Join(dir, "exact.test")
	_, err = run(ctx, root, "test", "-c", "-tags=exact", "-vet=off", "-overlay="+overlay, "-o="+program, pkg)
	return program, err
}

// prepare writes the files that edits make, and the overlay that names them.
func prepare(ctx context.Context, root, dir string, edits []Edit) (overlay string, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("build exact program: %w", err)
	}
	std, err := run(ctx, root, "env", "GOROOT")
	if err != nil {
		return "", err
	}
	files, err := apply(root, filepath.Join(strings.TrimSpace(std), "src"), edits)
	if err != nil {
		return "", err
	}
	return write(dir, files)
}

// Fits says which edit of the module's own files cannot be made: the file has changed,
// and its edit has not followed.
func Fits(root string, edits ...Edit) error {
	_, err := apply(root, "", edits)
	return err
}

// apply returns the text of each file with its edits.
func apply(root, std string, edits []Edit) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range edits {
		name := filepath.Join(root, e.File)
		if rest, ok := strings.CutPrefix(e.File, "std/"); ok {
			name = filepath.Join(std, rest)
		}
		text, ok := files[name]
		if !ok {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("edit source: %w", err)
			}
			text = string(b)
		}
		if n := strings.Count(text, e.Old); n != 1 {
			return nil, fmt.Errorf("edit source %s: %q is there %d times, want once: follow the change of the file here", e.File, e.Old, n)
		}
		files[name] = strings.Replace(text, e.Old, e.New, 1)
	}
	return files, nil
}

// write puts the files beside an overlay that names them.
func write(dir string, files map[string]string) (overlay string, err error) {
	replace := map[string]string{}
	for name, text := range files {
		to := filepath.Join(dir, strings.ReplaceAll(strings.Trim(filepath.ToSlash(name), "/"), "/", "+"))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("write overlay: %w", err)
		}
		replace[name] = to
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	return overlay, nil
}

func run(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
