package totals

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
)

const (
	// fullLive is the size in bytes of blocks that wait for somebody who reads; more are
	// merged on disk.
	fullLive = 4 << 20
	// A book is merged with the one before it that is not so many times as large.
	growth = 3
)

// Live sums up blocks as they come, in any order, for who reads what there is so far:
// the same lines as Merge makes in the end of the same blocks.
//
// Memory: the blocks that came last, a page for each depth and book that is read, and
// a few bytes for each page on disk. The books are temporary files whose sizes grow as
// powers, so a line is written a logarithmic number of times, and a reader has a
// logarithmic number of them open.
type Live struct {
	depth int
	full  int // fullLive, but in tests

	mu     sync.Mutex
	base   *string // known from the first block of depth 0
	blocks [][]byte
	size   int
	books  []*liveBook // the large ones first
	closed bool
	err    error // a book could not be written: nothing here can be trusted
}

// NewLive sums up lines down to a depth. Close it in the end.
func NewLive(depth int) *Live { return &Live{depth: depth, full: fullLive} }

var errLiveClosed = errors.New("totals are closed")

// Add takes a block, which it keeps.
func (l *Live) Add(block []byte) error {
	if len(block) < 2 {
		return fmt.Errorf("add block of %d bytes: %w", len(block), ErrBlock)
	}
	if depthOf(block) > l.depth {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errLiveClosed
	}
	if l.base == nil && depthOf(block) == 0 {
		var c cursor
		first, err := c.open(block)
		if n := c.stretch.base; err == nil && (n < 0 || n > int64(len(first))) {
			err = fmt.Errorf("stretch of %q: %w", first, ErrBlock)
		}
		if err != nil {
			return fmt.Errorf("add block: %w", err)
		}
		base := string(first[:c.stretch.base])
		l.base = &base
	}
	l.blocks, l.size = append(l.blocks, block), l.size+len(block)
	if l.size < l.full {
		return l.err
	}
	return l.settle()
}

// settle makes a book of the blocks that wait, and merges books that have come to
// about the size of the one before; l.mu is held.
func (l *Live) settle() error {
	if l.err != nil || len(l.blocks) == 0 {
		return l.err
	}
	var open pile
	for _, b := range l.blocks {
		c := &cursor{}
		if _, err := c.open(b); err != nil {
			return l.fail(err)
		}
		if ok, err := c.next(); err != nil || !ok {
			return l.fail(err)
		}
		open = append(open, c)
	}
	book, err := writeBook(open)
	if err != nil {
		return l.fail(err)
	}
	l.books = append(l.books, book)
	l.blocks, l.size = nil, 0
	for n := len(l.books); n > 1 && l.books[n-1].shelf.end*growth > l.books[n-2].shelf.end; n = len(l.books) {
		var open pile
		for _, b := range l.books[n-2:] {
			cursors, err := b.cursors()
			if err != nil {
				return l.fail(err)
			}
			open = append(open, cursors...)
		}
		merged, err := writeBook(open)
		if err != nil {
			return l.fail(err)
		}
		for _, b := range l.books[n-2:] {
			b.release()
		}
		l.books = append(l.books[:n-2], merged)
	}
	return nil
}

func (l *Live) fail(err error) error {
	if l.err == nil && err != nil {
		l.err = fmt.Errorf("sum up totals: %w", err)
	}
	return l.err
}

// read has the books as they now are, until they are given back; none where nothing is
// known yet.
func (l *Live) read() (books []*liveBook, base string, release func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, "", nil, errLiveClosed
	}
	if err := l.settle(); err != nil {
		return nil, "", nil, err
	}
	if l.base != nil {
		base, books = *l.base, slices.Clone(l.books)
	}
	for _, b := range books {
		b.hold()
	}
	return books, base, func() {
		for _, b := range books {
			b.release()
		}
	}, nil
}

// Level yields the lines so many levels below a prefix, as Book.Level does.
func (l *Live) Level(ctx context.Context, prefix string, level int) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		books, base, release, err := l.read()
		if err == nil {
			if strings.HasPrefix(base, prefix) {
				prefix = base
			}
			if strings.HasPrefix(prefix, base) {
				err = readLevel(ctx, books, prefix, strings.Count(prefix[len(base):], "/")+level, yield)
			}
			release()
		}
		if err != nil {
			yield(Line{}, fmt.Errorf("read totals: %w", err))
		}
	}
}

func readLevel(ctx context.Context, books []*liveBook, prefix string, depth int, yield func(Line, error) bool) error {
	var open pile
	for _, b := range books {
		c, err := b.book.from(ctx, depth, prefix)
		if err != nil {
			return err
		}
		if c != nil {
			open = append(open, c)
		}
	}
	heap.Init(&open)
	g := gatherer{pile: open, give: func(c *cursor) error {
		if !bytes.HasPrefix(c.prefix, []byte(prefix)) {
			return errStopped
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !yield(Line{Prefix: string(c.prefix), Depth: c.depth, Sums: c.sums.clone()}, nil) {
			return errStopped
		}
		return nil
	}}
	if err := g.drain(nil); err != nil && !errors.Is(err, errStopped) {
		return err
	}
	return nil
}

// Close removes what is on disk, once nobody reads it any more.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed, l.blocks = true, nil
	for _, b := range l.books {
		b.release()
	}
	l.books = nil
}

// liveBook is a book in a temporary file. It may lack the line of all there is, of which
// it knows nothing but where it begins.
type liveBook struct {
	book  *Book
	shelf *fileShelf

	mu    sync.Mutex
	users int
}

func (b *liveBook) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users++
}

func (b *liveBook) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users--; b.users == 0 {
		b.shelf.close()
	}
}

// cursors are one on the first line of each depth.
func (b *liveBook) cursors() (all pile, err error) {
	for depth := 0; depth <= b.book.deepest; depth++ {
		c, err := b.book.from(context.Background(), depth, "")
		if err != nil {
			return nil, err
		}
		if c != nil {
			all = append(all, c)
		}
	}
	return all, nil
}

// writeBook merges what cursors have left into a book.
func writeBook(open pile) (_ *liveBook, err error) {
	shelf, err := newFileShelf()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			shelf.close()
		}
	}()
	heap.Init(&open)
	lines := func(yield func(Line, error) bool) {
		g := gatherer{pile: open, give: func(c *cursor) error {
			if !yield(Line{Prefix: string(c.prefix), Depth: c.depth, Sums: c.sums}, nil) {
				return errStopped
			}
			return nil
		}}
		if err := g.drain(nil); err != nil && !errors.Is(err, errStopped) {
			yield(Line{}, err)
		}
	}
	if err := Keep(context.Background(), shelf, lines); err != nil {
		return nil, err
	}
	deepest := depthOf(shelf.pages[len(shelf.pages)-1].key)
	return &liveBook{book: &Book{shelf: shelf, deepest: deepest}, shelf: shelf, users: 1}, nil
}

// fileShelf keeps pages in a temporary file, and where they are in memory.
type fileShelf struct {
	file  *os.File
	pages []placed
	end   int64
}

type placed struct {
	key    []byte
	off    int64
	length int
}

var _ Shelf = (*fileShelf)(nil)

func newFileShelf() (*fileShelf, error) {
	f, err := os.CreateTemp("", "ramify-totals-")
	if err != nil {
		return nil, err
	}
	// Where an open file can be removed it goes with the process, however that ends.
	_ = os.Remove(f.Name())
	return &fileShelf{file: f}, nil
}

func (s *fileShelf) close() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}

// Put implements Shelf.
func (s *fileShelf) Put(_ context.Context, pages []Page) error {
	var all []byte
	for _, p := range pages {
		s.pages = append(s.pages, placed{bytes.Clone(p.Key), s.end + int64(len(all)), len(p.Body)})
		all = append(all, p.Body...)
	}
	if _, err := s.file.WriteAt(all, s.end); err != nil {
		return err
	}
	s.end += int64(len(all))
	return nil
}

// Get implements Shelf.
func (s *fileShelf) Get(_ context.Context, key []byte) (page, next []byte, err error) {
	at, is := slices.BinarySearchFunc(s.pages, key, func(p placed, key []byte) int { return bytes.Compare(p.key, key) })
	if is {
		at++
	}
	if at < len(s.pages) {
		next = s.pages[at].key
	}
	if at == 0 {
		return nil, next, nil
	}
	page = make([]byte, s.pages[at-1].length)
	_, err = s.file.ReadAt(page, s.pages[at-1].off)
	return page, next, err
}
