package totals

import (
	"bytes"
	"context"
	"fmt"
	"iter"
)

// Shelf keeps pages by their keys, the order of which is that of their bytes.
type Shelf interface {
	// Put keeps pages, which come in ascending order of their keys. It keeps
	// neither slice.
	Put(ctx context.Context, pages []Page) error

	// Get returns the last page whose key is at most key, nil if there is none,
	// and the key of the page that follows it (or is the first), nil if none does.
	Get(ctx context.Context, key []byte) (page, next []byte, err error)
}

// Page is some lines of one depth. It is a block: it begins with its key.
type Page struct{ Key, Body []byte }

const (
	pageSize  = 16 << 10 // bytes from which a page is ended
	putAtOnce = 1 << 20  // bytes of pages
)

// Keep puts lines on an empty shelf, in the order of Merge.
func Keep(ctx context.Context, shelf Shelf, lines iter.Seq2[Line, error]) error {
	var (
		w     writer
		pages []Page
		size  int
	)
	put := func() error {
		if len(pages) == 0 {
			return nil
		}
		err := shelf.Put(ctx, pages)
		pages, size = pages[:0], 0
		return err
	}
	end := func() error {
		if len(w.block) == 0 {
			return nil
		}
		r := reader{b: w.block}
		r.head(nil)
		pages = append(pages, Page{Key: bytes.Clone(w.block[:len(w.block)-len(r.b)]), Body: bytes.Clone(w.block)})
		size += len(w.block)
		w.block = w.block[:0]
		if size < putAtOnce {
			return nil
		}
		return put()
	}
	for l, err := range lines {
		if err != nil {
			return err
		}
		if l.Depth != w.depth || len(w.block) >= pageSize {
			if err := end(); err != nil {
				return fmt.Errorf("keep totals: %w", err)
			}
		}
		if w.depth = l.Depth; l.Depth == 0 {
			base := stretch{loose: true, last: []byte(l.Prefix), base: int64(len(l.Prefix))}
			w.block, w.last = base.append(appendHead(w.block, 0, l.Prefix)), []byte(l.Prefix)
		}
		w.write([]byte(l.Prefix), &l.Sums)
	}
	if err := end(); err != nil {
		return fmt.Errorf("keep totals: %w", err)
	}
	if err := put(); err != nil {
		return fmt.Errorf("keep totals: %w", err)
	}
	return nil
}
