package s3crawl

import "math/bits"

// maxBound is the longest string to cut at, in bytes: with room to spare below
// the 1,024 bytes of a key.
const maxBound = 1020

// position is where in a key a byte stands: keys of one kind have the same
// alphabet at the same position.
type position struct{ level, offset uint8 } // number of '/' before; bytes since the last

const lastPosition = 63 // further ones are taken as one, to bound memory

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

// alphabet is which bytes were seen at a position, and of groups of keys that
// have all before the position in common, how many differ there.
type alphabet struct {
	set
	same, differ float32
}

// varies is how likely keys differ here.
func (a alphabet) varies() float64 { return float64(a.differ+1) / float64(a.same+a.differ+1) }

// set is a set of bytes.
type set [4]uint64

func (s *set) add(b byte)     { s[b>>6] |= 1 << (b & 63) }
func (s set) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

func (s set) or(t set) set {
	for i := range s {
		s[i] |= t[i]
	}
	return s
}

func (s set) len() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// within is how many bytes from ≤ b < to are in the set.
func (s set) within(from, to int) (n int) {
	for b := from; b < to; b++ {
		if s.has(byte(b)) {
			n++
		}
	}
	return n
}

// lowest is the smallest byte, 256 if there is none.
func (s set) lowest() int {
	for i, w := range s {
		if w != 0 {
			return i<<6 + bits.TrailingZeros64(w)
		}
	}
	return 256
}

// numeric reports whether all bytes are hexadecimal digits of one case.
func (s set) numeric() bool {
	const digits = 0x3FF << '0'
	upper, lower := uint64(0x3F<<('A'&63)), uint64(0x3F<<('a'&63))
	if s[2] != 0 || s[3] != 0 || s[0]&^digits != 0 {
		return false
	}
	return s[1]&^upper == 0 || s[1]&^lower == 0
}
