package totals

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"iter"
	"strings"
)

// Book reads the lines on a shelf: of any part of the tree, no more pages than
// it is on. It may be used from many goroutines if the shelf may.
type Book struct {
	shelf   Shelf
	base    Line
	deepest int
}

// Open opens what Keep has put on a shelf; nil if there is nothing, as of a run
// that found no key.
func Open(ctx context.Context, shelf Shelf) (*Book, error) {
	b := &Book{shelf: shelf}
	last, _, err := shelf.Get(ctx, []byte{255, 255, 255})
	if err != nil || last == nil {
		return nil, wrapOpen(err)
	}
	var c cursor
	if _, err := c.open(last); err != nil {
		return nil, wrapOpen(err)
	}
	b.deepest = c.depth
	root, err := b.from(ctx, 0, "")
	if err != nil {
		return nil, wrapOpen(err)
	}
	if root == nil {
		return nil, wrapOpen(fmt.Errorf("the first page is missing: %w", ErrBlock))
	}
	b.base = Line{Prefix: string(root.prefix), Sums: root.sums.clone()}
	return b, nil
}

func wrapOpen(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("open totals: %w", err)
}

// Base is the line of all there is.
func (b *Book) Base() Line { return b.base }

// Deepest is the greatest depth of a line.
func (b *Book) Deepest() int { return b.deepest }

// Under yields the lines whose prefix begins with prefix, which need not end in
// '/', down to so many levels below it, in the order of keys: a prefix before
// what is below it. Level 0 is the prefix itself, if it is one. After an error
// it yields no more.
func (b *Book) Under(ctx context.Context, prefix string, levels int) iter.Seq2[Line, error] {
	return b.lines(ctx, prefix, 0, levels)
}

// Level yields those lines of Under that are exactly so many levels below
// prefix, without reading the others: the children of a prefix at level 1.
func (b *Book) Level(ctx context.Context, prefix string, level int) iter.Seq2[Line, error] {
	return b.lines(ctx, prefix, level, level)
}

func (b *Book) lines(ctx context.Context, prefix string, from, to int) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		if err := b.read(ctx, prefix, from, to, yield); err != nil {
			yield(Line{}, fmt.Errorf("read totals: %w", err))
		}
	}
}

func (b *Book) read(ctx context.Context, prefix string, from, to int, yield func(Line, error) bool) error {
	base := b.base.Prefix
	if strings.HasPrefix(base, prefix) {
		prefix = base
	}
	if !strings.HasPrefix(prefix, base) {
		return nil
	}
	top := strings.Count(prefix[len(base):], "/")
	var byKey keyed
	for level := from; level <= min(to, b.deepest-top); level++ {
		c, err := b.from(ctx, top+level, prefix)
		if err != nil {
			return err
		}
		if c != nil {
			byKey = append(byKey, c)
		}
	}
	heap.Init(&byKey)
	for len(byKey) > 0 {
		c := byKey[0]
		if !yield(Line{Prefix: string(c.prefix), Depth: c.depth, Sums: c.sums.clone()}, nil) {
			return nil
		}
		more, err := c.next()
		if err != nil {
			return err
		}
		if more && bytes.HasPrefix(c.prefix, []byte(prefix)) {
			heap.Fix(&byKey, 0)
		} else {
			heap.Pop(&byKey)
		}
	}
	return nil
}

// from is a cursor on the first line of a depth that begins with prefix; nil if
// there is none.
func (b *Book) from(ctx context.Context, depth int, prefix string) (*cursor, error) {
	next := appendHead(nil, depth, prefix)
	first := true
	c := &cursor{more: func() ([]byte, error) {
		if next == nil {
			return nil, nil
		}
		page, after, err := b.shelf.Get(ctx, next)
		if err != nil {
			return nil, err
		}
		if first && page == nil || first && depthOf(page) < depth {
			// All pages of this depth begin after prefix.
			if after == nil {
				return nil, nil
			}
			if page, after, err = b.shelf.Get(ctx, after); err != nil {
				return nil, err
			}
		}
		first = false
		if page == nil || depthOf(page) != depth {
			return nil, nil
		}
		next = after
		return page, nil
	}}
	for {
		ok, err := c.next()
		if err != nil || !ok {
			return nil, err
		}
		switch {
		case bytes.HasPrefix(c.prefix, []byte(prefix)):
			return c, nil
		case string(c.prefix) > prefix:
			return nil, nil
		}
	}
}

func depthOf(page []byte) int {
	r := reader{b: page}
	depth, _ := r.head(nil)
	return depth
}

// keyed is cursors as a heap by their prefixes alone.
type keyed []*cursor

func (k keyed) Len() int           { return len(k) }
func (k keyed) Less(i, j int) bool { return bytes.Compare(k[i].prefix, k[j].prefix) < 0 }
func (k keyed) Swap(i, j int)      { k[i], k[j] = k[j], k[i] }
func (k *keyed) Push(c any)        { *k = append(*k, c.(*cursor)) }

func (k *keyed) Pop() any {
	n := len(*k) - 1
	c := (*k)[n]
	*k = (*k)[:n]
	return c
}
