package totals

import (
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"iter"
)

// maxOpen is how many blocks that overlap are open at a time; more are merged on
// disk first.
const maxOpen = 1024

// Merger makes the lines of a listing of its blocks.
//
// Memory: the blocks that overlap where it stands, at most maxOpen (of stretches
// two or three, of those of 4 KB of a Loose as many as there were Takes), which
// is bounded whatever the number of keys, prefixes and blocks.
type Merger struct {
	blocks iter.Seq2[[]byte, error]
	most   int // maxOpen, but in tests

	open    gatherer
	latest  cursor // the first line of the block that was opened last
	scratch *scratch
	base    []byte
	based   bool   // base is known
	first   []byte // key of the last stretch
	last    []byte // and its last, or that of one before
	loose   bool
	counted int64 // prefixes, by stretches
	lines   int64 // besides that of the base
}

// Merge reads blocks, in the order of their bytes, when the lines are asked for.
func Merge(blocks iter.Seq2[[]byte, error]) *Merger { return &Merger{blocks: blocks, most: maxOpen} }

// Prefixes is how many distinct prefixes behind the base there are, at all
// depths, also those that have no line. It is known when Lines has ended.
func (m *Merger) Prefixes() int64 {
	if m.loose {
		return m.lines
	}
	return m.counted
}

// errStopped is that the reader of the lines wants no more.
var errStopped = errors.New("stopped")

// Lines yields every line once, in the order of depth, then prefix; after an
// error no more. Call it once. Errors are those of the blocks' reader, or wrap
// ErrBlock.
func (m *Merger) Lines() iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		m.open.give = func(c *cursor) error {
			if c.depth > 0 {
				m.lines++
			}
			if !yield(Line{Prefix: string(c.prefix), Depth: c.depth, Sums: c.sums.clone()}, nil) {
				return errStopped
			}
			return nil
		}
		err := m.merge()
		if m.scratch != nil {
			err = errors.Join(err, m.scratch.close())
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(Line{}, fmt.Errorf("merge totals: %w", err))
		}
	}
}

func (m *Merger) merge() error {
	for block, err := range m.blocks {
		if err != nil {
			return err
		}
		if err := m.take(block); err != nil {
			return err
		}
	}
	return m.open.drain(nil)
}

// take opens a block after all lines before its first are done.
func (m *Merger) take(block []byte) error {
	c := m.open.cursor()
	first, err := c.open(block)
	if err != nil {
		return err
	}
	if c.depth == 0 {
		if err := m.count(c, first); err != nil {
			return err
		}
	}
	if _, err := c.next(); err != nil {
		return err
	}
	if c.before(&m.latest) {
		return fmt.Errorf("block of %q after that of %q: %w", c.prefix, m.latest.prefix, ErrBlock)
	}
	m.latest.depth, m.latest.prefix = c.depth, append(m.latest.prefix[:0], c.prefix...)
	if err := m.open.drain(c); err != nil {
		return err
	}
	heap.Push(&m.open.pile, c)
	if len(m.open.pile) >= m.most {
		return m.spill()
	}
	return nil
}

// count takes what a stretch says of its keys.
func (m *Merger) count(c *cursor, first []byte) error {
	s := &c.stretch
	if s.base < 0 || s.base > int64(len(first)) || s.base > int64(len(s.last)) || bytes.Compare(first, s.last) > 0 {
		return fmt.Errorf("stretch of %q: %w", first, ErrBlock)
	}
	if !m.based {
		m.based, m.base = true, bytes.Clone(first[:s.base])
	} else if !bytes.Equal(m.base, first[:s.base]) {
		return fmt.Errorf("keys below %q and below %q: %w", m.base, first[:s.base], ErrBlock)
	}
	if s.loose {
		m.loose = true
		return nil
	}
	m.counted += s.prefixes
	if m.last != nil {
		// Versions of one key may be in several stretches, which then meet in it, or
		// are all of it: neighbours in no order.
		both := first
		var again bool
		if bytes.Equal(first, m.first) {
			again = !bytes.Equal(first, s.last) && !bytes.Equal(first, m.last)
		} else {
			both = first[:common(m.last, first)] // two neighbours have the prefixes therein in common
			again = bytes.Compare(first, m.last) < 0
		}
		if again {
			return fmt.Errorf("keys up to %q were counted, and again from %q: %w", m.last, first, ErrBlock)
		}
		m.counted -= int64(bytes.Count(both[min(len(both), len(m.base)):], []byte{'/'}))
	}
	m.first = append(m.first[:0], first...)
	if bytes.Compare(s.last, m.last) > 0 || m.last == nil {
		m.last = append(m.last[:0], s.last...)
	}
	return nil
}
