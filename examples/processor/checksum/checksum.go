// Package checksum is a processor to begin one's own from: it walks a tree of
// folders and writes the checksum of each file.
package checksum

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/sink"
)

// Kind of Processor.
const Kind = "checksum"

// Processor processes folders. A node's ID is the path of one, and its children are
// the folders in it. Each file is a row.
type Processor struct{}

var _ processor.Processor = Processor{}

// args are a node's. Root and children have the same.
type args struct {
	Pattern string `json:"pattern"` // of file names; "" is all
}

// row is what is written of a file.
type row struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Process is called for each node, from many goroutines. An error is tried again,
// unless it is marked Permanent; what a failed attempt wrote does not count.
func (Processor) Process(ctx context.Context, n *processor.Node, out processor.Out) error {
	var a args
	if len(n.Args) > 0 {
		if err := json.Unmarshal(n.Args, &a); err != nil {
			return processor.Permanent(fmt.Errorf("read args: %w", err))
		}
	}
	entries, err := os.ReadDir(n.ID)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return processor.Permanent(err)
	}
	if err != nil {
		return err
	}
	var rows []byte
	written := 0
	for _, e := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx) // the task stops, or another has the node
		}
		path := filepath.Join(n.ID, e.Name())
		if e.IsDir() {
			if err := out.Child(processor.Child{ID: path, Args: n.Args}); err != nil {
				return err
			}
			continue
		}
		if wanted, err := a.wants(e); err != nil {
			return processor.Permanent(err)
		} else if !wanted {
			continue
		}
		text, size, err := sum(path)
		if err != nil {
			return err
		}
		rows = append(append(rows, text...), '\n')
		written++
		out.Count(1, size)
	}
	return out.Write(sink.Rows, rows, written) // also where there are none
}

func (a args) wants(e fs.DirEntry) (bool, error) {
	if !e.Type().IsRegular() || a.Pattern == "" {
		return e.Type().IsRegular(), nil
	}
	matches, err := filepath.Match(a.Pattern, e.Name())
	if err != nil {
		return false, fmt.Errorf("pattern is %q: %w", a.Pattern, err)
	}
	return matches, nil
}

// sum is the row of one file.
func sum(path string) (text []byte, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return nil, 0, err
	}
	text, err = json.Marshal(row{path, size, hex.EncodeToString(h.Sum(nil))})
	return text, size, err
}
