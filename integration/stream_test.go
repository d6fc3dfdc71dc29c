package integration

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// --out - writes keys as they come, and nothing else, to standard output.
func TestStream(t *testing.T) {
	t.Parallel()
	awkward := awkwardKeys()
	listing := listingOf(t, awkward)
	s := serve(t, listing, s3serve.Options{})
	for _, test := range []struct {
		args []string
		read func(*testing.T, []byte) []row
	}{
		{nil, readKeys},
		{[]string{"--format", "keys", "--node", "prefix"}, readKeys},
		{[]string{"--format", "ndjson"}, parseNDJSON},
		{[]string{"--format", "csv"}, func(t *testing.T, data []byte) []row { return parseCSV(t, bytes.NewReader(data)) }},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			u := newUser(t, s.url)
			r := u.run(t, append([]string{"run", "s3://bucket/", "--run", "r", "--out", "-"}, test.args...)...)
			r.requireCode(t, 0)
			// Nothing failed and nothing was resumed: here at least once is once.
			truthOf(listing, "").requireRows(t, test.read(t, []byte(r.stdout)), len(test.args) == 0 || test.args[1] == "keys")
			if !strings.HasPrefix(plain(t, r.stderr), "run r\nRun r of s3://bucket/ finished in ") || strings.Contains(r.stderr, "inventory") {
				t.Errorf("report %s", r.stderr)
			}
		})
	}
}

// The reader leaves after five lines: the run stops at once, says how to go on,
// and can go on.
func TestStreamToHead(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	// Slow enough that it would take an hour.
	s, usual := serveSlowly(t, listing, 20*time.Millisecond, 200)
	u := newUser(t, s.url)
	p := u.pipe(t, "run", "s3://bucket/", "--run", "r", "--out", "-", "--node", "prefix", "--concurrency", "1")
	lines := bufio.NewScanner(p.reader)
	for range 5 {
		if !lines.Scan() {
			t.Fatalf("the stream ended: %v, %s", lines.Err(), p.stderr)
		}
		if _, found := listing.Get(keyOfLine(t, lines.Text())); !found {
			t.Errorf("line %q is no key", lines.Text())
		}
	}
	_ = p.reader.Close()
	r := p.wait(t)
	r.requireCode(t, 130)
	if r.took > soon {
		t.Errorf("it ended after %v", r.took)
	}
	requireText(t, plain(t, r.stderr), `run r
Run r of s3://bucket/ was interrupted after {s}.

  keys      {n}  {rate}
  bytes     {any}  {any}/s
  nodes     {n}  {rate}
  requests  {n}  {rate}  {n} list
  retries   0
  failed    0

It was interrupted, and nothing is lost. To go on:
  ramify resume r
`)
	if strings.Contains(r.stderr, "WARN") || strings.Contains(r.stderr, "ERROR") {
		t.Errorf("noise: %s", r.stderr)
	}
	if n := s.count(); n > 2761/2 {
		t.Errorf("%d LISTs for five lines", n)
	}

	usual()
	// Each key appears at least once over both streams, wherever the first broke:
	// so all appear in the second, except what was committed before.
	r = u.run(t, "resume", "r", "--concurrency", "64")
	r.requireCode(t, 0)
	if !strings.Contains(r.stderr, "Run r of s3://bucket/ finished in ") || !strings.Contains(r.stderr, "keys      20,000 ") {
		t.Errorf("report %s", r.stderr)
	}
}

// Where nothing can be written any more, the reason is said and the way out.
func TestStreamToFullDisk(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0) // Linux has it
	if err != nil {
		t.Fatalf("open a device that is full: %v", err)
	}
	defer full.Close()
	s := serve(t, sampleListing(t, sample.Count), s3serve.Options{})
	u := newUser(t, s.url)
	p := &process{cmd: u.command("run", "s3://bucket/", "--run", "r", "--out", "-"), stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = full, p.stderr
	p.begin(t)
	r := p.wait(t)
	r.requireCode(t, 2)
	requireText(t, plain(t, r.stderr), "run r\nramify: {any}no space left on device; when that is mended, `ramify resume r` goes on\n")
	r = u.run(t, "resume", "r")
	r.requireCode(t, 0)
	if strings.Count(r.stdout, "\n") != sample.Count {
		t.Errorf("%d lines", strings.Count(r.stdout, "\n"))
	}
}

// Over an interruption and a resumption every key appears at least once.
func TestStreamResumed(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	s := serve(t, listing, s3serve.Options{})
	u := newUser(t, s.url)
	s.hold(12)
	p := u.start(t, "run", "s3://bucket/", "--run", "r", "--out", "-", "--concurrency", "2")
	s.awaitHeld(t)
	p.signal(t, interrupt)
	first := p.wait(t)
	first.requireCode(t, 130)
	s.open()
	second := u.run(t, "resume", "r")
	second.requireCode(t, 0)
	seen := map[string]bool{}
	for _, r := range readKeys(t, []byte(first.stdout+second.stdout)) {
		seen[r.key] = true
	}
	for o := range listing.All() {
		if !seen[o.Key] {
			t.Fatalf("key %q was never written; %d were", o.Key, len(seen))
		}
	}
	if len(seen) != listing.Len() {
		t.Errorf("%d different keys of %d", len(seen), listing.Len())
	}
}

// piped is a process whose standard output the test reads itself, or does not.
type piped struct {
	*process
	reader *os.File
}

func (u *user) pipe(t *testing.T, args ...string) *piped {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &piped{reader: reader, process: &process{cmd: u.command(args...), stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}}
	p.cmd.Stdout, p.cmd.Stderr = writer, p.stderr
	p.begin(t)
	_ = writer.Close()
	t.Cleanup(func() { _ = reader.Close() })
	return p
}

// A shell's own pipe and head, as people type it.
func TestStreamInAShell(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err) // the other tests need a POSIX system as well
	}
	s := serve(t, sampleListing(t, sample.Count), s3serve.Options{Latency: 20 * time.Millisecond})
	u := newUser(t, s.url)
	u.env = append(u.env, "PATH="+os.Getenv("PATH"), "RAMIFY="+binary)
	p := &process{cmd: exec.Command(shell, "-c", `"$RAMIFY" run s3://bucket/ --run r --out - --node prefix --concurrency 1 | head -5`), stdout: newTranscript(), stderr: newTranscript(), done: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = u.env, u.dir, p.stdout, p.stderr
	p.begin(t)
	r := p.wait(t)
	r.requireCode(t, 0) // that of head
	if strings.Count(r.stdout, "\n") != 5 || !strings.HasSuffix(r.stderr, "To go on:\n  ramify resume r\n") {
		t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
	}
}
