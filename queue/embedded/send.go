package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/queue"
)

const maxAttrs = 8

// Send posts entries as queue.Queue says: those of one call, up to Limits.Batch,
// become durable together, with what other callers write at that moment.
func (q *Queue) Send(ctx context.Context, entries []queue.Entry) []error {
	if err := q.enterOwner(ctx); err != nil {
		return forEach(len(entries), fmt.Errorf("send message: %w", err))
	}
	defer q.calls.Done()
	errs := make([]error, len(entries))
	rows := make([]newRow, 0, min(len(entries), limits.Batch))
	for i, e := range entries {
		row, err := rowOf(e, time.Now())
		if err != nil {
			errs[i] = fmt.Errorf("send message: %w", err)
			continue
		}
		row.entry = i
		if rows = append(rows, row); len(rows) == limits.Batch {
			q.insert(ctx, rows, errs)
			rows = rows[:0]
		}
	}
	q.insert(ctx, rows, errs)
	return errs
}

// newRow is a message on its way into the file.
type newRow struct {
	message
	packed any // the attributes as text, or nil
	until  int64
	entry  int // of the call
}

func rowOf(e queue.Entry, now time.Time) (r newRow, err error) {
	switch {
	case e.Size() > limits.Body:
		return r, fmt.Errorf("%d bytes with attributes, at most %d: %w", e.Size(), limits.Body, queue.ErrTooLarge)
	case len(e.Body) == 0:
		return r, fmt.Errorf("body is empty: %w", queue.ErrInvalid)
	case len(e.Attrs) > maxAttrs:
		return r, fmt.Errorf("%d attributes, at most %d: %w", len(e.Attrs), maxAttrs, queue.ErrInvalid)
	case e.Delay < 0 || e.Delay > limits.Delay:
		return r, fmt.Errorf("delay %s, want 0 to %s: %w", e.Delay, limits.Delay, queue.ErrInvalid)
	}
	r.message = message{body: bytes.Clone(e.Body), sent: now}
	if len(e.Attrs) > 0 {
		text, err := json.Marshal(e.Attrs)
		if err != nil {
			return r, fmt.Errorf("pack attributes: %w", err)
		}
		r.attrs, r.packed = maps.Clone(e.Attrs), string(text)
	}
	if e.Delay > 0 {
		r.message.until = now.Add(e.Delay)
		r.until = r.message.until.UnixMicro()
	}
	return r, nil
}

// insert makes rows durable and then visible, in the order of their ids.
func (q *Queue) insert(ctx context.Context, rows []newRow, errs []error) {
	if len(rows) == 0 {
		return
	}
	err := q.store.Update(ctx, func(tx *store.Tx) error {
		for i := range rows {
			r := &rows[i]
			q.lastID++
			r.id = q.lastID
			if _, err := tx.Exec(q.sql.insert, r.id, r.body, r.packed, r.sent.UnixMicro(), r.until); err != nil {
				return err
			}
		}
		tx.AfterCommit(func(err error) {
			if err == nil {
				q.admit(rows)
			}
		})
		return nil
	})
	if err != nil {
		for _, r := range rows {
			errs[r.entry] = fmt.Errorf("send message: %w", err)
		}
	}
}

func (q *Queue) admit(rows []newRow) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range rows {
		q.pool.add(r.message)
	}
	q.ring()
	q.schedule()
}
