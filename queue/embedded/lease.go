package embedded

import (
	"container/heap"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/queue"
)

// receipt names one delivery. Serials are counted in the openings of the queue,
// like ids, so that no two deliveries ever share one.
type receipt struct{ id, serial int64 }

func (r receipt) text() queue.Receipt {
	b := make([]byte, 0, 32)
	b = strconv.AppendInt(b, r.id, 16)
	b = append(b, '-')
	b = strconv.AppendInt(b, r.serial, 16)
	return queue.Receipt(b)
}

func parse(r queue.Receipt) (receipt, error) {
	id, serial, ok := strings.Cut(string(r), "-")
	i, idErr := strconv.ParseInt(id, 16, 64)
	s, serialErr := strconv.ParseInt(serial, 16, 64)
	if !ok || idErr != nil || serialErr != nil {
		return receipt{}, fmt.Errorf("receipt %q is not one of this queue", string(r))
	}
	return receipt{id: i, serial: s}, nil
}

// Delete removes messages as queue.Queue says. A receipt that a later delivery
// has replaced gives ErrLeaseLost, and so does one of an earlier opening.
func (q *Queue) Delete(ctx context.Context, receipts []queue.Receipt) []error {
	if err := q.enterOwner(ctx); err != nil {
		return forEach(len(receipts), fmt.Errorf("delete message: %w", err))
	}
	defer q.calls.Done()
	errs := make([]error, len(receipts))
	for from := 0; from < len(receipts); from += limits.Batch {
		to := min(from+limits.Batch, len(receipts))
		q.remove(ctx, receipts[from:to], errs[from:to])
	}
	return errs
}

func (q *Queue) remove(ctx context.Context, receipts []queue.Receipt, errs []error) {
	ids, entries := q.deletable(receipts, errs)
	if len(ids) == 0 {
		return
	}
	err := q.store.Update(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			if _, err := tx.Exec(q.sql.remove, id); err != nil {
				return err
			}
		}
		tx.AfterCommit(func(err error) {
			if err == nil {
				q.forget(ids)
			}
		})
		return nil
	})
	if err != nil {
		for _, i := range entries {
			errs[i] = fmt.Errorf("delete message: %w", err)
		}
	}
}

// deletable is the ids of messages to delete and the entries that ask for it.
func (q *Queue) deletable(receipts []queue.Receipt, errs []error) (ids []int64, entries []int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids, entries = make([]int64, 0, len(receipts)), make([]int, 0, len(receipts))
	for i, text := range receipts {
		r, err := parse(text)
		e := q.pool.known[r.id]
		switch {
		case err != nil:
			errs[i] = fmt.Errorf("delete message: %w", err)
		case r.serial>>openingShift != q.opening:
			errs[i] = fmt.Errorf("delete message: %w", queue.ErrLeaseLost)
		case e == nil: // it was received in this opening and is not known: deleted
		case e.serial != r.serial:
			errs[i] = fmt.Errorf("delete message: %w", queue.ErrLeaseLost)
		default:
			ids, entries = append(ids, r.id), append(entries, i)
		}
	}
	return ids, entries
}

func (q *Queue) forget(ids []int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		q.pool.drop(id)
	}
	q.schedule()
}

// Extend sets how long messages stay held, in memory, as queue.Queue says.
func (q *Queue) Extend(ctx context.Context, leases []queue.Lease) []error {
	if err := q.enterOwner(ctx); err != nil {
		return forEach(len(leases), fmt.Errorf("extend lease: %w", err))
	}
	defer q.calls.Done()
	q.mu.Lock()
	defer q.mu.Unlock()
	errs := make([]error, len(leases))
	now, shown := time.Now(), false
	for i, l := range leases {
		if err := q.extend(l, now); err != nil {
			errs[i] = fmt.Errorf("extend lease: %w", err)
		}
		shown = shown || errs[i] == nil && l.Visibility == 0
	}
	if shown {
		q.ring()
	}
	q.schedule()
	return errs
}

func (q *Queue) extend(l queue.Lease, now time.Time) error {
	r, err := parse(l.Receipt)
	if err != nil {
		return err
	}
	if l.Visibility < 0 || l.Visibility > limits.Visibility {
		return fmt.Errorf("visibility %s, want 0 to %s", l.Visibility, limits.Visibility)
	}
	e := q.pool.known[r.id]
	if e == nil || e.serial != r.serial || e.place != held {
		return queue.ErrLeaseLost
	}
	if l.Visibility == 0 {
		q.pool.show(e)
		return nil
	}
	e.until = now.Add(l.Visibility)
	heap.Fix(&q.pool.due, e.index)
	return nil
}
