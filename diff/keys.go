package diff

import (
	"context"
	"iter"
	"strings"

	"github.com/ramify/ramify/inventory"
)

// keys has the keys of a prefix compared, beside what else is found.
func (w *walk) keys(ctx context.Context, name string, in Where, direct bool) error {
	if w.a.Keys == nil || w.b.Keys == nil {
		return nil
	}
	j := &job{keys: make(chan Difference, buffer)}
	if !w.send(ctx, j) {
		return context.Cause(ctx)
	}
	w.work.Go(func() {
		defer close(j.keys)
		none := func(func(inventory.Object, error) bool) {}
		a, b := iter.Seq2[inventory.Object, error](none), iter.Seq2[inventory.Object, error](none)
		if in != InB {
			a = w.a.Keys.List(ctx, w.a.Base+name, direct)
		}
		if in != InA {
			b = w.b.Keys.List(ctx, w.b.Base+name, direct)
		}
		j.err = join(a, b,
			func(o *inventory.Object) string { return o.Key[len(w.a.Base):] },
			func(o *inventory.Object) string { return o.Key[len(w.b.Base):] },
			func(name string, a, b *inventory.Object) error {
				d, differs, err := w.compare(ctx, name, a, b)
				if err != nil || !differs {
					return err
				}
				select {
				case j.keys <- d:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			})
	})
	return nil
}

// compare compares two objects, one of which may not be there.
func (w *walk) compare(ctx context.Context, name string, a, b *inventory.Object) (d Difference, differs bool, err error) {
	d = Difference{IsKey: true, Name: strings.Clone(name), In: InBoth}
	switch {
	case b == nil:
		d.In = InA
	case a == nil:
		d.In = InB
	case a.Size != b.Size:
		d.Why = "size"
	case w.o.By == Size || a.ETag == b.ETag:
		return d, false, nil
	case w.o.Same == nil:
		d.Why = "etag"
	default:
		same, why, err := w.o.Same(ctx, a, b)
		if err != nil || same {
			return d, false, err
		}
		d.Why = why
	}
	d.A, d.B = own(a), own(b)
	return d, true, nil
}

// own is an object that does not keep the page it came with in memory.
func own(o *inventory.Object) *inventory.Object {
	if o == nil {
		return nil
	}
	c := *o
	c.Key, c.ETag, c.StorageClass = strings.Clone(c.Key), strings.Clone(c.ETag), strings.Clone(c.StorageClass)
	return &c
}
