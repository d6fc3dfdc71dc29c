package s3crawl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
)

const (
	// ahead is how many objects wait for each slot at least, before another page is
	// listed: enough for as long as a page takes, and so little that a unit which
	// ends has few pages to list again.
	ahead = 8

	// workTime is how long a unit with Pages works between two checkpoints. Much of
	// what is begun again after a crash is seen to be done.
	workTime = 10 * time.Second

	// stopTime is for objects under way when the task stops: then they are called off.
	stopTime = 3 * time.Second

	recentYield = 0.5 // what a page weighs in the objects to expect of one
)

// errCalledOff ends work under way in a unit that must end.
var errCalledOff = errors.New("the task stops")

// crew is what a unit with Pages has beside: who lists, and who works on what was
// listed. Each slot does what is wanted most.
type crew struct {
	work    context.Context // of Pages; it outlives that of LISTs
	lists   context.Context
	callOff context.CancelCauseFunc
	stop    *time.Timer

	began   time.Time
	slots   int      // of the task, about
	partial bool     // the unit may end within a page
	batches []*batch // the oldest first; those behind the first have not begun
	pending int      // objects that have not begun
	listing int      // pages under way, until it is known what there is to do
	paging  int      // pages that are worked on
	yield   float64  // objects to work on that a page has, about
	learned bool     // it is more than a guess
}

// labour is what to do on a slot: an object of a batch, or to list a piece.
type labour struct {
	batch *batch
	i     int
	piece *piece
}

func (l labour) none() bool { return l.batch == nil && l.piece == nil }

// employ makes the unit one that works on what it lists.
func (u *unit) employ(ctx context.Context) (dismiss func()) {
	u.began, u.slots, u.yield = time.Now(), u.crawl.slots, pageKeys
	u.partial = u.Mode == Range && !u.versions
	u.work, u.callOff = context.WithCancelCause(ctx)
	u.lists, u.end = context.WithCancelCause(u.work)
	return func() {
		u.listers.Wait()
		u.callOff(nil)
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, t := range []*time.Timer{u.timer, u.stop} {
			if t != nil {
				t.Stop()
			}
		}
	}
}

// runPages lists and works, on the unit's own slot and on borrowed ones.
func (u *unit) runPages(ctx context.Context) error {
	dismiss := u.employ(ctx)
	// A unit that may have the task's idle slots is not asked to share its work with
	// them, though it does not need them yet.
	if slot, ok := u.out.Borrow(); ok {
		slot.Return()
	}
	u.listers.Go(func() { u.toil(nil, u.next(nil)) })
	dismiss()
	return u.conclude()
}

// toil does what there is to do on a slot, and returns it.
func (u *unit) toil(slot processor.Slot, l labour) {
	for ; !l.none(); l = u.next(slot) {
		u.hire()
		if l.batch != nil {
			u.object(l)
		} else if u.listPage(l.piece, slot) {
			return // the slot was handed on
		}
		u.askDue()
		if slot != nil && slot.Wanted() {
			break
		}
	}
	if slot != nil {
		slot.Return()
	}
}

// hire borrows slots for as long as there is something to do on them.
func (u *unit) hire() {
	for u.busy() {
		slot, ok := u.out.Borrow()
		if !ok {
			return
		}
		l := u.next(slot)
		if l.none() {
			slot.Return()
			return
		}
		u.listers.Go(func() { u.toil(slot, l) })
	}
}

// busy reports whether there may be something to do on another slot.
func (u *unit) busy() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pending > 0 || u.hungry()
}

// next is what to do on a slot. The unit's own slot waits for it.
func (u *unit) next(slot processor.Slot) labour {
	u.mu.Lock()
	defer u.mu.Unlock()
	for {
		if u.hungry() {
			if p := u.take(); p != nil {
				u.listing++
				return labour{piece: p}
			}
		}
		if b := u.front(); b != nil {
			i := b.todo[b.next]
			b.next++
			b.busy++
			u.pending--
			return labour{batch: b, i: i}
		}
		if slot != nil || u.listing+u.paging == 0 || u.mustEnd() {
			return labour{}
		}
		u.wake.Wait()
	}
}

// hungry reports whether it is time to list; a unit of mode prefix does not list in
// pieces. u.mu is held.
func (u *unit) hungry() bool {
	return u.split != nil && !u.ending() && float64(u.pending)+float64(u.listing)*u.yield < float64(ahead*u.slots)
}

// mustEnd reports whether no other object may begin; u.mu is held.
func (u *unit) mustEnd() bool { return u.broken != nil || u.partial && u.ending() }

// front is the batch to work on; u.mu is held.
func (u *unit) front() *batch {
	for len(u.batches) > 0 {
		b := u.batches[0]
		if u.mustEnd() {
			u.shut(b)
		}
		if b.left() > 0 {
			return b
		}
		u.batches = u.batches[1:]
	}
	return nil
}

// shut lets no other object of a batch begin; u.mu is held.
func (u *unit) shut(b *batch) {
	if b.shut {
		return
	}
	u.pending -= b.left()
	b.shut = true
	b.settle()
}

// object works on an object.
func (u *unit) object(l labour) {
	b := l.batch
	began := time.Now()
	err := b.do(b.ctx, l.i)
	u.mu.Lock()
	defer u.mu.Unlock()
	b.took[l.i] += time.Since(began)
	b.busy--
	if err != nil {
		b.first = min(b.first, l.i)
	}
	if err == nil || errors.Is(err, ErrLater) || u.calledOff() {
		b.settle()
		return
	}
	if b.err == nil {
		b.err = err
	}
	if b.shut {
		b.settle()
	}
	u.shut(b)
}

// calledOff reports whether work was ended by the unit, and not from outside.
func (u *unit) calledOff() bool { return errors.Is(context.Cause(u.work), errCalledOff) }

// push gives a batch to the crew, and the slot of who works on the page; false if
// there is nothing to do.
func (u *unit) push(l *Listed, b *batch) bool {
	u.mu.Lock()
	u.expect(l, len(b.todo))
	if len(b.todo) == 0 {
		u.mu.Unlock()
		return false
	}
	u.batches = append(u.batches, b)
	u.pending += len(b.todo)
	if u.mustEnd() {
		u.shut(b)
	}
	u.mu.Unlock()
	l.gone = true
	u.listers.Go(func() { u.toil(l.slot, u.next(l.slot)) })
	return true
}

// expect learns how much there is to do of a page; u.mu is held.
func (u *unit) expect(l *Listed, n int) {
	if l.counted || l.piece == nil {
		return
	}
	l.counted = true
	u.listing--
	if u.learned {
		u.yield += recentYield * (float64(n) - u.yield)
	} else {
		u.yield, u.learned = float64(n), true
	}
	u.wake.Broadcast()
}

// listPage lists a page of a piece and has it worked on. It reports whether the
// slot was handed on.
func (u *unit) listPage(p *piece, slot processor.Slot) (gone bool) {
	after, mark := p.after, p.mark
	pg, err := u.page(u.lists, Query{After: p.after, Mark: p.mark, Token: p.token})
	if err != nil {
		u.mu.Lock()
		u.listing--
		u.mu.Unlock()
		u.fail(u.lists, p, err)
		return false
	}
	defer pg.Release()
	objects, more := u.arrive(p, pg)
	until := p.until // if there is more it may change, and else not
	if more {
		until = after
		if n := len(objects); n > 0 {
			until = strings.Clone(objects[n-1].Key)
		}
	}
	l := u.forPages(objects, after, until)
	l.piece, l.slot, l.took = p, slot, pg.took
	u.mu.Lock()
	p.held = false
	u.paging++
	u.wake.Broadcast()
	u.mu.Unlock()
	u.hire() // others may list what is behind the page
	rest, err := u.workOn(l)
	u.mu.Lock()
	u.expect(l, 0)
	u.paging--
	if rest != nil {
		rest.mark = mark
		if rest.after != after {
			rest.mark = ""
		}
		u.split.open(rest, float64(len(objects)))
		u.pieces = append(u.pieces, rest)
	}
	u.wake.Broadcast()
	u.mu.Unlock()
	if err != nil {
		u.void(err)
	}
	return l.gone
}

// forPages is a page for Pages.
func (u *unit) forPages(objects []inventory.Object, after, until string) *Listed {
	return &Listed{
		Bucket: u.Bucket, Root: u.Prefix[:*u.Base], Prefix: u.Prefix, Folder: u.folder, With: u.With,
		Objects: u.matching(objects), After: after, Until: until, unit: u,
	}
}

// workOn has a page worked on, and sums up what is done of it. What is left of it
// is a piece again.
func (u *unit) workOn(l *Listed) (rest *piece, err error) {
	done, err := u.crawl.pages.Page(u.work, u.node, l, u.out)
	if err != nil {
		u.mu.Lock()
		off := u.partial && u.calledOff()
		u.mu.Unlock()
		if !off {
			return nil, err
		}
		done = 0
	}
	t := u.newTally()
	for i := range l.Objects[:done] {
		if l.each != nil { // what was worked on takes most of the time
			t.Spend(l.each[i]+l.took/time.Duration(done), 1)
		} else {
			t.Spend(l.took/time.Duration(done), 1)
		}
		if t.Full() {
			if err := u.account(t); err != nil {
				return nil, err
			}
		}
		t.Add(&l.Objects[i])
	}
	if err := u.account(t); err != nil {
		return nil, err
	}
	left := len(l.Objects) - done
	if left == 0 {
		return nil, nil
	}
	rest = &piece{after: l.After, until: l.Until, tally: u.newTally()}
	if done > 0 {
		rest.after = strings.Clone(l.Objects[done-1].Key)
	}
	u.mu.Lock()
	u.listed -= int64(left)
	u.mu.Unlock()
	return rest, nil
}

// workOnWhole has a page of mode prefix worked on to its end: such a node is never
// handed on half done.
func (j *job) workOnWhole(ctx context.Context, objects []inventory.Object) error {
	u := &unit{job: *j}
	u.wake = sync.NewCond(&u.mu)
	dismiss := u.employ(ctx)
	defer dismiss()
	l := u.forPages(objects, "", "")
	u.paging = 1
	done, err := j.crawl.pages.Page(u.work, j.node, l, j.out)
	u.mu.Lock()
	u.paging = 0
	u.wake.Broadcast()
	u.mu.Unlock()
	if err == nil && done < len(l.Objects) {
		err = fmt.Errorf("work on %s: %d of %d objects are done", j.name(), done, len(l.Objects))
	}
	return err
}
