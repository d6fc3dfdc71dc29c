package ledger

import "math/bits"

// Slots is a set of slots 0 to 255 in 32 bytes.
type Slots [4]uint64

// Has reports whether slot i is in the set.
func (s *Slots) Has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// Add puts slot i into the set.
func (s *Slots) Add(i int) { s[i>>6] |= 1 << (i & 63) }

// Len is how many slots are in the set.
func (s *Slots) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Minus is the set of slots that are in s and not in t.
func (s Slots) Minus(t Slots) Slots {
	for i := range s {
		s[i] &^= t[i]
	}
	return s
}

// FirstSlots is the set of the slots 0 to n−1.
func FirstSlots(n int) (s Slots) {
	for i := range n {
		s.Add(i)
	}
	return s
}

// All yields the slots in order.
func (s Slots) All(yield func(int) bool) {
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			if !yield(i<<6 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}
