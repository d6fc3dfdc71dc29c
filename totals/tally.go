package totals

import (
	"strings"

	"github.com/ramify/ramify/inventory"
)

// fullTally is the size in bytes of blocks from which a tally wants to be taken.
const fullTally = 64 << 10

// Tally counts keys in their order, none left out between the first and the
// last: a stretch of the listing. It keeps nothing of what it is given, and is
// for one goroutine at a time.
type Tally struct {
	base, depth int
	found       stretch // found.last is the last key
	begun       bool
	first       []byte
	dir         int     // bytes of the last key up to and with its last '/', at least base
	open        int     // depth of the innermost line that the last key is counted in
	levels      []level // by depth
	size        int
	digests     bool
	buf         []byte // for digests
	shape       Shape
	deep        int // prefixes that the last key is in, all of them
	spent

	cut  int // size in bytes from which a block is written at once; 0: never
	emit func(block []byte) error
	err  error // of emit, the first
}

// level is the lines of one depth: those that ended, encoded, and an open one.
type level struct {
	writer
	sums Sums
	end  int // bytes of the open line's prefix
}

// NewTally counts below a base of so many bytes, with lines for depths from 0,
// the base itself, to depth. Keys must begin with the base.
func NewTally(base, depth int) *Tally { return &Tally{base: base, depth: max(depth, 0)} }

// WithDigests has digests made of what Add counts, if yes. It returns the tally.
func (t *Tally) WithDigests(yes bool) *Tally {
	t.digests = yes
	return t
}

// Add counts the next key. The one before must be smaller.
func (t *Tally) Add(o *inventory.Object) {
	sums := t.at(o.Key)
	sums.Add(o)
	sums.took += t.next()
	t.shape.add(o.Size, t.deep)
	if t.digests {
		t.buf = sums.addDigest(o, t.base, t.buf)
	}
}

// AddNode counts what is directly below a prefix as one thing, under the
// prefix's own name, which is then the "key" that must be greater than the last.
func (t *Tally) AddNode(prefix string, s *Sums) {
	own := *s
	if own.shape != nil {
		t.shape.merge(own.shape)
		own.shape = nil
	}
	t.at(prefix).Merge(&own)
}

// Full reports whether it is time to Take, to bound memory.
func (t *Tally) Full() bool { return t.size >= fullTally }

// at moves on to a key and returns the innermost line that it is counted in.
func (t *Tally) at(key string) *Sums {
	if t.begun && len(key) >= t.dir && key[:t.dir] == string(t.found.last[:t.dir]) && strings.IndexByte(key[t.dir:], '/') < 0 {
		t.found.last = append(t.found.last[:t.dir], key[t.dir:]...) // in the same folder, as most are
		return &t.levels[t.open].sums
	}
	return t.move(key)
}

func (t *Tally) move(key string) *Sums {
	same := t.base
	if t.begun {
		same = max(same, common(t.found.last, key))
		t.closeTo(same)
	} else {
		t.begun, t.found.prefixes, t.open = true, 0, 0
		t.first, t.found.last = append(t.first[:0], key...), t.found.last[:0]
		t.begin(0, t.base)
	}
	have := min(same, len(t.found.last))
	t.found.last = append(t.found.last[:have], key[have:]...)
	t.dir = max(t.base, strings.LastIndexByte(key, '/')+1)
	t.deep = depthBehind(t.base, key[:t.dir])
	for i := same; i < t.dir; i++ {
		i += strings.IndexByte(key[i:], '/')
		t.found.prefixes++
		if t.open < t.depth {
			t.open++
			t.begin(t.open, i+1)
		}
	}
	return &t.levels[t.open].sums
}

// begin opens a line of so many bytes of the last key.
func (t *Tally) begin(depth, end int) {
	for len(t.levels) <= depth {
		t.levels = append(t.levels, level{writer: writer{depth: len(t.levels)}})
	}
	t.levels[depth].sums.reset()
	t.levels[depth].end = end
}

// closeTo ends the lines whose prefixes are longer than n bytes; each adds to
// the one that contains it.
func (t *Tally) closeTo(n int) {
	for ; t.open > 0 && t.levels[t.open].end > n; t.open-- {
		l := &t.levels[t.open]
		t.levels[t.open-1].sums.Merge(&l.sums)
		size := len(l.block)
		l.write(t.found.last[:l.end], &l.sums)
		t.size += len(l.block) - size
		if t.cut > 0 && len(l.block) >= t.cut {
			t.flush(l)
		}
	}
}

func (t *Tally) flush(l *level) {
	if t.err == nil && len(l.block) > 0 {
		t.err = t.emit(l.block)
	}
	t.size -= len(l.block)
	l.block = l.block[:0]
}

// Take writes what was counted as blocks, none if there was no key, and begins
// anew. A block is valid during the call. After an error the tally has lost what
// it counted.
func (t *Tally) Take(write func(block []byte) error) error {
	if !t.begun {
		return nil
	}
	t.emit = write
	t.closeTo(-1)
	root := &t.levels[0]
	root.sums.took += t.rest
	root.sums.shape = &t.shape
	t.found.base = int64(t.base)
	root.block = t.found.append(appendHead(root.block[:0], 0, t.first))
	root.block = appendLine(root.block, t.first, t.found.last[:t.base], &root.sums)
	for i := range t.levels {
		t.flush(&t.levels[i])
	}
	err := t.err
	root.sums.shape = nil
	t.begun, t.emit, t.err, t.size, t.rest, t.shape = false, nil, nil, 0, 0, Shape{}
	return err
}
