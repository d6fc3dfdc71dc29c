package keys

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/ramify/ramify/s3serve/sample"
)

// Debian is the tree of real keys: the lines of the file at source, which xz may
// have packed. Without one it is the committed sample and, beside it, the files
// of this machine's Go module cache; such a tree differs between machines.
func Debian(source string) (*List, error) {
	if source != "" {
		if _, err := os.Stat(source); err != nil {
			return nil, fmt.Errorf("find keys: %w", err)
		}
		return &List{
			Name: "debian", About: "the keys of " + filepath.Base(source),
			keys: func(yield func(string) bool) error { return fileKeys(source, yield) },
		}, nil
	}
	out, err := exec.CommandContext(context.Background(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("find module cache: %w", err)
	}
	cache := strings.TrimSpace(string(out))
	return &List{
		Name: "debian", About: "the committed sample and this machine's module cache",
		keys: func(yield func(string) bool) error {
			more := true
			err := sampleKeys(func(key string) bool {
				more = yield(key)
				return more
			})
			if err != nil || !more {
				return err
			}
			return folderKeys(cache, yield)
		},
	}, nil
}

// releases is the tree four times, as if a bucket kept as many releases.
func releases(source string) (*List, error) {
	tree, err := Debian(source)
	if err != nil {
		return nil, err
	}
	return &List{
		Name: "releases", About: "four times " + tree.About,
		keys: func(yield func(string) bool) error {
			more := true
			for _, release := range []string{"bookworm/", "bullseye/", "buster/", "trixie/"} {
				err := tree.keys(func(key string) bool {
					more = yield(release + key)
					return more
				})
				if err != nil || !more {
					return err
				}
			}
			return nil
		},
	}, nil
}

func sampleList() *List {
	return &List{Name: "sample", About: "20,000 keys of the Debian tree", keys: sampleKeys}
}

func sampleKeys(yield func(string) bool) error {
	all, err := sample.Keys()
	for _, key := range all {
		if !yield(key) {
			break
		}
	}
	return err
}

var xzMagic = []byte("\xfd7zXZ\x00")

// fileKeys unpacks with the xz command: the standard library knows no xz, and a
// dependency for one file would not earn its place.
func fileKeys(path string, yield func(string) bool) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	in := bufio.NewReader(f)
	head, err := in.Peek(len(xzMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.Equal(head, xzMagic) {
		return lineKeys(in, yield)
	}
	unpack := exec.CommandContext(context.Background(), "xz", "-dc", "--", path)
	unpack.Stderr = os.Stderr
	out, err := unpack.StdoutPipe()
	if err != nil {
		return err
	}
	if err := unpack.Start(); err != nil {
		return fmt.Errorf("unpack %s: %w", path, err)
	}
	if err := lineKeys(out, yield); err != nil {
		_ = unpack.Process.Kill()
		return errors.Join(err, unpack.Wait())
	}
	return unpack.Wait()
}

func lineKeys(r io.Reader, yield func(string) bool) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if lines.Text() != "" && !yield(lines.Text()) {
			_, err := io.Copy(io.Discard, r) // or who writes would be said to have failed
			return err
		}
	}
	return lines.Err()
}

// folderKeys yields what can be a key; what cannot be read is not in the bucket.
func folderKeys(dir string, yield func(string) bool) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			key := "mod" + filepath.ToSlash(strings.TrimPrefix(path, dir))
			if utf8.ValidString(key) && len(key) <= 1024 && !yield(key) {
				return fs.SkipAll
			}
		}
		return nil
	})
}
