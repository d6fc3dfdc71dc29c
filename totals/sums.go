package totals

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ramify/ramify/inventory"
)

// Sums are what is known of a set of objects.
type Sums struct {
	Objects int64
	Bytes   int64
	Classes []Class // that occur, each once; sorted by name in the lines of Merge

	newest int64 // milliseconds since the zero time; 0 if unknown
}

// Class is what of a set of objects is in one storage class.
type Class struct {
	Name    string // as S3 says it; "" where it was not said
	Objects int64
	Bytes   int64
}

// zeroTime is time.Time{} in milliseconds since 1970.
const zeroTime = -62135596800000

// Newest is the latest modification to the millisecond, in UTC; zero if it is
// known of no object.
func (s *Sums) Newest() time.Time { return time.UnixMilli(s.newest + zeroTime).UTC() }

// Add adds one object.
func (s *Sums) Add(o *inventory.Object) {
	s.Objects++
	s.Bytes += o.Size
	s.newest = max(s.newest, o.LastModified.UnixMilli()-zeroTime)
	c := s.class(o.StorageClass)
	c.Objects++
	c.Bytes += o.Size
}

// Merge adds what is in other.
func (s *Sums) Merge(other *Sums) {
	s.Objects += other.Objects
	s.Bytes += other.Bytes
	s.newest = max(s.newest, other.newest)
	for i := range other.Classes {
		c := s.class(other.Classes[i].Name)
		c.Objects += other.Classes[i].Objects
		c.Bytes += other.Classes[i].Bytes
	}
}

// class is the part of a class, which has a part from then on. There are a
// handful at most.
func (s *Sums) class(name string) *Class {
	for i := range s.Classes {
		if s.Classes[i].Name == name {
			return &s.Classes[i]
		}
	}
	s.Classes = append(s.Classes, Class{Name: lasting(name)})
	return &s.Classes[len(s.Classes)-1]
}

// reset makes the sums nothing and keeps the room for classes.
func (s *Sums) reset() { *s = Sums{Classes: s.Classes[:0]} }

// clone is sums that share nothing, classes sorted.
func (s *Sums) clone() Sums {
	own := *s
	own.Classes = slices.Clone(s.Classes)
	slices.SortFunc(own.Classes, func(a, b Class) int { return cmp.Compare(a.Name, b.Name) })
	return own
}

// classNames are written as their place here, and not cloned: most objects are
// in one of them. The list may grow at its end and nowhere else.
//
// Source: Amazon S3 API Reference, "ListObjectsV2", type Object.
var classNames = []string{
	"", "STANDARD", "REDUCED_REDUNDANCY", "GLACIER", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING",
	"DEEP_ARCHIVE", "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP",
}

// lasting is a name that does not keep the page it came with in memory.
func lasting(name string) string {
	if i := slices.Index(classNames, name); i >= 0 {
		return classNames[i]
	}
	return strings.Clone(name)
}

// append appends the sums in their encoding. The classes' part is short where
// there is one, which has all.
func (s *Sums) append(b []byte) []byte {
	b = appendInt(appendInt(appendInt(b, s.Objects), s.Bytes), s.newest)
	b = appendInt(b, int64(len(s.Classes)))
	for i := range s.Classes {
		c := &s.Classes[i]
		if at := slices.Index(classNames, c.Name); at >= 0 {
			b = appendInt(b, int64(at))
		} else {
			b = appendInt(b, int64(len(classNames)+len(c.Name)))
			b = append(b, c.Name...)
		}
		if len(s.Classes) > 1 {
			b = appendInt(appendInt(b, c.Objects), c.Bytes)
		}
	}
	return b
}

// read reads what append has written.
func (s *Sums) read(r *reader) {
	s.reset()
	s.Objects, s.Bytes, s.newest = r.int(), r.int(), r.int()
	n := r.int()
	for range n {
		var name string
		switch at := r.int(); {
		case at < 0:
			r.bad = true
		case at < int64(len(classNames)):
			name = classNames[at]
		default:
			name = string(r.take(at - int64(len(classNames))))
		}
		if r.bad {
			return
		}
		c := s.class(name)
		if n == 1 {
			c.Objects, c.Bytes = s.Objects, s.Bytes
		} else {
			c.Objects, c.Bytes = r.int(), r.int()
		}
	}
}
