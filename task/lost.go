package task

import (
	"context"
	"errors"
	"fmt"

	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/schema"
)

// ErrLetter is the error of Lost for a message that has a reason already.
var ErrLetter = errors.New("the message is a dead letter with a reason")

// errOwned is the error of Lost where another attempt is about to settle the node.
var errOwned = errors.New("another attempt owns the node")

// Lost works on a message that the queue itself has moved to the dead-letter
// queue, because it was received too often: whoever worked on it died, or lost its
// lease, each time. What the ledger knows of the node is gone on with; otherwise
// the node is given up, unprocessed, and a letter with the reason is in the
// dead-letter queue. A message of a run that is paused goes back to the main
// queue: a pause must not cost a node. One that cannot be read or verified, or
// whose run is unknown, becomes a letter with the reason.
//
// nil: nothing remains to be done for the message, delete it from the dead-letter
// queue. ErrLetter: it has a reason and stays. Any other error: try again later.
// It may be repeated, and be called from many goroutines, between New and the end
// of Stop.
//
// Source: Amazon SQS Developer Guide, "Using dead-letter queues in Amazon SQS".
func (t *Task) Lost(ctx context.Context, d queue.Delivery) error {
	if d.Attrs[AttrReason] != "" {
		return ErrLetter
	}
	// Nothing holds it for us: its lease is the caller's.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &held{Delivery: d, ctx: ctx, cancel: cancel}
	msg, err := t.open(h)
	if err != nil {
		t.cfg.Log.Error("message rejected", "error", err, "bytes", len(d.Body))
		if err := t.deadLetter(ctx, h, err.Error()); err != nil {
			return fmt.Errorf("say why a message is dead: %w", err)
		}
		t.cfg.Observe(Observation{Rejected: 1})
		return nil
	}
	u := newUnit(t, h, msg)
	u.suspect, u.adopts, u.lost = true, true, true
	defer func() { t.cfg.Observe(u.observation()) }()
	v, err := u.handle(ctx)
	t.figures.end(msg.Run, u.under, &u.seen, false) // it held no slot, and is no message of the queue
	switch {
	case err != nil:
		return fmt.Errorf("go on with lost node %s of run %s: %w", msg.ID, msg.Run, err)
	case v == later: // paused
		return t.poster.Send(ctx, post.Letter{Message: u.copied(), Copy: true})
	case v != done:
		return fmt.Errorf("go on with lost node %s of run %s: %w", msg.ID, msg.Run, errOwned)
	}
	return nil
}

// lostReason says why a node is given up that no attempt came to an end with.
func (u *unit) lostReason() error {
	return fmt.Errorf("the queue gave it up after %d receives, none of which came to an end: did the task run out of memory, or of time to stop?", u.held.Receives)
}

// copied is the unit's message to be sent once more beside the first: the same
// message, and a suspect.
func (u *unit) copied() schema.Message {
	m := *u.m
	m.Re = max(m.Re, schema.PostAgain)
	if u.adopts {
		m.Re = schema.PostAdopt // the attribute that says so is not sent along
	}
	return m
}

// giveUpLost gives the node up in the place of processing it.
func (u *unit) giveUpLost(ctx context.Context) (verdict, error) {
	why := u.lostReason()
	u.t.cfg.Log.Error("node given up", "run", u.m.Run, "node", u.m.ID, "tries", u.m.Tries, "error", why)
	return u.giveUp(ctx, why)
}
