package s3serve

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// Listing is the sorted content of one bucket. It is safe for concurrent use,
// and may be changed by [Listing.Mutate] while it is being served.
type Listing struct {
	now     atomic.Pointer[snapshot]
	skipped int

	mu    sync.Mutex // held while changing
	store arena
}

// Len returns the number of objects.
func (l *Listing) Len() int { return len(l.now.Load().refs) }

// Skipped returns how many entries a [Tree] left out because they were
// symbolic links, special files, unreadable, or had names that no key can
// have.
func (l *Listing) Skipped() int { return l.skipped }

// Get returns the object with that key.
func (l *Listing) Get(key string) (Object, bool) {
	s := l.now.Load()
	i, found := s.find(key)
	if !found {
		return Object{}, false
	}
	a := s.attrs(i)
	return a.object(s.key(i)), true
}

// All yields the objects in the order of their keys, as they were when the
// iteration began.
func (l *Listing) All() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		s := l.now.Load()
		for i := range s.refs {
			if a := s.attrs(i); !yield(a.object(s.key(i))) {
				return
			}
		}
	}
}

// snapshot is one state of a listing. It never changes, so a page that is being
// rendered stays consistent whatever happens to the listing.
type snapshot struct {
	blocks [][]byte
	refs   []ref  // in the order of their keys
	dir    string // where the content of files lies

	versions []Version // all of a bucket with versioning, by key; else nil
}

// ref says where a record lies: block, offset in the block, length of the key.
// Eight bytes are all that sorting moves and all that a key costs beyond its
// record.
type ref uint64

const (
	lenBits = 11 // 1,024 is the longest key
	offBits = 20
	// blockSize is the most that an offset can reach.
	blockSize = 1 << offBits
)

func record(blocks [][]byte, r ref) []byte {
	return blocks[r>>(lenBits+offBits)][r>>lenBits&(blockSize-1):]
}

func keyAt(blocks [][]byte, r ref) []byte {
	n := r & (1<<lenBits - 1)
	return record(blocks, r)[:n:n]
}

func (s *snapshot) key(i int) []byte { return keyAt(s.blocks, s.refs[i]) }

func (s *snapshot) attrs(i int) attrs {
	r := s.refs[i]
	return decodeRecord(record(s.blocks, r)[r&(1<<lenBits-1):])
}

// seek returns the first place from lo on whose key is not below target. It
// doubles its stride from lo before it bisects, since what it looks for is
// mostly near: the end of a small directory.
func (s *snapshot) seek(lo int, target []byte) int {
	hi, n := lo, len(s.refs)
	for stride := 1; hi < n && bytes.Compare(s.key(hi), target) < 0; stride *= 2 {
		lo = hi + 1
		hi += stride
	}
	hi = min(hi, n)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if bytes.Compare(s.key(mid), target) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// seekPast returns the first place from lo on whose key is above all that begin
// with prefix.
func (s *snapshot) seekPast(lo int, prefix []byte) int {
	next := slices.Clone(prefix)
	for len(next) > 0 && next[len(next)-1] == 0xff {
		next = next[:len(next)-1]
	}
	if len(next) == 0 {
		return len(s.refs)
	}
	next[len(next)-1]++
	return s.seek(lo, next)
}

func (s *snapshot) find(key string) (int, bool) {
	i := s.seek(0, []byte(key))
	return i, i < len(s.refs) && string(s.key(i)) == key
}

// arena holds records in blocks that are never moved or written twice, so that
// snapshots share them.
type arena struct {
	blocks  [][]byte
	used    int // in the last block
	scratch []byte
}

// firstBlock keeps the listings of small tests small; blocks double from there.
const firstBlock = 4 << 10

// add stores a record whose first keyLen bytes are its key.
func (a *arena) add(rec []byte, keyLen int) (ref, error) {
	n := len(a.blocks)
	if n == 0 || a.used+len(rec) > len(a.blocks[n-1]) {
		size := firstBlock
		if n > 0 {
			size = min(2*len(a.blocks[n-1]), blockSize)
		}
		if size = max(size, len(rec)); size > blockSize {
			return 0, fmt.Errorf("object %.40q...: attributes of %d bytes", rec[:keyLen], len(rec)-keyLen)
		}
		a.blocks = append(a.blocks, make([]byte, size))
		a.used, n = 0, n+1
	}
	copy(a.blocks[n-1][a.used:], rec)
	r := ref(n-1)<<(lenBits+offBits) | ref(a.used)<<lenBits | ref(keyLen)
	a.used += len(rec)
	return r, nil
}

func (a *arena) addObject(o Object, file bool) (ref, error) {
	if err := validate(o); err != nil {
		return 0, err
	}
	a.scratch = appendRecord(a.scratch[:0], o, file)
	return a.add(a.scratch, len(o.Key))
}

// addKey stores an object of which only the key is given.
func (a *arena) addKey(key string) (ref, error) {
	if err := validateKey(key); err != nil {
		return 0, err
	}
	a.scratch = appendKeyRecord(a.scratch[:0], key)
	return a.add(a.scratch, len(key))
}
