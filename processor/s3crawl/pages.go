package s3crawl

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
)

// Pages is what is done to the objects of a crawl, within the units that list
// them: no message and no record is written for an object or a page. A Crawl with
// Pages is a processor of a kind of its own.
type Pages interface {
	// Page works on a page of the objects that the run wants. It counts them and
	// writes what comes of them, in place of the crawl (processor.Out: it writes
	// also where there is nothing); the crawl counts prefixes.
	//
	// It returns how many of the first objects are done: what Listed.Each says, or
	// all. The others come again, in a later unit; so may, after a crash or a
	// failure, those that were done. An error fails the attempt: of what is known
	// about single objects rows are written instead. Page must then have counted
	// and written nothing, if it is because ctx ended.
	//
	// Page is called from several goroutines, each of which holds a slot until it
	// calls Each. It keeps neither n nor l nor out.
	Page(ctx context.Context, n *processor.Node, l *Listed, out processor.Out) (done int, err error)
}

// Listed is a page of a listing, less what the run does not want.
type Listed struct {
	Bucket string
	Root   string          // the root's prefix, which all keys begin with
	Folder int             // bytes of it up to its last '/': filters see what is below
	With   json.RawMessage // of the node's args: what Below or With has put there
	// Objects are in the order of their keys, and of one key the newest version
	// first. The slice is good until Page returns, its strings for ever.
	Objects []inventory.Object
	// After and Until say between which keys the page is: all keys with After < key
	// ≤ Until are on it, or not wanted. Until "" is no bound. (Of versions a key may
	// be on two pages.) In mode prefix only what is directly below Prefix is.
	After, Until string
	Prefix       string // the node's prefix

	unit    *unit
	piece   *piece          // nil in mode prefix
	slot    processor.Slot  // nil: the unit's own
	gone    bool            // the slot was handed on
	counted bool            // what there is to do is known
	took    time.Duration   // to list it
	each    []time.Duration // that work on each of Objects took; guarded by the batch
}

// ErrLater is for what Each calls: the object is not done, and will come again in
// another unit. It is for long work that can be gone on with, when Due says so.
var ErrLater = errors.New("the object is to be gone on with later")

// Each calls do with the indexes in todo, which ascend, each an object; about in
// their order, with as many at a time as there are slots for it. It returns how
// many of the first objects are done, taking those that are not in todo for done;
// it is fewer than all where the unit ends, or do returns ErrLater. Another error
// of do ends it. It is called once a page.
func (l *Listed) Each(ctx context.Context, todo []int, do func(ctx context.Context, i int) error) (done int, err error) {
	u := l.unit
	l.each = make([]time.Duration, len(l.Objects))
	b := &batch{ctx: ctx, todo: todo, do: do, first: len(l.Objects), took: l.each, over: make(chan struct{})}
	if !u.push(l, b) {
		return len(l.Objects), nil
	}
	<-b.over
	u.mu.Lock()
	defer u.mu.Unlock()
	return b.done(), b.err
}

// Due reports whether the unit is to end soon, so that long work on an object
// should stop where it can be gone on with, and return ErrLater.
func (l *Listed) Due() bool {
	u := l.unit
	u.askDue()
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.mustEnd()
}

// batch is the objects of one page that are worked on.
type batch struct {
	ctx   context.Context
	todo  []int
	do    func(ctx context.Context, i int) error
	next  int // of todo, the first that has not begun
	busy  int // that have begun and are not over
	first int // of the objects, the first that is known not to be done; all: none
	took  []time.Duration
	err   error
	shut  bool // no other begins
	ended bool
	over  chan struct{}
}

// done is how many of the first objects are done; the batch is over.
func (b *batch) done() int {
	if b.next < len(b.todo) {
		return min(b.first, b.todo[b.next])
	}
	return b.first
}

// left is how many have not begun, and will.
func (b *batch) left() int {
	if b.shut {
		return 0
	}
	return len(b.todo) - b.next
}

// settle ends the batch where nothing is under way and nothing will be; the unit's
// mu is held.
func (b *batch) settle() {
	if b.busy == 0 && b.left() == 0 && !b.ended {
		b.ended = true
		close(b.over)
	}
}
