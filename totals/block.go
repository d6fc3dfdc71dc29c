package totals

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// A block is, in this order,
//
//	depth      2 bytes, the more significant first
//	first      key: of the first line's prefix; at depth 0 the first key counted
//	at depth 0 only, of which a block has one line:
//	  loose    1 byte: 0, the keys from first to last are a stretch without gaps,
//	           which no other block has a part in; 1, they are not
//	  last     key: the last one counted
//	  base     int: bytes of the base
//	  prefixes int: distinct ones of the stretch, of all depths
//	lines, each
//	  same     int: bytes in common with the prefix before; of the first, with first
//	  rest     int, and so many bytes
//	  sums     Sums.append
//
// where int is a varint without sign and key is text with 0 written as 0 255,
// and 0 1 behind it: the order of keys so written is that of the texts, also
// where other bytes follow.

func appendInt(b []byte, n int64) []byte { return binary.AppendUvarint(b, uint64(n)) }

func appendKey[T string | []byte](b []byte, key T) []byte {
	for i := range len(key) {
		if b = append(b, key[i]); key[i] == 0 {
			b = append(b, 255)
		}
	}
	return append(b, 0, 1)
}

// appendHead appends depth and first: what blocks are sorted by.
func appendHead[T string | []byte](b []byte, depth int, first T) []byte {
	return appendKey(binary.BigEndian.AppendUint16(b, uint16(depth)), first)
}

func appendLine(b []byte, before, prefix []byte, s *Sums) []byte {
	same := common(before, prefix)
	b = appendInt(appendInt(b, int64(same)), int64(len(prefix)-same))
	return s.append(append(b, prefix[same:]...))
}

// common is how many bytes two texts have in common at their beginning.
func common[T, U string | []byte](a T, b U) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// reader takes an encoding apart. It reads zeros once something was bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) int() int64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > math.MaxInt64 { // counts and lengths: none is negative
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int64(v)
}

func (r *reader) take(n int64) []byte {
	if n < 0 || n > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

// key appends a key to into.
func (r *reader) key(into []byte) []byte {
	for {
		i := bytes.IndexByte(r.b, 0)
		if i < 0 || i+1 == len(r.b) || r.b[i+1] != 1 && r.b[i+1] != 255 {
			r.bad, r.b = true, nil
			return into
		}
		into = append(into, r.b[:i]...)
		end := r.b[i+1] == 1
		r.b = r.b[i+2:]
		if end {
			return into
		}
		into = append(into, 0)
	}
}

func (r *reader) head(into []byte) (depth int, first []byte) {
	if d := r.take(2); d != nil {
		depth = int(binary.BigEndian.Uint16(d))
	}
	return depth, r.key(into)
}

// stretch is what the block of depth 0 says of the keys that were counted.
type stretch struct {
	loose    bool
	last     []byte
	base     int64
	prefixes int64
}

func (s *stretch) append(b []byte) []byte {
	loose := byte(0)
	if s.loose {
		loose = 1
	}
	b = appendKey(append(b, loose), s.last)
	return appendInt(appendInt(b, s.base), s.prefixes)
}

func (s *stretch) read(r *reader) {
	flag := r.take(1)
	s.loose = len(flag) > 0 && flag[0] == 1
	s.last = r.key(s.last[:0])
	s.base, s.prefixes = r.int(), r.int()
}

// cursor reads the lines of a block, or of several that follow one another.
type cursor struct {
	depth   int
	prefix  []byte // of the line it stands on
	sums    Sums
	stretch stretch // at depth 0

	rest reader
	more func() (block []byte, err error) // the next one, of this depth; nil at the end
	rank int                              // of a run on disk
}

// open places the cursor before the first line of a block, whose first prefix
// or key it returns.
func (c *cursor) open(block []byte) (first []byte, err error) {
	c.rest = reader{b: block}
	c.depth, c.prefix = c.rest.head(c.prefix[:0])
	if c.depth == 0 {
		c.stretch.read(&c.rest)
	}
	if c.rest.bad || len(c.rest.b) == 0 {
		return nil, fmt.Errorf("read block of %d bytes: %w", len(block), ErrBlock)
	}
	return c.prefix, nil
}

// next moves to the next line; false at the end.
func (c *cursor) next() (bool, error) {
	for len(c.rest.b) == 0 {
		if c.more == nil {
			return false, nil
		}
		block, err := c.more()
		if err != nil || block == nil {
			return false, err
		}
		if _, err := c.open(block); err != nil {
			return false, err
		}
	}
	r := &c.rest
	same := r.int()
	rest := r.take(r.int())
	c.sums.read(r)
	if r.bad || same < 0 || same > int64(len(c.prefix)) {
		return false, fmt.Errorf("read line after %q: %w", c.prefix, ErrBlock)
	}
	c.prefix = append(c.prefix[:same], rest...)
	return true, nil
}

// before reports whether the line of c comes before that of d.
func (c *cursor) before(d *cursor) bool {
	if c.depth != d.depth {
		return c.depth < d.depth
	}
	return bytes.Compare(c.prefix, d.prefix) < 0
}

// writer makes a block of the lines of one depth, in order.
type writer struct {
	depth int
	block []byte // empty: nothing was written since the last reset
	last  []byte // prefix
}

func (w *writer) write(prefix []byte, s *Sums) {
	if len(w.block) == 0 {
		w.block = appendHead(w.block, w.depth, prefix)
		w.last = append(w.last[:0], prefix...)
	}
	w.block = appendLine(w.block, w.last, prefix, s)
	w.last = append(w.last[:0], prefix...)
}
