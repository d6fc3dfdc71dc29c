// Package diff says in what two trees of objects differ. It begins with the
// digests of all there is (totals.Digests) and goes down only where they differ,
// through the lines of two books of totals; keys are listed only of prefixes whose
// own objects differ. What is equal costs nothing.
//
// Names are relative: a tree's base, the prefix of its listing, is no part of them.
package diff

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/totals"
)

// Tree is one of two trees.
type Tree struct {
	Book  *totals.Book // nil: it has no object
	Depth int          // down to which its book has lines
	Base  string       // that of the book; of a tree without objects, where it would be
	Keys  Lister       // nil: prefixes are compared, and no keys
}

// Lister lists objects as they are now, in the order of their keys: those whose
// keys begin with prefix, and of these, where direct, only those with no '/' behind
// it. After an error it yields no more. It is called from several goroutines.
type Lister interface {
	List(ctx context.Context, prefix string, direct bool) iter.Seq2[inventory.Object, error]
}

// By is what of two objects of one name is compared.
type By string

// What can be compared.
const (
	Size By = "size"
	ETag By = "etag" // and the size
)

// Where says in which trees something is.
type Where string

// The places of a difference.
const (
	InA    Where = "a" // only
	InB    Where = "b" // only
	InBoth Where = "both"
)

// Difference is a prefix or a key in which the trees differ.
type Difference struct {
	IsKey bool
	Name  string // relative to the bases; of a prefix, "" is all there is
	In    Where

	// Of a prefix: its totals in each tree, nil where it is not.
	LineA, LineB *totals.Line
	// Of a key: the object in each tree, nil where it is not; its strings are its own.
	A, B *inventory.Object
	Why  string // in what two objects differ: "size", "etag", or what Same says
}

// Options say how two trees are compared.
type Options struct {
	By By
	// Same decides about two objects of one size whose ETags differ, which need not
	// have different content; nil: they differ. Why is for people.
	Same func(ctx context.Context, a, b *inventory.Object) (same bool, why string, err error)
}

// ErrNoDigests is that a tree's totals were made without digests.
var ErrNoDigests = errors.New("its totals have no digests")

// Equal reports whether two trees are the same, by the digests of all there is.
func Equal(a, b *Tree, by By) (bool, error) {
	da, err := a.digest(by)
	if err != nil {
		return false, err
	}
	db, err := b.digest(by)
	return da == db, err
}

func (t *Tree) digest(by By) (totals.Digest, error) {
	if t.Book == nil {
		return totals.Digest{}, nil
	}
	base := t.Book.Base()
	return by.of(&base)
}

// of is the digest of a line that By compares.
func (by By) of(l *totals.Line) (totals.Digest, error) {
	if l == nil {
		return totals.Digest{}, nil
	}
	d, known := l.Digests()
	switch {
	case !known:
		return totals.Digest{}, fmt.Errorf("compare %q: %w", l.Prefix, ErrNoDigests)
	case by == Size:
		return d.Size, nil
	default:
		return d.ETag, nil
	}
}

// Compare yields in what two trees differ, nothing where they are equal: a prefix
// before what is below it, the keys directly below it after the prefixes there.
// After an error it yields no more.
func Compare(ctx context.Context, a, b *Tree, o Options) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		asked := ctx
		ctx, cancel := context.WithCancelCause(ctx)
		w := &walk{a: a, b: b, o: o, depth: min(a.Depth, b.Depth), found: make(chan *job, ahead)}
		w.work.Go(func() {
			defer close(w.found)
			if err := w.begin(ctx); err != nil {
				w.send(ctx, &job{err: err})
			}
		})
		defer w.work.Wait()
		defer cancel(errStopped)
		for j := range w.found {
			if !j.give(yield) {
				return
			}
		}
		if asked.Err() != nil { // what was found may not be all
			yield(Difference{}, context.Cause(asked))
		}
	}
}

// errStopped is that the reader wants no more.
var errStopped = errors.New("stopped")
