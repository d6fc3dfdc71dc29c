package s3crawl

import (
	"context"
	"errors"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/totals"
)

// patience is how long the end of a unit waits for pages under way. A page that
// takes longer is being retried: its piece is handed on as it was.
const patience = 5 * time.Second

var errHandOn = errors.New("the unit ends")

// piece is a stretch of keys that is not listed yet: after < key ≤ until. At
// most one lister holds it; others may lower its until meanwhile.
type piece struct {
	after, until string
	mark         string // of versions: the rest of key after, behind this version, belongs to it too
	held         bool
	token        string        // of a page that had no key to go on from
	failed       error         // it could not be listed now, in spite of retries
	tally        *totals.Tally // of what was listed up to after
	guess        guess         // the policy's
}

// unit lists the ranges of one node in one attempt.
type unit struct {
	job
	crew
	split   policy
	listers sync.WaitGroup // on borrowed slots
	end     context.CancelCauseFunc

	mu     sync.Mutex
	wake   *sync.Cond // something changed for who has nothing to do
	pieces []*piece   // all that is not listed to its end
	pages  int
	listed int64
	past   past // of the children
	due    processor.Due
	failed error // a piece failed: the last to do so
	broken error // the attempt is void
	timer  *time.Timer
}

func newUnit(j job, s policy) *unit {
	u := &unit{job: j, split: s}
	u.wake = sync.NewCond(&u.mu)
	for _, r := range j.Ranges {
		p := &piece{after: r.After, until: r.Until, mark: r.Mark, tally: u.newTally()}
		s.open(p, float64(r.Left))
		u.pieces = append(u.pieces, p)
	}
	return u
}

func (u *unit) newTally() *totals.Tally {
	return totals.NewTally(*u.Base, u.depth).WithDigests(u.wish.Checksums)
}

// run lists on the unit's own slot and on borrowed ones, until all is listed or
// the unit must end.
func (u *unit) run(ctx context.Context) error {
	if u.crawl.pages != nil {
		return u.runPages(ctx)
	}
	listing, end := context.WithCancelCause(ctx)
	defer end(nil)
	u.end = end

	first := u.wait()
	u.recruit(listing)
	for p := first; p != nil; p = u.wait() {
		u.list(listing, p, nil)
	}
	u.listers.Wait()
	if u.timer != nil {
		u.timer.Stop()
	}
	return u.conclude()
}

// conclude ends the unit when nothing is under way any more.
func (u *unit) conclude() error {
	switch {
	case u.broken != nil:
		return u.broken
	case u.pages == 0 && u.failed != nil:
		return u.failed
	}
	return u.handOn()
}

// wait takes a piece for the unit's own slot, as soon as there is one; nil when
// there will be none.
func (u *unit) wait() *piece {
	u.mu.Lock()
	defer u.mu.Unlock()
	for {
		if p := u.take(); p != nil {
			return p
		}
		if u.ending() || !u.anyHeld() {
			return nil
		}
		u.wake.Wait()
	}
}

// recruit borrows slots for as long as there is something to list on them.
func (u *unit) recruit(ctx context.Context) {
	for {
		slot, ok := u.out.Borrow()
		if !ok {
			return
		}
		u.mu.Lock()
		p := u.take()
		u.mu.Unlock()
		if p == nil {
			slot.Return()
			return
		}
		u.listers.Go(func() {
			defer slot.Return()
			for p != nil && u.list(ctx, p, slot) {
				u.mu.Lock()
				p = u.take()
				u.mu.Unlock()
			}
		})
	}
}

// take finds a piece that nobody holds, or cuts one off; u.mu is held.
func (u *unit) take() *piece {
	if u.ending() {
		return nil
	}
	var best *piece
	for _, p := range u.pieces {
		if !p.held && p.failed == nil && (best == nil || p.guess.left > best.guess.left) {
			best = p
		}
	}
	if best == nil {
		best = u.cut()
	}
	if best != nil {
		best.held = true
	}
	return best
}

// cut makes two pieces of one where the splitter sees fit, and returns the far
// one; u.mu is held.
func (u *unit) cut() *piece {
	near, at, ok := u.split.cut(u.pieces)
	if !ok {
		return nil
	}
	far := &piece{after: at, until: near.until, tally: u.newTally()}
	near.until = at
	u.split.divide(near, far)
	u.pieces = append(u.pieces, far)
	return far
}

func (u *unit) ending() bool { return u.due != processor.NotDue || u.broken != nil }

func (u *unit) anyHeld() bool {
	for _, p := range u.pieces {
		if p.held {
			return true
		}
	}
	return false
}

// list lists a piece page by page until its end or the unit's, or until the
// slot is wanted elsewhere. It reports whether the slot may go on.
func (u *unit) list(ctx context.Context, p *piece, slot processor.Slot) bool {
	for {
		pg, err := u.page(ctx, Query{After: p.after, Mark: p.mark, Token: p.token})
		if err != nil {
			u.fail(ctx, p, err)
			return false
		}
		objects, more := u.arrive(p, pg)
		if err := u.record(p, objects, more, pg.took); err != nil {
			u.void(err)
		}
		pg.Release()
		u.askDue()
		wanted := slot != nil && slot.Wanted()
		u.mu.Lock()
		over := u.ending()
		p.held = more && !over && !wanted
		u.wake.Broadcast()
		u.mu.Unlock()
		if over || wanted {
			return false
		}
		u.recruit(ctx)
		if !more {
			return true
		}
	}
}

// arrive takes from a page what belongs to the piece by the bound now in force,
// and moves the piece on; more is false at its end.
func (u *unit) arrive(p *piece, pg Page) (objects []inventory.Object, more bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	objects, more = pg.Objects, pg.More
	if p.until != "" {
		n := sort.Search(len(objects), func(i int) bool { return objects[i].Key > p.until })
		more = more && n == len(objects) && (n == 0 || u.mayGoOn(objects[n-1].Key, p.until))
		objects = objects[:n]
	}
	u.pages++
	u.listed += int64(len(objects))
	p.token = ""
	switch {
	case !more:
	case u.versions:
		p.after, p.mark = pg.After, pg.Mark
		more = p.until == "" || p.after < p.until || p.after == p.until && p.mark != ""
	case len(objects) > 0:
		p.after = strings.Clone(objects[len(objects)-1].Key) // longer than the page
	default:
		p.token = pg.Token
	}
	u.split.page(p, objects, more)
	if !more {
		for i := range u.pieces {
			if u.pieces[i] == p {
				u.pieces = append(u.pieces[:i], u.pieces[i+1:]...)
				break
			}
		}
	}
	return objects, more
}

// mayGoOn reports whether there may be more of a piece after a key. Of the key
// that is its bound there may be more versions.
func (u *unit) mayGoOn(key, until string) bool { return key < until || u.versions && key == until }

// record writes what a page brought.
func (u *unit) record(p *piece, objects []inventory.Object, more bool, took time.Duration) error {
	objects = u.matching(objects)
	p.tally.Spend(took, len(objects))
	if err := u.deliver(objects); err != nil {
		return err
	}
	for i := range objects {
		if p.tally.Full() {
			if err := u.account(p.tally); err != nil {
				return err
			}
		}
		p.tally.Add(&objects[i])
	}
	if more {
		return nil
	}
	return u.account(p.tally)
}

// askDue asks whether the unit should end, and lets pages under way come in.
func (u *unit) askDue() {
	due := u.out.Due()
	u.mu.Lock()
	defer u.mu.Unlock()
	if due == processor.NotDue || u.due == processor.Stop || u.Mode == Prefix {
		return
	}
	if due == processor.Checkpoint && u.crawl.pages != nil && time.Since(u.began) < workTime {
		return
	}
	first := u.due == processor.NotDue
	u.due = due
	switch {
	case due == processor.Stop:
		u.end(errHandOn)
		if u.partial {
			u.stop = time.AfterFunc(stopTime, func() { u.callOff(errCalledOff) })
		}
	case first:
		u.timer = time.AfterFunc(patience, func() { u.end(errHandOn) })
	}
	u.wake.Broadcast()
}

// fail sets a piece aside that could not be listed. The others go on: at the
// end it becomes a child of its own, so that it fails alone if it must.
func (u *unit) fail(ctx context.Context, p *piece, err error) {
	u.mu.Lock()
	p.held = false
	switch {
	case u.ending(): // the page was called off
	case ctx.Err() != nil: // the lease is lost, or the task stops
		u.broken = context.Cause(ctx)
	case processor.IsPermanent(err):
		u.broken = err
		u.end(err)
	default:
		p.failed, u.failed = err, err
	}
	u.wake.Broadcast()
	u.mu.Unlock()
	u.askDue()
}

// void gives the attempt up.
func (u *unit) void(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.broken = err
	u.end(err)
	u.wake.Broadcast()
}
