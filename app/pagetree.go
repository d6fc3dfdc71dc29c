package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/console"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/listing"
	"github.com/ramify/ramify/s3client"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sink/file"
	"github.com/ramify/ramify/totals"
	"github.com/ramify/ramify/web"
)

// failuresOf are nodes that were given up, a page of them, in the order of the tree. The
// cursor is the place of the last one of the page before: however many come before, they
// are not read again.
func failuresOf(ctx context.Context, l ledger.Ledger, r ledger.Run, after string, limit int) (some []console.Failure, next string, err error) {
	all := ledger.Failures(ctx, l, r)
	if after != "" {
		var at schema.Place
		if at, err = readCursor(after); err != nil {
			return nil, "", err
		}
		all = ledger.FailuresAfter(ctx, l, r, at)
	}
	for f, err := range all {
		if errors.Is(err, ledger.ErrNoPlace) {
			return nil, "", cursorError(after)
		}
		if err != nil {
			return nil, "", err
		}
		if len(some) == limit {
			return some, next, nil
		}
		some = append(some, console.FailureOf(f))
		next = f.Place.Parent.String() + "." + strconv.Itoa(f.Place.Slot)
	}
	return some, "", nil
}

// readCursor is the place that a cursor names.
func readCursor(after string) (at schema.Place, err error) {
	pid, slot, _ := strings.Cut(after, ".")
	err = at.Parent.UnmarshalText([]byte(pid))
	if err == nil {
		at.Slot, err = strconv.Atoi(slot)
	}
	if err != nil || at.IsRoot() {
		return at, cursorError(after)
	}
	return at, nil
}

type cursorError string

func (b cursorError) Error() string {
	return "after is " + strconv.Quote(string(b)) + ", want the next of an answer"
}
func (cursorError) Is(target error) bool { return target == web.ErrArgument }

// prefixTree answers what is asked of the prefixes of a run: while it goes on from what
// is committed, once it is over from its totals.
type prefixTree struct {
	depth  int
	blocks sink.Follower                                                          // nil: nobody keeps any
	totals func(ctx context.Context, r ledger.Run) (totals.Levels, string, error) // of a run that is over, and what they are known by; nil: not made yet
	ledger ledger.Ledger
	rest   time.Duration // between two reads of what was committed since
	final  bool          // there are no other totals of a run that is over than these

	mu      sync.Mutex
	caught  time.Time // when it was last read
	taken   int       // blocks, then
	whole   bool      // there were no others, then
	over    bool      // the run was, then
	live    *console.Tree
	answers map[web.Ask]*treeAnswer
	closed  bool
}

// treeAnswer is an answer that is given again, while it is as good as another.
type treeAnswer struct {
	tree web.Tree
	of   string // what it was read from
	part bool   // of what was committed, not all had been read
	at   time.Time
	took time.Duration
}

const (
	mostAnswers = 100 // are kept
	// catching is for how long one who asks waits for what was committed since: who opens
	// the page of a large run sees it fill, rather than nothing until all is read.
	catching = 500 * time.Millisecond
)

// good reports whether an answer need not be made again: nothing has changed, or it
// takes so long that making it each time would be most of what is done.
func (a *treeAnswer) good(of string, complete bool) bool {
	dear := 10 * a.took
	if a.part {
		dear = 2 * a.took
	}
	return a.of == of || !complete && !a.tree.Complete && time.Since(a.at) < max(time.Second, dear)
}

// source is where the lines of a run are read.
type source struct {
	lines    totals.Levels // nil: there are none
	of       string        // what they are known by
	complete bool          // there will be no others
	part     bool          // not all that was committed has been read
}

// from is where the lines of a run now are.
func (t *prefixTree) from(ctx context.Context, r ledger.Run) (source, error) {
	if r.State.Over() && r.State != ledger.Cancelled && t.totals != nil {
		lines, of, err := t.totals(ctx, r)
		if err != nil || of != "" {
			return source{lines: lines, of: of, complete: true}, err
		}
	}
	if t.blocks == nil {
		return source{of: "nothing"}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return source{}, errPageClosed
	}
	if t.live == nil {
		t.live = console.NewTree(t.ledger, t.blocks, t.depth)
	}
	if over := r.State.Over(); !t.whole || over != t.over || !over && time.Since(t.caught) >= t.rest {
		var err error
		if t.taken, t.whole, err = t.live.CatchUp(ctx, catching); err != nil {
			return source{}, err
		}
		t.caught, t.over = time.Now(), over
	}
	complete := t.final && t.whole && r.State.Over() && r.State != ledger.Cancelled
	return source{lines: t.live, of: strconv.Itoa(t.taken) + strconv.FormatBool(complete), complete: complete, part: !t.whole}, nil
}

var errPageClosed = errors.New("the page of the run is closed")

// read answers. Prefixes that are not known, or not yet, have nothing.
func (t *prefixTree) read(ctx context.Context, r ledger.Run, a web.Ask) (web.Tree, error) {
	t.mu.Lock()
	old := t.answers[a]
	t.mu.Unlock()
	if old != nil && !r.State.Over() && old.good("", false) {
		return old.tree, nil
	}
	began := time.Now()
	s, err := t.from(ctx, r)
	if err != nil {
		return web.Tree{}, err
	}
	if old != nil && old.good(s.of, s.complete) {
		return old.tree, nil
	}
	tree := web.Tree{Prefix: a.Prefix, Complete: s.complete}
	if s.lines != nil {
		part, err := totals.ReadPart(ctx, s.lines, a.Prefix, a.Top, sizes[a.By])
		if err != nil {
			return web.Tree{}, err
		}
		tree = treeOf(a.Prefix, s.complete, &part)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.answers) >= mostAnswers || t.answers == nil {
		t.answers = map[web.Ask]*treeAnswer{}
	}
	t.answers[a] = &treeAnswer{tree: tree, of: s.of, part: s.part, at: time.Now(), took: time.Since(began)}
	return tree, nil
}

var sizes = map[string]func(*totals.Line) int64{"objects": totals.Objects, "bytes": totals.Bytes, "time": totals.Took}

// histograms are those of all objects.
func (t *prefixTree) histograms(ctx context.Context, r ledger.Run) (h console.Histograms, err error) {
	s, err := t.from(ctx, r)
	if err != nil || s.lines == nil {
		return h, err
	}
	for l, err := range s.lines.Level(ctx, "", 0) {
		if err != nil {
			return h, err
		}
		h = console.HistogramsOf(l.Shape())
	}
	return h, nil
}

func (t *prefixTree) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.live != nil {
		t.live.Close()
	}
}

func sumsOf(e totals.Extent) web.Sums {
	return web.Sums{Objects: e.Objects, Bytes: e.Bytes, Seconds: float64(e.Micros) / 1e6}
}

func extentOf(s *totals.Sums) totals.Extent {
	return totals.Extent{Objects: s.Objects, Bytes: s.Bytes, Micros: s.Took().Microseconds()}
}

func treeOf(prefix string, complete bool, p *totals.Part) web.Tree {
	t := web.Tree{Prefix: prefix, Complete: complete, Sums: sumsOf(extentOf(&p.Sums)), Prefixes: p.Prefixes, Direct: sumsOf(p.Direct)}
	t.Rest = web.Rest{Prefixes: p.Prefixes - int64(len(p.Children)), Sums: sumsOf(p.Rest)}
	for i := range p.Children {
		c := &p.Children[i]
		t.Children = append(t.Children, web.Child{Prefix: c.Prefix, Sums: sumsOf(extentOf(&c.Sums)), More: c.More})
	}
	return t
}

// prefixTree is that of a run of this machine.
func (s *state) prefixTree(ctx context.Context, r ledger.Run) *prefixTree {
	if !findsObjects(r.Root.Kind) {
		return &prefixTree{}
	}
	depth, err := totals.ParseDepth(depthOf(r))
	if err != nil {
		depth = listing.DefaultDepth
	}
	t := &prefixTree{depth: depth, ledger: s.ledger, blocks: file.Follow(s.store), rest: time.Second}
	if kindOfOut(r.Options.Out) == outBucket {
		t.blocks = nil
		if cfg, err := s3client.LoadConfig(ctx); err == nil {
			t.blocks, t.rest = bucketTree(cfg, s.ledger, r).blocks, 10*time.Second
		}
	}
	t.totals = func(ctx context.Context, r ledger.Run) (totals.Levels, string, error) {
		b, found, err := s.loadBook(ctx)
		if err != nil || !found || b.epoch != int64(r.Epoch) {
			return nil, "", err
		}
		of := fmt.Sprintf("edition %d", b.edition)
		book, err := totals.Open(ctx, &shelf{s.store, b.edition})
		if err != nil || book == nil {
			return nil, of, err
		}
		return book, of, nil
	}
	return t
}

// Tree implements web.Run.
func (w *watched) Tree(ctx context.Context, a web.Ask) (web.Tree, error) {
	r, err := w.ledger.Run(ctx, w.run)
	if err != nil {
		return web.Tree{}, err
	}
	return w.prefixes.read(ctx, r, a)
}

// Histograms implements web.Run.
func (w *watched) Histograms(ctx context.Context) (console.Histograms, error) {
	r, err := w.ledger.Run(ctx, w.run)
	if err != nil {
		return console.Histograms{}, err
	}
	return w.prefixes.histograms(ctx, r)
}
