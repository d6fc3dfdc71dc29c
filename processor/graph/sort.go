package graph

import (
	"bufio"
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/ramify/ramify/processor"
)

// sortable is the bytes of lines that are sorted in memory, without what keeps them;
// more are sorted in runs on disk, which are merged.
const sortable = 32 << 20

// sorter sorts lines and drops those that are there twice.
type sorter struct {
	most  int
	lines [][]byte
	arena []byte
	size  int
	file  *os.File // of runs, one after another; nil while there is none
	runs  []run
	end   int64
}

// run is a range of the file that is sorted.
type run struct{ off, length int64 }

func (s *sorter) add(a, b string) error {
	if need := len(a) + len(b) + 2; cap(s.arena)-len(s.arena) < need {
		s.arena = make([]byte, 0, max(64<<10, need))
	}
	begin := len(s.arena)
	s.arena = append(key(s.arena, a, b), '\n')
	line := s.arena[begin:]
	s.lines = append(s.lines, line)
	if s.size += len(line) + 24; s.size < s.most { // a slice of its own, too
		return nil
	}
	return s.spill()
}

// sorted sorts the lines in memory.
func (s *sorter) sorted() [][]byte {
	slices.SortFunc(s.lines, compare)
	return slices.CompactFunc(s.lines, bytes.Equal)
}

// compare orders lines by what they say, not by how they end.
func compare(a, b []byte) int { return bytes.Compare(a[:len(a)-1], b[:len(b)-1]) }

// spill writes what is in memory as a run.
func (s *sorter) spill() error {
	if s.file == nil {
		var err error
		if s.file, err = temporary(); err != nil {
			return err
		}
	}
	out := bufio.NewWriterSize(s.file, 256<<10)
	r := run{off: s.end}
	for _, line := range s.sorted() {
		n, _ := out.Write(line) // Flush says what went wrong
		r.length += int64(n)
	}
	if err := out.Flush(); err != nil {
		return processor.Trouble(fmt.Errorf("sort edges in a temporary file: %w", err))
	}
	s.runs = append(s.runs, r)
	s.end += r.length
	s.lines, s.arena, s.size = s.lines[:0], nil, 0
	return nil
}

// finish makes the index of all lines that were added.
func (s *sorter) finish() (*index, error) {
	if s.file == nil || len(s.lines) > 0 {
		if err := s.spill(); err != nil {
			return nil, err
		}
	}
	if len(s.runs) == 1 {
		x := &index{file: s.file, size: s.end}
		s.file = nil
		return x, nil
	}
	defer s.drop()
	return s.merge()
}

// drop forgets the runs.
func (s *sorter) drop() {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}

func (s *sorter) merge() (_ *index, err error) {
	to, err := temporary()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = to.Close()
		}
	}()
	out := bufio.NewWriterSize(to, 256<<10)
	var open heads
	for _, r := range s.runs {
		h := &head{lines: bufio.NewReaderSize(io.NewSectionReader(s.file, r.off, r.length), 64<<10)}
		if err := h.next(); err != nil {
			return nil, err
		}
		open = append(open, h)
	}
	heap.Init(&open)
	var last []byte
	size := int64(0)
	for len(open) > 0 {
		h := open[0]
		if !bytes.Equal(h.line, last) {
			last = append(last[:0], h.line...)
			n, _ := out.Write(last)
			size += int64(n)
		}
		switch err := h.next(); {
		case errors.Is(err, io.EOF):
			heap.Pop(&open)
		case err != nil:
			return nil, processor.Trouble(fmt.Errorf("merge edges: %w", err))
		default:
			heap.Fix(&open, 0)
		}
	}
	if err := out.Flush(); err != nil {
		return nil, processor.Trouble(fmt.Errorf("write index of edges: %w", err))
	}
	return &index{file: to, size: size}, nil
}

// head is the first line of a run that is not merged yet.
type head struct {
	lines *bufio.Reader
	line  []byte // until next
}

func (h *head) next() (err error) {
	h.line, err = h.lines.ReadSlice('\n')
	return err
}

type heads []*head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return compare(h[i].line, h[j].line) < 0 }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(x any)        { *h = append(*h, x.(*head)) }
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// temporary is a file of this process alone: it has no name any more, so that
// nothing is left of it however the process ends.
func temporary() (*os.File, error) {
	f, err := os.CreateTemp("", "ramify-edges-")
	if err != nil {
		return nil, processor.Trouble(fmt.Errorf("make a temporary file: %w", err))
	}
	_ = os.Remove(f.Name()) // where that cannot be, the system's own cleaning finds it
	return f, nil
}
