package diff

import (
	"context"
	"iter"
	"strings"
	"sync"

	"github.com/ramify/ramify/totals"
)

const (
	ahead  = 16  // differences and listings that are ahead of the reader
	buffer = 256 // keys of a listing that are
)

// walk goes down two trees side by side, ahead of who reads what it finds.
type walk struct {
	a, b  *Tree
	o     Options
	depth int // down to which both have lines
	found chan *job
	work  sync.WaitGroup
}

// job is a difference, or a listing of keys that brings some, or the end.
type job struct {
	one  Difference
	keys chan Difference // nil: it is one
	err  error           // of keys, once it is closed
}

// give passes on what a job brings; false if no more is wanted, or there is no more.
func (j *job) give(yield func(Difference, error) bool) bool {
	if j.keys != nil {
		for d := range j.keys {
			if !yield(d, nil) {
				return false
			}
		}
	}
	switch {
	case j.err != nil:
		yield(Difference{}, j.err)
		return false
	case j.keys == nil:
		return yield(j.one, nil)
	}
	return true
}

func (w *walk) send(ctx context.Context, j *job) bool {
	select {
	case w.found <- j:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *walk) begin(ctx context.Context) error {
	line := func(t *Tree) *totals.Line {
		if t.Book == nil {
			return nil
		}
		base := t.Book.Base()
		return &base
	}
	a, b := line(w.a), line(w.b)
	if a == nil && b == nil {
		return nil
	}
	return w.pair(ctx, "", a, b)
}

// pair compares what the trees have of one prefix, nil where one has nothing.
func (w *walk) pair(ctx context.Context, name string, a, b *totals.Line) error {
	da, err := w.o.By.of(a)
	if err != nil {
		return err
	}
	db, err := w.o.By.of(b)
	if err != nil || da == db && a != nil && b != nil {
		return err
	}
	d := Difference{Name: name, In: InBoth, LineA: a, LineB: b}
	switch {
	case b == nil:
		d.In = InA
	case a == nil:
		d.In = InB
	}
	if !w.send(ctx, &job{one: d}) {
		return context.Cause(ctx)
	}
	if d.In != InBoth || a.Depth >= w.depth {
		return w.keys(ctx, name, d.In, false) // all of it, in one listing
	}
	// What is directly below a prefix has the digest that those of the prefixes
	// below it leave.
	if err := w.below(ctx, name, func(child string, ca, cb *totals.Line) error {
		one, err := w.o.By.of(ca)
		if err != nil {
			return err
		}
		other, err := w.o.By.of(cb)
		if err != nil {
			return err
		}
		da, db = da.Minus(one), db.Minus(other)
		return w.pair(ctx, child, ca, cb)
	}); err != nil || da == db {
		return err
	}
	return w.keys(ctx, name, InBoth, true)
}

// below calls do for every prefix one level below, of either tree, in order.
func (w *walk) below(ctx context.Context, name string, do func(child string, a, b *totals.Line) error) error {
	return join(w.a.Book.Level(ctx, w.a.Base+name, 1), w.b.Book.Level(ctx, w.b.Base+name, 1),
		func(l *totals.Line) string { return l.Prefix[len(w.a.Base):] },
		func(l *totals.Line) string { return l.Prefix[len(w.b.Base):] }, do)
}

// join calls do for every name in either of two sequences in the order of their
// names, nil standing for what one has not.
func join[T any](seqA, seqB iter.Seq2[T, error], nameA, nameB func(*T) string, do func(name string, a, b *T) error) error {
	nextA, stopA := pull(seqA)
	defer stopA()
	nextB, stopB := pull(seqB)
	defer stopB()
	a, err := nextA()
	if err != nil {
		return err
	}
	b, err := nextB()
	for err == nil && (a != nil || b != nil) {
		atA, atB := a, b
		var name string
		switch {
		case b == nil:
			name = nameA(a)
		case a == nil:
			name = nameB(b)
		default:
			switch name = nameA(a); strings.Compare(name, nameB(b)) {
			case -1:
				atB = nil
			case 1:
				name, atA = nameB(b), nil
			}
		}
		if err = do(name, atA, atB); err != nil {
			break
		}
		if atA != nil {
			if a, err = nextA(); err != nil {
				break
			}
		}
		if atB != nil {
			b, err = nextB()
		}
	}
	return err
}

// pull is iter.Pull2 whose values are each its own, nil at the end.
func pull[T any](seq iter.Seq2[T, error]) (next func() (*T, error), stop func()) {
	pulled, stop := iter.Pull2(seq)
	return func() (*T, error) {
		v, err, ok := pulled()
		if !ok || err != nil {
			return nil, err
		}
		return &v, nil
	}, stop
}
