package s3crawl

import (
	"iter"
	"math/bits"
)

// maxBound is the longest string to cut at, in bytes: with room to spare below
// the 1,024 bytes of a key.
const maxBound = 1020

// position is where in a key a byte stands: keys of one kind have the same
// alphabet at the same position.
type position struct{ level, offset uint8 } // number of '/' before; bytes since the last

const lastPosition = 250 // further ones are taken as one, to bound memory

func (p position) after(b byte) position {
	if b == '/' {
		return position{level: min(p.level+1, lastPosition)}
	}
	return position{p.level, min(p.offset+1, lastPosition)}
}

func positionOf(s string) (p position) {
	for i := range len(s) {
		p = p.after(s[i])
	}
	return p
}

// positions is the position of each byte of a key.
func positions(key string) []position {
	at := make([]position, len(key)+1)
	for i := range len(key) {
		at[i+1] = at[i].after(key[i])
	}
	return at
}

// set is a set of bytes.
type set [4]uint64

func (s *set) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *set) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

func (s *set) join(t *set) {
	for i := range s {
		s[i] |= t[i]
	}
}

// between is the bytes above lo and below hi.
func between(lo, hi int) (s set) {
	for i := range s {
		from, to := min(max(lo+1-i<<6, 0), 64), min(max(hi-i<<6, 0), 64)
		if from < to {
			s[i] = ^uint64(0) << from & (^uint64(0) >> (64 - to))
		}
	}
	return s
}

// rank is how many bytes come before one.
func (s *set) rank(b byte) (n int) {
	for _, w := range s[:b>>6] {
		n += bits.OnesCount64(w)
	}
	return n + bits.OnesCount64(s[b>>6]&(1<<(b&63)-1))
}

func (s *set) len() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// all yields the bytes in order.
func (s *set) all() iter.Seq[byte] {
	return func(yield func(byte) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(byte(i<<6 + bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}
