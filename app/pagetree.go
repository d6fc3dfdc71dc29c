package app

import (
	"context"
	"strconv"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/totals"
	"github.com/ramify/ramify/web"
)

// failuresOf are nodes that were given up, a page of them. The cursor is how many come
// before: they come in the same order as long as none is added or healed.
func failuresOf(ctx context.Context, l ledger.Ledger, r ledger.Run, after string, limit int) (some []console.Failure, next string, err error) {
	skip := 0
	if after != "" {
		if skip, err = strconv.Atoi(after); err != nil || skip < 0 {
			return nil, "", badCursor(after)
		}
	}
	n := 0
	for f, err := range ledger.Failures(ctx, l, r) {
		if err != nil {
			return nil, "", err
		}
		if n++; n <= skip {
			continue
		}
		if len(some) == limit {
			return some, strconv.Itoa(skip + limit), nil
		}
		some = append(some, console.Failure{Node: f.ID, Kind: f.Kind, Depth: f.Depth, Reason: f.Reason})
	}
	return some, "", nil
}

type badCursor string

func (b badCursor) Error() string {
	return "after is " + strconv.Quote(string(b)) + ", want the next of an answer"
}
func (badCursor) Is(target error) bool { return target == web.ErrArgument }

// tree is a prefix and what is directly below it, of a run that is over.
func (w *watched) tree(ctx context.Context, a web.Ask) (web.Tree, error) {
	t := web.Tree{Prefix: a.Prefix}
	if w.st == nil {
		return t, nil
	}
	b, err := w.st.openBook(ctx)
	if err != nil || b == nil {
		return t, err
	}
	t.Complete = true
	size := totals.Objects
	if a.By == "bytes" {
		size = totals.Bytes
	}
	for l, err := range b.Level(ctx, a.Prefix, 0) {
		if err != nil {
			return t, err
		}
		t.Sums = sumsOf(&l)
		t.Direct = t.Sums
	}
	top := totals.NewTop(a.Top, size)
	for l, err := range b.Level(ctx, a.Prefix, 1) {
		if err != nil {
			return t, err
		}
		top.Add(l)
		t.Prefixes++
		t.Rest.Objects += l.Objects
		t.Rest.Bytes += l.Bytes
		t.Direct.Objects -= l.Objects
		t.Direct.Bytes -= l.Bytes
	}
	for _, l := range top.Lines() {
		c := web.Child{Prefix: l.Prefix, Sums: sumsOf(&l)}
		for range b.Level(ctx, l.Prefix, 1) {
			c.More = true
			break
		}
		t.Rest.Objects -= l.Objects
		t.Rest.Bytes -= l.Bytes
		t.Children = append(t.Children, c)
	}
	t.Rest.Prefixes = t.Prefixes - int64(len(t.Children))
	return t, nil
}

func sumsOf(l *totals.Line) web.Sums { return web.Sums{Objects: l.Objects, Bytes: l.Bytes} }
