package totals

import (
	"maps"
	"slices"
	"strings"

	"github.com/ramify/ramify/inventory"
)

const (
	fullLoose = 8 << 20 // bytes, about, from which a Loose wants to be taken
	// Blocks of a Loose overlap those of others, and Merge has all open that do.
	looseBlock = 4 << 10
	folderCost = 256 // bytes of a map's entry and sums, about, besides the prefix
)

// Loose counts keys in any order, of which others may count the neighbours. It
// has lines for all depths, since only lines tell how many prefixes there are.
// It keeps nothing of what it is given, and is for one goroutine at a time.
type Loose struct {
	base    int
	folders map[string]*Sums // what is directly below
	size    int
	last    string // folder
	sums    *Sums  // of it
	digests bool
	buf     []byte // for digests
	shape   Shape
	deep    int // prefixes that the last key is in
	spent
}

// NewLoose counts below a base of so many bytes. Keys must begin with the base.
func NewLoose(base int) *Loose { return &Loose{base: base, folders: map[string]*Sums{}} }

// WithDigests has digests made of what is counted, if yes. It returns the Loose.
func (l *Loose) WithDigests(yes bool) *Loose {
	l.digests = yes
	return l
}

// Add counts a key.
func (l *Loose) Add(o *inventory.Object) {
	end := max(l.base, strings.LastIndexByte(o.Key, '/')+1)
	if folder := o.Key[:end]; l.sums == nil || folder != l.last {
		sums := l.folders[folder]
		if sums == nil {
			sums = &Sums{}
			folder = strings.Clone(folder)
			l.folders[folder] = sums
			l.size += len(folder) + folderCost
		}
		l.last, l.sums, l.deep = strings.Clone(folder), sums, depthBehind(l.base, folder)
	}
	l.sums.Add(o)
	l.sums.took += l.next()
	l.shape.add(o.Size, l.deep)
	if l.digests {
		l.buf = l.sums.addDigest(o, l.base, l.buf)
	}
}

// Full reports whether it is time to Take, to bound memory.
func (l *Loose) Full() bool { return l.size >= fullLoose }

// Take writes what was counted as blocks, none if there was no key, and begins
// anew. A block is valid during the call.
func (l *Loose) Take(write func(block []byte) error) error {
	t := NewTally(l.base, All)
	t.found.loose, t.cut, t.emit = true, looseBlock, write
	for _, folder := range slices.Sorted(maps.Keys(l.folders)) {
		t.AddNode(folder, l.folders[folder])
	}
	t.shape.merge(&l.shape)
	left := l.spent
	if t.begun {
		t.rest, left.rest = left.rest, 0
	}
	*l = *NewLoose(l.base).WithDigests(l.digests)
	l.spent = left
	return t.Take(write)
}
