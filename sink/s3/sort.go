package s3

import (
	"bufio"
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
)

// sortable is the bytes of blocks that are sorted in memory; more are sorted in
// temporary files, which are merged.
const sortable = 32 << 20

// sorter puts blocks into the order of their bytes.
type sorter struct {
	most   int // bytes in memory
	blocks [][]byte
	size   int
	file   *os.File // sorted runs, one after another; nil while there is none
	remove func() error
	runs   []run
	end    int64
}

// run is a range of the file.
type run struct{ off, length int64 }

// add keeps the block.
func (s *sorter) add(block []byte) error {
	s.blocks = append(s.blocks, block)
	if s.size += len(block) + 32; s.size < s.most { // a slice of its own, too
		return nil
	}
	return s.spill()
}

// spill writes what is in memory as a run.
func (s *sorter) spill() error {
	if s.file == nil {
		var err error
		if s.file, s.remove, err = temporary(); err != nil {
			return err
		}
	}
	slices.SortFunc(s.blocks, bytes.Compare)
	out := bufio.NewWriterSize(s.file, 256<<10)
	r := run{off: s.end}
	var framed []byte
	for _, b := range s.blocks {
		framed = frame(framed[:0], b)
		r.length += int64(len(framed))
		if _, err := out.Write(framed); err != nil {
			return fmt.Errorf("sort in a temporary file: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("sort in a temporary file: %w", err)
	}
	s.end += r.length
	s.runs = append(s.runs, r)
	clear(s.blocks)
	s.blocks, s.size = s.blocks[:0], 0
	return nil
}

// sorted yields all blocks in order.
func (s *sorter) sorted() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		slices.SortFunc(s.blocks, bytes.Compare)
		var heads merge
		sources := []func() ([]byte, error){s.held()}
		for _, r := range s.runs {
			sources = append(sources, newReader(io.NewSectionReader(s.file, r.off, r.length)).block)
		}
		for _, next := range sources {
			h := head{next: next}
			ok, err := h.advance()
			if err != nil {
				yield(nil, err)
				return
			}
			if ok {
				heads = append(heads, h)
			}
		}
		heap.Init(&heads)
		for len(heads) > 0 {
			if !yield(heads[0].block, nil) {
				return
			}
			switch ok, err := heads[0].advance(); {
			case err != nil:
				yield(nil, err)
				return
			case ok:
				heap.Fix(&heads, 0)
			default:
				heap.Pop(&heads)
			}
		}
	}
}

// held gives the blocks in memory, one a call.
func (s *sorter) held() func() ([]byte, error) {
	rest := s.blocks
	return func() ([]byte, error) {
		if len(rest) == 0 {
			return nil, nil
		}
		b := rest[0]
		rest = rest[1:]
		return b, nil
	}
}

func (s *sorter) close() error {
	if s.file == nil {
		return nil
	}
	return s.remove()
}

// head is the next block of a sorted run.
type head struct {
	next  func() ([]byte, error)
	block []byte
}

func (h *head) advance() (ok bool, err error) {
	h.block, err = h.next()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("a temporary file was cut off: %w", err)
	}
	return h.block != nil, err
}

// merge is the heads of runs, the smallest first.
type merge []head

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return bytes.Compare(m[i].block, m[j].block) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(head)) }
func (m *merge) Pop() any {
	last := len(*m) - 1
	h := (*m)[last]
	*m = (*m)[:last]
	return h
}
