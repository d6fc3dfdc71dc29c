package task

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/schema"
)

// verdict is what becomes of a message after its unit.
type verdict int

const (
	done    verdict = iota // nothing remains to be done for it: delete
	letGo                  // somebody else owns what remains: do nothing
	return_                // put back at once: the unit did not get to its end
	later                  // put back for a while: the run is paused, or something is in trouble
)

// work is one unit, from the message to its end. Nothing here panics or fails:
// whatever happens, the message is deleted, returned, or left to its lease.
func (t *Task) work(m *held) {
	msg, err := t.open(m)
	if err != nil {
		t.reject(m, err)
		return
	}
	u := newUnit(t, m, msg)
	defer func() { t.cfg.Observe(u.observation()) }()
	ctx := m.ctx
	v, err := u.handle(ctx)
	for l := range u.loans.Range { // of a processor that panicked
		l.(*loan).Return()
	}
	u.seen.busy = time.Since(u.began)
	t.figures.end(msg.Run, u.under, &u.seen, err == nil && v == done)
	switch {
	case err == nil:
	case context.Cause(ctx) != nil && errors.Is(context.Cause(ctx), ErrLeaseLost):
		return // another delivery goes on
	case ctx.Err() != nil:
		v = return_
	default:
		// The queue, the ledger or the sink failed: the node is not to blame.
		t.cfg.Trouble(err)
		t.cfg.Log.Warn("unit not finished", "run", msg.Run, "node", msg.ID, "error", err)
		v = later
	}
	switch v {
	case done:
		t.deletes.add(m)
	case letGo:
		t.holder.drop(m)
	case return_:
		t.giveBack(context.WithoutCancel(ctx), m)
	case later:
		u.postpone(context.WithoutCancel(ctx))
	}
}

func (t *Task) open(m *held) (*schema.Message, error) {
	if err := t.cfg.Keys.Verify(m.Body, m.Attrs); err != nil {
		return nil, err
	}
	return schema.Parse(m.Body)
}

// giveBack makes messages visible again at once.
func (t *Task) giveBack(ctx context.Context, ms ...*held) { t.putBack(ctx, 0, ms...) }

// putBack makes messages visible again after a delay, all in the time of one
// call: a task that stops has no more.
func (t *Task) putBack(ctx context.Context, delay time.Duration, ms ...*held) {
	var leases []queue.Lease
	for _, m := range ms {
		if t.holder.drop(m) {
			leases = append(leases, queue.Lease{Receipt: m.Receipt, Visibility: delay})
		}
	}
	if len(leases) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// If this fails the leases run out by themselves.
	t.cfg.Queue.Extend(ctx, leases)
}

// A queue counts receives, and moves a message that has had too many to its
// dead-letter queue: a pause must not have it do so.
const (
	firstPutOff   = time.Second
	longestPutOff = 512 * time.Second
	mostPutOffs   = 10 // then a copy goes on, which nobody has received
)

// putOff is how long a message stays away that was received so many times and
// cannot be worked on now: doubled each time, less some jitter, so that after a
// pause it is back in about the time that the pause took.
func putOff(receives int) time.Duration {
	d := min(firstPutOff<<min(max(receives, 1)-1, mostPutOffs), longestPutOff)
	return d - rand.N(d/4)
}

// postpone puts the unit's message back for a while. One that was often put back
// is sent anew, as a copy, and deleted: its receive count begins again.
func (u *unit) postpone(ctx context.Context) {
	t, m := u.t, u.held
	d := min(putOff(m.Receives), t.cfg.Queue.Limits().Delay)
	if m.Receives >= mostPutOffs && !t.stopping.Load() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		err := t.poster.Send(ctx, post.Letter{Message: u.copied(), Delay: d, Copy: true})
		if err == nil {
			t.deletes.add(m)
			return
		}
		t.cfg.Log.Warn("message not sent anew, it is put back", "run", u.m.Run, "node", u.m.ID, "receives", m.Receives, "error", err)
	}
	t.putBack(ctx, d, m)
}

// reject moves a message that cannot be executed to the dead-letter queue.
func (t *Task) reject(m *held, why error) {
	t.cfg.Log.Error("message rejected", "error", why, "bytes", len(m.Body))
	if err := t.deadLetter(m.ctx, m, why.Error()); err != nil {
		t.cfg.Log.Warn("message not moved to the dead-letter queue; it will be received again", "error", err)
		t.putBack(context.WithoutCancel(m.ctx), putOff(m.Receives), m)
		return
	}
	t.cfg.Observe(Observation{Rejected: 1})
	t.deletes.add(m)
}

// trouble marks an error of the ledger or the sink on its way through a
// processor, so that it is not taken for a failure of the node.
type trouble struct{ error }

func (t trouble) Unwrap() error { return t.error }

// fail takes note of a failed attempt: the node is tried again, or given up. A
// retry is a copy of the message that counts one failure more; a receive count
// would also count returns, drains and lost leases.
func (u *unit) fail(ctx context.Context, why error) (verdict, error) {
	t := u.t
	if processor.IsPermanent(why) || u.m.Tries >= u.run.Options.Retries {
		t.cfg.Log.Error("node given up", "run", u.m.Run, "node", u.m.ID, "tries", u.m.Tries+1, "error", why)
		return u.giveUp(ctx, why)
	}
	t.cfg.Log.Warn("node failed, will be tried again", "run", u.m.Run, "node", u.m.ID, "tries", u.m.Tries+1, "error", why)
	again := u.copied()
	again.Tries++
	if err := t.poster.Send(ctx, post.Letter{Message: again, Delay: t.backoff(u.m.Tries, processor.WantedAfter(why)), Copy: true}); err != nil {
		return 0, err
	}
	u.seen.retries++
	t.figures.change(u.m.Run, func(w *ledger.Worker) { w.Retries++ })
	return done, nil
}

// backoff is the pause before retry n (from 0): doubled each time, with full
// jitter on its upper half, and at least as long as the failure asks for, within what
// the queue can delay.
func (t *Task) backoff(n int, least time.Duration) time.Duration {
	d := t.cfg.Backoff << min(n, 16)
	d = min(d, t.cfg.Queue.Limits().Delay, 5*time.Minute)
	d = d/2 + rand.N(d/2+1)
	return max(d, min(least, t.cfg.Queue.Limits().Delay))
}
