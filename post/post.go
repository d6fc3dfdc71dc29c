// Package post signs messages and sends them until the queue has them, marking
// what may have been sent twice.
package post

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ramify/ramify/queue"
	"github.com/ramify/ramify/schema"
)

// Poster sends node messages to a queue.
type Poster struct {
	Queue queue.Queue
	Keys  *schema.Keyring // nil: unsigned

	// Route, if set, says by kind and args on which queue a node waits; nil is Queue.
	// Copies stay on Queue: somebody there has found that he can work on them.
	Route Route

	// Trouble, if set, is told each time that entries must be sent again: a
	// sender that only waits would hide a medium that is gone for good.
	Trouble func(error)
}

// Route says on which queue nodes of a kind, with some args, wait; nil is the poster's.
type Route func(kind string, args schema.Args) Sender

// Sender is the part of a queue.Queue that takes messages.
type Sender interface {
	Send(ctx context.Context, entries []queue.Entry) []error
}

// Letter is a message and how long it stays invisible at first.
type Letter struct {
	Message schema.Message
	Delay   time.Duration
	// Copy: the message takes the place of one that was received. It keeps its id
	// however often it is sent, since that may own a plan, and must find it.
	Copy bool
}

// Send posts all letters and returns nil once every one of them is durable. An
// entry that failed is sent again, and again, as a possible duplicate with a new
// message id, with growing pauses until ctx ends. Only a message that can never
// be sent (queue.ErrTooLarge, queue.ErrInvalid), or a queue that is closed, ends it
// early.
func (p *Poster) Send(ctx context.Context, letters ...Letter) error {
	entries := make([]queue.Entry, len(letters))
	for i := range letters {
		e, err := p.entry(&letters[i])
		if err != nil {
			return err
		}
		entries[i] = e
	}
	pause := 50 * time.Millisecond
	for len(entries) > 0 {
		errs := p.send(ctx, letters, entries)
		var again []Letter
		var last error
		for i, err := range errs {
			switch {
			case err == nil:
			case errors.Is(err, queue.ErrTooLarge), errors.Is(err, queue.ErrInvalid), errors.Is(err, queue.ErrClosed):
				return fmt.Errorf("post node %s: %w", letters[i].Message.ID, err)
			default:
				last = err
				again = append(again, letters[i])
			}
		}
		if len(again) == 0 {
			return nil
		}
		if p.Trouble != nil {
			p.Trouble(last)
		}
		if err := wait(ctx, pause); err != nil {
			return fmt.Errorf("post node %s: %w", again[0].Message.ID, errors.Join(last, err))
		}
		pause = min(2*pause, 5*time.Second)
		letters, entries = again, entries[:0]
		for i := range letters {
			m := &letters[i].Message
			m.Re = max(m.Re, schema.PostAgain)
			if !letters[i].Copy {
				m.MID = fresh(m.MID, m.Re)
			}
			e, err := p.entry(&letters[i])
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
	}
	return nil
}

// send sends the entry of each letter to the letter's queue.
func (p *Poster) send(ctx context.Context, letters []Letter, entries []queue.Entry) []error {
	if p.Route == nil {
		return p.Queue.Send(ctx, entries)
	}
	where := map[Sender][]int{}
	for i := range letters {
		q := Sender(p.Queue)
		if m := &letters[i].Message; !letters[i].Copy {
			if to := p.Route(m.Kind, m.Args); to != nil {
				q = to
			}
		}
		where[q] = append(where[q], i)
	}
	errs := make([]error, len(entries))
	for q, some := range where {
		part := make([]queue.Entry, len(some))
		for i, at := range some {
			part[i] = entries[at]
		}
		for i, err := range q.Send(ctx, part) {
			errs[some[i]] = err
		}
	}
	return errs
}

func (p *Poster) entry(l *Letter) (queue.Entry, error) {
	body, err := l.Message.Encode()
	if err != nil {
		return queue.Entry{}, err
	}
	return queue.Entry{Body: body, Attrs: p.Keys.Sign(body), Group: l.Message.Run, Delay: l.Delay}, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
