package exact

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Command makes a command with edits applied, and none of the runtime's: it runs as it
// is, but for what the edits are for. They may use what the runtime keeps to itself
// (go:linkname). What is built, and all that it is built from, is
// kept in dir.
func Command(ctx context.Context, root, pkg, dir string, edits ...Edit) (program string, err error) {
	overlay, err := prepare(ctx, root, dir, edits)
	if err != nil {
		return "", err
	}
	program = filepath.Join(dir, filepath.Base(pkg))
	_, err = run(ctx, root, "build", "-trimpath", "-ldflags=-checklinkname=0", "-overlay="+overlay, "-o="+program, pkg)
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
