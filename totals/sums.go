package totals

import (
	"cmp"
	"math"
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

	took  int64  // microseconds that it took to find them
	shape *Shape // nil: not known; of the line of all there is, no other

	digests  *Digests // nil: of none
	digested int64    // objects that are in them
}

// Took is for how long somebody worked to find the objects: of each request, divided
// evenly over the objects that it brought. What a set took is the sum of what its parts
// took.
func (s *Sums) Took() time.Duration { return time.Duration(s.took) * time.Microsecond }

// Spend adds to what the objects took; less than a microsecond is dropped.
func (s *Sums) Spend(d time.Duration) { s.took += d.Microseconds() }

// Took is the size of a line by which a Top may choose.
func Took(l *Line) int64 { return l.took }

// Shape is how many objects there are by size and by depth. It is known of all there
// is, and of no part: nil otherwise, and where none was made.
func (s *Sums) Shape() *Shape { return s.shape }

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
	s.Bytes = plus(s.Bytes, o.Size)
	s.newest = max(s.newest, o.LastModified.UnixMilli()-zeroTime)
	c := s.class(o.StorageClass)
	c.Objects++
	c.Bytes = plus(c.Bytes, o.Size)
}

// plus is the sum of two counts, which ends at what an int64 holds: sizes are what
// others say, and a total that turned negative would say nothing.
func plus(a, b int64) int64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return math.MaxInt64
}

// AddDigest adds one object to the digests, its key without its first base bytes.
// It goes with Add: the digests are known where all objects are in them.
func (s *Sums) AddDigest(o *inventory.Object, base int) { s.addDigest(o, base, nil) }

// addDigest is AddDigest with a buffer to be used again.
func (s *Sums) addDigest(o *inventory.Object, base int, buf []byte) []byte {
	one, buf := digestOf(o, base, buf)
	s.mergeDigests(&one, 1)
	return buf
}

func (s *Sums) mergeDigests(d *Digests, objects int64) {
	if s.digests == nil {
		s.digests = &Digests{}
	}
	*s.digests = s.digests.Plus(*d)
	s.digested += objects
}

// Digests are those of the objects; false if they were not made of all of them.
func (s *Sums) Digests() (Digests, bool) {
	if s.digests == nil {
		return Digests{}, s.Objects == 0
	}
	return *s.digests, s.digested == s.Objects
}

// Merge adds what is in other.
func (s *Sums) Merge(other *Sums) {
	s.Objects = plus(s.Objects, other.Objects)
	s.Bytes = plus(s.Bytes, other.Bytes)
	s.newest = max(s.newest, other.newest)
	s.took += other.took
	if other.shape != nil {
		if s.shape == nil {
			s.shape = &Shape{}
		}
		s.shape.merge(other.shape)
	}
	for i := range other.Classes {
		c := s.class(other.Classes[i].Name)
		c.Objects = plus(c.Objects, other.Classes[i].Objects)
		c.Bytes = plus(c.Bytes, other.Classes[i].Bytes)
	}
	if other.digests != nil {
		s.mergeDigests(other.digests, other.digested)
	}
}

// maxClasses bounds what a server that makes them up can have us keep; what is more
// counts as one.
const (
	maxClasses   = 4000
	otherClasses = "(others)"
)

// class is the part of a class, which has a part from then on. There are a
// handful at most.
func (s *Sums) class(name string) *Class {
	for i := range s.Classes {
		if s.Classes[i].Name == name {
			return &s.Classes[i]
		}
	}
	if len(s.Classes) == maxClasses && name != otherClasses {
		return s.class(otherClasses)
	}
	s.Classes = append(s.Classes, Class{Name: lasting(name)})
	return &s.Classes[len(s.Classes)-1]
}

// reset makes the sums nothing and keeps the room for classes and digests.
func (s *Sums) reset() {
	*s = Sums{Classes: s.Classes[:0], digests: s.digests}
	if s.digests != nil {
		*s.digests = Digests{}
	}
}

// clone is sums that share nothing, classes sorted.
func (s *Sums) clone() Sums {
	own := *s
	own.Classes = slices.Clone(s.Classes)
	if s.digests != nil {
		digests := *s.digests
		own.digests = &digests
	}
	if s.shape != nil {
		shape := *s.shape
		own.shape = &shape
	}
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

// What is added to the number of classes where something follows them, in this order.
const (
	withDigests = 1 << 20
	withTook    = 1 << 13
	withShape   = 1 << 12 // more than maxClasses
)

// append appends the sums in their encoding. The classes' part is short where
// there is one, which has all.
func (s *Sums) append(b []byte) []byte {
	b = appendInt(appendInt(appendInt(b, s.Objects), s.Bytes), s.newest)
	digests, known := s.Digests()
	known = known && s.Objects > 0
	n := int64(len(s.Classes))
	if known {
		n += withDigests
	}
	if s.took > 0 {
		n += withTook
	}
	if s.shape != nil {
		n += withShape
	}
	b = appendInt(b, n)
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
	if known {
		b = digests.append(b)
	}
	if s.took > 0 {
		b = appendInt(b, s.took)
	}
	if s.shape != nil {
		b = s.shape.append(b)
	}
	return b
}

// read reads what append has written.
func (s *Sums) read(r *reader) {
	s.reset()
	s.Objects, s.Bytes, s.newest = r.int(), r.int(), r.int()
	n := r.int()
	has := func(flag int64) bool {
		is := n&flag != 0
		n &^= flag
		return is
	}
	known, took, shape := has(withDigests), has(withTook), has(withShape)
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
	if known {
		if b := r.take(digestSize); b != nil {
			if s.digests == nil {
				s.digests = &Digests{}
			}
			s.digests.read(b)
			s.digested = s.Objects
		}
	}
	if took {
		s.took = r.int()
	}
	if shape {
		s.shape = &Shape{}
		s.shape.read(r)
	}
}
