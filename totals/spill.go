package totals

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// runBlock is the size in bytes from which a block of a run on disk is ended.
const runBlock = 16 << 10

// spill makes room in the pile: it merges cursors into one run on disk. Those
// that were merged least often are first, but enough of them that the room is
// worth it: so a line is written a logarithmic number of times.
func (m *Merger) spill() error {
	all := m.open.pile
	counts := map[int]int{} // of cursors by rank
	for _, c := range all {
		counts[c.rank]++
	}
	rank, n := 0, counts[0]
	for n < (len(all)+1)/2 {
		rank++
		n += counts[rank]
	}
	if m.scratch == nil {
		s, err := newScratch()
		if err != nil {
			return err
		}
		m.scratch = s
	}
	chosen := make(pile, 0, n)
	m.open.pile = nil
	for _, c := range all {
		if c.rank <= rank {
			chosen = append(chosen, c)
		} else {
			m.open.pile = append(m.open.pile, c)
		}
	}
	run, err := m.scratch.write(chosen)
	if err != nil {
		return fmt.Errorf("merge on disk: %w", err)
	}
	run.rank = rank + 1
	m.open.pile = append(m.open.pile, run)
	heap.Init(&m.open.pile)
	return nil
}

// scratch is a temporary file of runs: blocks that follow one another, each
// after its length.
type scratch struct {
	file *os.File
	end  int64
}

func newScratch() (*scratch, error) {
	f, err := os.CreateTemp("", "ramify-totals-")
	if err != nil {
		return nil, fmt.Errorf("merge on disk: %w", err)
	}
	return &scratch{file: f}, nil
}

func (s *scratch) close() error { return errors.Join(s.file.Close(), os.Remove(s.file.Name())) }

// write merges what cursors have left, which is of one depth and not 0, into a
// run, and returns a cursor on its first line.
func (s *scratch) write(chosen pile) (*cursor, error) {
	heap.Init(&chosen)
	out := writer{depth: chosen[0].depth}
	from := s.end
	put := func() error {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(out.block)))
		b = append(b, out.block...)
		_, err := s.file.WriteAt(b, s.end)
		s.end += int64(len(b))
		out.block = out.block[:0]
		return err
	}
	g := gatherer{pile: chosen, give: func(c *cursor) error {
		out.write(c.prefix, &c.sums)
		if len(out.block) < runBlock {
			return nil
		}
		return put()
	}}
	if err := g.drain(nil); err != nil {
		return nil, err
	}
	if len(out.block) > 0 {
		if err := put(); err != nil {
			return nil, err
		}
	}
	run := &cursor{more: s.read(from, s.end)}
	_, err := run.next()
	return run, err
}

// read returns the blocks of a run one by one, each valid until the next.
func (s *scratch) read(from, end int64) func() ([]byte, error) {
	var length [4]byte
	var buf []byte
	return func() ([]byte, error) {
		if from == end {
			return nil, nil
		}
		if _, err := s.file.ReadAt(length[:], from); err != nil {
			return nil, err
		}
		n := int(binary.BigEndian.Uint32(length[:]))
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := s.file.ReadAt(buf, from+4); err != nil {
			return nil, err
		}
		from += int64(4 + n)
		return buf, nil
	}
}
