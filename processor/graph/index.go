package graph

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// index is a list of edges sorted by its vertices, in a file: a line for each edge
// and direction, its two vertices with a zero byte between them. It is found in by
// halving, with a few reads whatever its size.
//
// A vertex to which edges only lead has a line without a second vertex, so that all
// are in it.
type index struct {
	file *os.File
	size int64
}

// window is the bytes read at a time; a line is shorter.
const window = 8 << 10

// has reports whether a vertex is in the list.
func (x *index) has(vertex string) (found bool, err error) {
	err = x.from(vertex, "", func(a, _ string) bool {
		found = a == vertex
		return false
	})
	return found, err
}

// neighbours is up to n of the vertices that edges of a vertex lead to, in order,
// behind one; and whether there are more.
func (x *index) neighbours(vertex, after string, n int) (all []string, more bool, err error) {
	err = x.from(vertex, after, func(a, b string) bool {
		switch {
		case a != vertex:
			return false
		case b <= after: // also the mark of a vertex without any
			return true
		case len(all) == n:
			more = true
			return false
		}
		all = append(all, b)
		return true
	})
	return all, more, err
}

// from calls each for the edges from one on, in order, until it returns false.
func (x *index) from(a, b string, each func(a, b string) bool) error {
	begin := key(nil, a, b)
	off, err := x.seek(begin)
	if err != nil {
		return fmt.Errorf("look into index of edges: %w", err)
	}
	lines := bufio.NewReaderSize(io.NewSectionReader(x.file, off, x.size-off), window)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read index of edges: %w", err)
		}
		line = line[:len(line)-1]
		if bytes.Compare(line, begin) < 0 {
			continue
		}
		if a, b, _ := strings.Cut(string(line), "\x00"); !each(a, b) {
			return nil
		}
	}
}

// seek is where the last line before a key begins, or an earlier one that is near.
func (x *index) seek(key []byte) (int64, error) {
	lo, hi := int64(0), x.size
	var room [window]byte
	for hi-lo > window {
		mid := lo + (hi-lo)/2
		n, err := x.file.ReadAt(room[:], mid)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		_, rest, _ := bytes.Cut(room[:n], []byte("\n"))
		start := mid + int64(n-len(rest))
		line, _, whole := bytes.Cut(rest, []byte("\n"))
		switch {
		case start >= hi || !whole:
			hi = mid
		case bytes.Compare(line, key) < 0:
			lo = start
		default:
			hi = mid
		}
	}
	return lo, nil
}

func (x *index) close() error { return x.file.Close() }

// key appends the line of an edge, without its end.
func key(line []byte, a, b string) []byte {
	line = append(line, a...)
	line = append(line, 0)
	return append(line, b...)
}
