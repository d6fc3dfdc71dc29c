package totals

import (
	"math/bits"
	"strings"

	"github.com/ramify/ramify/inventory"
)

// Shape is how many objects of a listing there are by size and by depth. Shapes of two
// lists are added as their sums are.
type Shape struct {
	// Sizes are by powers of two: at 0 those of 0 bytes, at n those of 2ⁿ⁻¹ bytes or
	// more, and less than 2ⁿ.
	Sizes [64]SizeClass
	// Depths are by the prefixes behind the base that an object is in; the last one has
	// those that are deeper, too.
	Depths [64]int64
}

// SizeClass is the objects of a class of sizes.
type SizeClass struct{ Objects, Bytes int64 }

func (s *Shape) add(size int64, depth int) {
	c := &s.Sizes[bits.Len64(uint64(max(size, 0)))&63]
	c.Objects++
	c.Bytes += size
	s.Depths[min(depth, len(s.Depths)-1)]++
}

func (s *Shape) merge(other *Shape) {
	for i := range s.Sizes {
		s.Sizes[i].Objects += other.Sizes[i].Objects
		s.Sizes[i].Bytes += other.Sizes[i].Bytes
	}
	for i := range s.Depths {
		s.Depths[i] += other.Depths[i]
	}
}

// AddShape adds one object, which is in so many prefixes behind the base, to the shape.
// It goes with Add.
func (s *Sums) AddShape(o *inventory.Object, depth int) {
	if s.shape == nil {
		s.shape = &Shape{}
	}
	s.shape.add(o.Size, depth)
}

// depthBehind is how many prefixes a folder is down behind the base.
func depthBehind(base int, folder string) int { return strings.Count(folder[base:], "/") }

// append writes the classes that are not empty: how many, then each.
func (s *Shape) append(b []byte) []byte {
	sizes, depths := int64(0), int64(0)
	for i := range s.Sizes {
		if s.Sizes[i].Objects != 0 {
			sizes++
		}
	}
	for _, n := range s.Depths {
		if n != 0 {
			depths++
		}
	}
	b = appendInt(b, sizes)
	for i := range s.Sizes {
		if c := &s.Sizes[i]; c.Objects != 0 {
			b = appendInt(appendInt(appendInt(b, int64(i)), c.Objects), c.Bytes)
		}
	}
	b = appendInt(b, depths)
	for i, n := range s.Depths {
		if n != 0 {
			b = appendInt(appendInt(b, int64(i)), n)
		}
	}
	return b
}

func (s *Shape) read(r *reader) {
	at := func(most int) int {
		i := r.int()
		if i < 0 || i >= int64(most) {
			r.bad = true
			return 0
		}
		return int(i)
	}
	for n := r.int(); n > 0 && !r.bad; n-- {
		i := at(len(s.Sizes))
		s.Sizes[i] = SizeClass{Objects: r.int(), Bytes: r.int()}
	}
	for n := r.int(); n > 0 && !r.bad; n-- {
		i := at(len(s.Depths))
		s.Depths[i] = r.int()
	}
}
