package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The template of docs/processors/own.md: a program of one's own is ramify, with one
// kind more, that is as durable as any.
func TestOwnProcessor(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "checksums")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", program, "../examples/processor").CombinedOutput(); err != nil {
		t.Fatalf("build the template: %v\n%s", err, out)
	}
	w := newWalker(t, "")
	want := w.find(t)
	ask := func(args ...string) result {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Env, cmd.Dir = w.env, w.dir
		p := &process{cmd: cmd, stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
		cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
		p.begin(t)
		return p.wait(t)
	}
	r := ask("run", `{"kind":"checksum","id":"tree"}`, "--run", "r", "--out", "sums", "--json")
	r.requireCode(t, 0)
	want.requireSummary(t, r)
	type row struct {
		Path   string
		Size   int64
		SHA256 string
	}
	rows := rowsOf[row](t, w.path("sums"))
	if len(rows) != len(want.files) {
		t.Errorf("%d rows of %d files", len(rows), len(want.files))
	}
	for _, r := range rows {
		sum := sha256.Sum256(readFile(t, w.path(r.Path)))
		if r.SHA256 != hex.EncodeToString(sum[:]) || want.files[w.path(r.Path)] != r.Size {
			t.Errorf("row %+v, want %x", r, sum)
		}
	}

	ask("run", `{"kind":"checksum","id":"none"}`, "--run", "f").requireCode(t, 3)
	if said := ask("failed", "f").stdout; !strings.Contains(said, "open none: no such file or directory") {
		t.Errorf("said %s", said)
	}
	ask("run", `{"kind":"reverse","id":"as before"}`).requireCode(t, 0)
	if r := ask("run", `{"kind":"chksum","id":"tree"}`); r.code != 1 || !strings.Contains(r.stderr, `kind "chksum" is not known; want one of checksum, `) {
		t.Errorf("said %d, %s", r.code, r.stderr)
	}
	if r := w.run(t, "run", `{"kind":"checksum","id":"tree"}`); r.code != 1 {
		t.Errorf("ramify itself knows it: %d", r.code)
	}
}
