package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ramify/ramify/bench/keys"
	"github.com/ramify/ramify/bench/peer"
	"github.com/ramify/ramify/inventory"
)

// contestant is one that lists a whole bucket into files.
type contestant struct {
	name, about string
	fails       func(list string) bool // known to, and no reason for alarm
	// command is what to call, in an empty folder.
	command func(dir, endpoint string) []string
	// check compares what was written with the truth.
	check func(dir, output string, truth *keys.Truth) error
}

// ramify is what this repository holds, durable: results and state on disk.
func (s *shop) ramify() contestant {
	return contestant{
		name:  "ramify",
		about: "`ramify run --format keys`, 64 in flight, state and results on disk, every commit fsynced",
		command: func(dir, _ string) []string {
			return []string{
				s.path("ramify"), "run", "s3://" + peer.Bucket + "/", "--state", filepath.Join(dir, "state"),
				"--out", filepath.Join(dir, "out"), "--format", "keys", "--concurrency", strconv.Itoa(inFlight),
			}
		},
		check: func(dir, _ string, truth *keys.Truth) error {
			if _, err := os.Stat(filepath.Join(dir, "out", inventory.ManifestName)); err != nil {
				return err
			}
			files, err := filepath.Glob(filepath.Join(dir, "out", "data", "*"+inventory.Keys.Ext()))
			if err != nil {
				return err
			}
			var got keys.Digest
			for _, name := range files {
				if err := digestInventory(name, &got); err != nil {
					return err
				}
			}
			return same(got, truth.Keys)
		},
	}
}

func digestInventory(name string, got *keys.Digest) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for o, err := range inventory.Keys.Layout().Read(f) {
		if err != nil {
			return err
		}
		got.Add([]byte(o.Key))
	}
	return nil
}

// peerContestant prints keys to standard output, as they are.
func peerContestant(b *testing.B, t peer.Tool) contestant {
	b.Helper()
	program := peerPath(b, t.Binary())
	return contestant{
		name: t.Name, about: t.About, fails: t.Fails,
		command: func(_, endpoint string) []string { return append([]string{program}, t.Args(endpoint)...) },
		check: func(_, output string, truth *keys.Truth) error {
			f, err := os.Open(output)
			if err != nil {
				return err
			}
			defer f.Close()
			var got keys.Digest
			lines := bufio.NewScanner(f)
			lines.Split(scanLines)
			for lines.Scan() {
				key, err := t.Key(lines.Bytes())
				if err != nil {
					return err
				}
				got.Add(key)
			}
			if err := lines.Err(); err != nil {
				return err
			}
			return same(got, truth.Lines)
		},
	}
}

// scanLines is [bufio.ScanLines] for keys that may end in \r.
func scanLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

func same(got, want keys.Digest) error {
	switch {
	case got == want:
		return nil
	case got.Count != want.Count:
		return fmt.Errorf("wrong output: %d keys or lines, want %d", got.Count, want.Count)
	}
	return fmt.Errorf("wrong output: as many as there are, %d, but not the same", got.Count)
}
