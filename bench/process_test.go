package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/bench/figures"
	"github.com/ramify/ramify/bench/keys"
)

// patience is how long one run may take before it is given up.
const patience = 15 * time.Minute

// shop has the programs of a race and a folder for what they write, on the disk
// that the checkout is on.
type shop struct {
	dir string
}

// openShop builds what is ours.
func openShop(b *testing.B) *shop {
	b.Helper()
	cache, err := filepath.Abs("../.cache/bench")
	must(b, err)
	must(b, os.MkdirAll(cache, 0o700))
	dir, err := os.MkdirTemp(cache, "race-") //nolint:usetesting // on the disk of the checkout, not in memory
	must(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	for _, p := range []string{"cmd/ramify", "bench/server", "bench/stopwatch"} {
		build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-o", filepath.Join(dir, filepath.Base(p)), "github.com/ramify/ramify/"+p)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", p, err, out)
		}
	}
	return &shop{dir: dir}
}

func (s *shop) path(program string) string { return filepath.Join(s.dir, program) }

// peerPath is where `make peers` leaves a program.
func peerPath(b *testing.B, program string) string {
	b.Helper()
	p, err := filepath.Abs(filepath.Join("..", ".cache", "peers", program))
	must(b, err)
	if _, err := os.Stat(p); err != nil {
		b.Fatalf("find peer: %v: run `make peers`, or name the peers to race with: PEERS=\"s5cmd\"", err)
	}
	return p
}

// server is one that serves one list in a process of its own.
type server struct {
	url string
}

func (s *shop) serve(b *testing.B, list, source string, more ...string) *server {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), s.path("server"), append([]string{"-list", list, "-keys", source}, more...)...)
	cmd.Stderr = os.Stderr
	alive, err := cmd.StdinPipe()
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() {
		alive.Close()
		_ = cmd.Wait() // it has served
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	must(b, err)
	return &server{url: strings.TrimSpace(url)}
}

// control sends the server a word.
func (s *server) control(b *testing.B, word string) (c figures.Counts) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.url+"/-/"+word, nil)
	must(b, err)
	resp, err := http.DefaultClient.Do(r)
	must(b, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(b, err)
	if err := json.Unmarshal(body, &c); err != nil {
		b.Fatalf("control server: %s: %s", resp.Status, body)
	}
	return c
}

// clock runs a command to its end and says what it used. Its standard output
// goes to a file in dir, which is also its home.
func (s *shop) clock(ctx context.Context, dir, endpoint string, command []string) (u figures.Used, output string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	output = filepath.Join(dir, "output")
	cmd := exec.CommandContext(ctx, s.path("stopwatch"), append([]string{output}, command...)...)
	cmd.Dir = dir
	cmd.Env = []string{
		"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir,
		"AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench", "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL_S3=" + endpoint,
	}
	alive, err := cmd.StdinPipe()
	if err != nil {
		return u, output, err
	}
	cmd.Cancel = alive.Close // the stopwatch ends what it has started
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &u)
	}
	if err == nil && u.Code != 0 {
		err = fmt.Errorf("exit code %d", u.Code)
	}
	if err != nil {
		return u, output, fmt.Errorf("run %s: %w\n%.2000s", filepath.Base(command[0]), err, said.Bytes())
	}
	return u, output, nil
}

// find returns a list and what is true of it.
func find(b *testing.B, name, source string) (*keys.List, *keys.Truth) {
	b.Helper()
	l, err := keys.Find(name, source)
	must(b, err)
	t, err := l.Truth()
	must(b, err)
	return l, t
}
