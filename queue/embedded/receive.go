package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/queue"
)

// Receive delivers messages as queue.Queue says, the newest first, or the oldest.
func (q *Queue) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	if r.Max < 1 || r.Visibility <= 0 || r.Visibility > limits.Visibility || r.Wait < 0 {
		return nil, fmt.Errorf("receive messages: request %+v is out of range", r)
	}
	if err := q.enterOwner(ctx); err != nil {
		return nil, fmt.Errorf("receive messages: %w", err)
	}
	defer q.calls.Done()
	got, err := q.receive(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("receive messages: %w", err)
	}
	return got, nil
}

func (q *Queue) receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	waited := time.NewTimer(r.Wait)
	defer waited.Stop()
	for {
		taken, fill, bell := q.take(r)
		switch {
		case len(taken) > 0:
			got, err := q.deliver(ctx, taken)
			if err != nil || len(got) > 0 {
				return got, err
			}
			continue
		case fill:
			if err := q.fill(ctx); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case <-bell:
		case <-waited.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.closed:
			return nil, queue.ErrClosed
		}
	}
}

// taken is a message that is held for a receiver, before it has its body.
type taken struct {
	message
	entry    *entry
	receipt  receipt
	receives int
}

// take holds up to r.Max visible messages. If there are none, fill asks the
// caller to read some from the file, and else bell tells when to look again.
func (q *Queue) take(r queue.Request) (out []taken, fill bool, bell <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	until := time.Now().Add(r.Visibility)
	for len(out) < r.Max {
		e, m, ok := q.pool.next(q.opening)
		if !ok {
			break
		}
		q.serial++
		e.serial = q.serial
		e.receives++
		q.pool.hide(e, held, until)
		out = append(out, taken{message: m, entry: e, receipt: receipt{id: e.id, serial: e.serial}, receives: e.receives})
	}
	if len(out) > 0 {
		q.schedule()
		return out, false, nil
	}
	if q.pool.inFile() && !q.filling {
		q.filling = true
		return nil, true, nil
	}
	return nil, false, q.bell
}

// deliver reads the bodies that are not in memory. Messages that were deleted
// meanwhile, with the receipt of an earlier delivery, are left out.
func (q *Queue) deliver(ctx context.Context, all []taken) ([]queue.Delivery, error) {
	if err := q.readBodies(ctx, all); err != nil {
		q.giveBack(all)
		return nil, err
	}
	out := make([]queue.Delivery, 0, len(all))
	for _, t := range all {
		if t.body == nil {
			continue
		}
		out = append(out, queue.Delivery{Body: t.body, Attrs: t.attrs, Receipt: t.receipt.text(), Receives: t.receives, Sent: t.sent})
	}
	return out, nil
}

func (q *Queue) readBodies(ctx context.Context, all []taken) error {
	missing := false
	for _, t := range all {
		missing = missing || t.body == nil
	}
	if !missing {
		return nil
	}
	return q.store.View(ctx, func(tx *store.Tx) error {
		for i := range all {
			if all[i].body != nil {
				continue
			}
			for row, err := range tx.Query(q.sql.read, all[i].receipt.id) {
				if err != nil {
					return err
				}
				if all[i].message, err = scan(row); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// giveBack makes visible again what could not be delivered.
func (q *Queue) giveBack(all []taken) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range all {
		if t.entry.place == held && t.entry.serial == t.receipt.serial {
			q.pool.show(t.entry)
		}
	}
	q.ring()
	q.schedule()
}

// fill reads older messages from the file onto the stack. It does so on the
// writer, between transactions of which the pool knows all or nothing: read at
// any other moment, a row could be one that was just sent or deleted.
func (q *Queue) fill(ctx context.Context) error {
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.filling = false
		q.ring()
	}()
	return q.store.Update(ctx, func(tx *store.Tx) error {
		q.mu.Lock()
		floor, ceiling, fifo := q.pool.floor, q.pool.ceiling, q.pool.fifo
		q.mu.Unlock()
		sql, from := q.sql.older, floor
		if fifo {
			sql, from = q.sql.newer, ceiling
		}
		older, bottom, err := q.readFresh(tx, sql, from)
		if err != nil {
			return err
		}
		tx.AfterCommit(func(err error) {
			q.mu.Lock()
			defer q.mu.Unlock()
			// Messages sent in this very transaction may have moved the floor. The
			// ceiling they do not move, as long as there are any above it.
			if err == nil && q.pool.floor == floor && q.pool.ceiling == ceiling {
				q.pool.refill(older, bottom)
			}
		})
		return nil
	})
}

func (q *Queue) readFresh(tx *store.Tx, sql string, from int64) (older []message, bottom bool, err error) {
	size := 0
	for row, err := range tx.Query(sql, from) {
		if err != nil {
			return nil, false, err
		}
		m, err := scan(row)
		if err != nil {
			return nil, false, err
		}
		older = append(older, m)
		size += len(m.body)
		if len(older) == maxStack/2 || size > maxBytes/2 {
			return older, false, nil
		}
	}
	return older, true, nil
}
