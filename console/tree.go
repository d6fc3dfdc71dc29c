package console

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/totals"
)

// Tree is the totals per prefix of a run while it goes on: exact of what is committed.
//
// Each call of CatchUp goes on behind the one before. A block counts when its unit
// does: that of a node with children when the ledger has the unit's plan, that of a leaf
// unless the ledger has a plan with children for its node. What it cannot know is that a
// leaf whose results were committed is taken back by another attempt that has children,
// after a crash between the two: so until the run is over it may show such a leaf twice.
type Tree struct {
	ledger ledger.Ledger
	blocks sink.Follower
	depth  int

	mu      sync.Mutex // one catches up at a time
	live    *totals.Live
	before  *totals.Live // what is shown until live has as much; nil: live is shown
	mark    string
	waiting map[sink.Committed][][]byte // of units whose plan is not there yet
	known   map[sink.Committed]bool     // units of late that count
	taken   int                         // blocks, those that were taken again included
	closed  bool
}

var _ totals.Levels = (*Tree)(nil)

// NewTree is a tree down to a depth. Close it in the end.
func NewTree(l ledger.Ledger, blocks sink.Follower, depth int) *Tree {
	t := &Tree{ledger: l, blocks: blocks, depth: depth}
	t.anew(false)
	return t
}

// anew forgets what was read. What is sound of it is shown until as much has been read
// again: the results of a run are made anew when it ends, which is no time for its tree to
// be empty.
func (t *Tree) anew(sound bool) {
	switch {
	case t.live == nil:
	case sound && t.before == nil:
		t.before = t.live
	default:
		t.live.Close()
	}
	t.live, t.mark = totals.NewLive(t.depth), ""
	t.waiting, t.known = map[sink.Committed][][]byte{}, map[sink.Committed]bool{}
}

// askAtOnce is how many plans are asked for at a time.
const askAtOnce = 200

// CatchUp reads what was committed since, for about as long as it may, and returns how
// many blocks have been taken in all, also again — while it is the same, so are the lines —
// and whether that is the whole of what was there: if not, the next call goes on.
func (t *Tree) CatchUp(ctx context.Context, atMost time.Duration) (taken int, whole bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return 0, false, errTreeClosed
	}
	began := time.Now()
	goOn := func() bool { return time.Since(began) < atMost }
	whole, err = t.catchUp(ctx, goOn)
	if errors.Is(err, sink.ErrAnew) {
		t.anew(true)
		whole, err = t.catchUp(ctx, goOn)
	}
	if err != nil {
		return 0, false, fmt.Errorf("sum up prefixes: %w", err)
	}
	if whole && t.before != nil {
		t.before.Close()
		t.before = nil
		t.taken++ // what is shown is another
	}
	return t.taken, whole, nil
}

var errTreeClosed = errors.New("the tree is closed")

func (t *Tree) catchUp(ctx context.Context, goOn func() bool) (whole bool, err error) {
	if err := t.askAgain(ctx); err != nil {
		return false, err
	}
	batch := map[sink.Committed][][]byte{}
	mark := t.mark
	flush := func() error {
		if err := t.take(ctx, batch); err != nil {
			return err
		}
		t.mark = mark
		clear(batch)
		return nil
	}
	size := 0
	for b, err := range t.blocks.Since(ctx, sink.Prefixes, t.mark) {
		if err != nil {
			return false, err
		}
		// Not within a unit, or what is below a prefix would be more than the prefix.
		if _, same := batch[b.Unit]; !same && len(batch) >= askAtOnce || size > 4<<20 {
			if err := flush(); err != nil {
				return false, err
			}
			size = 0
			if !goOn() {
				return false, nil
			}
		}
		batch[b.Unit] = append(batch[b.Unit], b.Block)
		mark, size = b.Mark, size+len(b.Block)
	}
	return true, flush()
}

// askAgain takes what has waited for a plan.
func (t *Tree) askAgain(ctx context.Context) error {
	if len(t.waiting) == 0 {
		return nil
	}
	waiting := t.waiting
	t.waiting = map[sink.Committed][][]byte{}
	if err := t.take(ctx, waiting); err != nil {
		t.waiting = waiting // a block that was taken is not among them: take asks first
		return err
	}
	return nil
}

// take adds the blocks of the units that count, and keeps those of which that is not
// known yet.
func (t *Tree) take(ctx context.Context, units map[sink.Committed][][]byte) error {
	var ask []sink.Committed
	for u := range units {
		if !t.known[u] {
			ask = append(ask, u)
		}
	}
	counts := map[sink.Committed]bool{}
	for len(ask) > 0 {
		n := min(len(ask), askAtOnce)
		keys := make([]ledger.Key, 0, n)
		for _, u := range ask[:n] {
			keys = append(keys, ledger.Key{PID: u.PID})
		}
		rec, err := t.ledger.Read(ctx, keys)
		if err != nil {
			return err
		}
		for i, u := range ask[:n] {
			if sure, yes := verdictOf(u, rec[i].Plan); sure {
				counts[u] = yes
			}
		}
		ask = ask[n:]
	}
	if len(t.known)+len(counts) > mostKnown {
		clear(t.known)
	}
	for u, blocks := range units {
		yes, sure := counts[u]
		switch {
		case t.known[u], yes:
			for _, b := range blocks {
				if err := t.live.Add(b); err != nil {
					t.anew(false) // some are in it that would come again
					return err
				}
				t.taken++
			}
			t.known[u] = true
		case !sure:
			t.waiting[u] = append(t.waiting[u], blocks...)
		}
	}
	return nil
}

// mostKnown is of how many units it is remembered that they count: blocks of one come
// one after the other.
const mostKnown = 10_000

// verdictOf says whether a unit counts, as far as its node's plan tells.
func verdictOf(u sink.Committed, p *ledger.Plan) (sure, yes bool) {
	switch {
	case u.Leaf:
		// The sink has let one attempt win. It does not count where another attempt on
		// the node has found children, nor as long as the node is given up.
		return p == nil || p.Type != ledger.Tomb, p == nil || p.Type == ledger.Leaf
	case p == nil, p.Type == ledger.Tomb:
		return false, false // it may come yet
	default:
		return true, p.Type == ledger.Live && p.Attempt == u.Attempt
	}
}

// Level implements totals.Levels, of what was read so far.
func (t *Tree) Level(ctx context.Context, prefix string, level int) iter.Seq2[totals.Line, error] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.before != nil {
		return t.before.Level(ctx, prefix, level)
	}
	return t.live.Level(ctx, prefix, level)
}

// Close forgets all.
func (t *Tree) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.live.Close()
	if t.before != nil {
		t.before.Close()
	}
}
