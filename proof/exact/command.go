package exact

import (
	"context"
	"path/filepath"
)

// Command makes a command with edits applied, and none of the runtime's: it runs as it
// is, but for what the edits are for. They may use what the runtime keeps to itself
// (go:linkname). What is built, and all that it is built from, is kept in dir.
func Command(ctx context.Context, root, pkg, dir string, edits ...Edit) (program string, err error) {
	overlay, err := prepare(ctx, root, dir, edits)
	if err != nil {
		return "", err
	}
	program = filepath.Join(dir, filepath.Base(pkg))
	_, err = run(ctx, root, "build", "-trimpath", "-ldflags=-checklinkname=0", "-overlay="+overlay, "-o="+program, pkg)
	return program, err
}
