package embedded

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/jobqueue"
)

// Receive receives as jobqueue.Queues says, the oldest first.
func (q *Queues) Receive(ctx context.Context, name string, r jobqueue.Request) ([]jobqueue.Delivery, error) {
	if r.Max < 1 || r.Max > maxReceive || r.Wait < 0 || r.Visibility < time.Second {
		return nil, fmt.Errorf("receive messages: request for %d, %s, %s: %w", r.Max, r.Wait, r.Visibility, jobqueue.ErrInvalid)
	}
	got, err := q.receive(ctx, name, r)
	if err != nil {
		return nil, fmt.Errorf("receive messages: %w", err)
	}
	return got, nil
}

func (q *Queues) receive(ctx context.Context, name string, r jobqueue.Request) ([]jobqueue.Delivery, error) {
	deadline := time.Now().Add(r.Wait)
	for {
		some, err := q.peek(ctx, name)
		if err != nil {
			return nil, err
		}
		if some {
			if got, err := q.take(ctx, name, r); err != nil || len(got) > 0 {
				return got, err
			}
		}
		left := time.Until(deadline)
		if left <= 0 {
			return nil, nil
		}
		t := time.NewTimer(min(look, left))
		select {
		case <-t.C:
		case <-r.Hurry:
			t.Stop()
			return nil, nil
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
	}
}

// peek reports whether a message of the queue is visible, without writing.
func (q *Queues) peek(ctx context.Context, name string) (some bool, err error) {
	err = q.view(ctx, func(tx *store.Tx) error {
		var n int64
		var text string
		if found, err := tx.Get([]any{&text}, findOne, name); err != nil || !found {
			return orNone(name, err)
		}
		some, err = tx.Get([]any{&n}, anyVisible, name, time.Now().UnixMicro())
		return err
	})
	return some, err
}

// orNone is an error, or that there is no such queue.
func orNone(name string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("queue %s: %w", name, jobqueue.ErrNoQueue)
}

// take moves what was received too often, and holds the oldest of what is left.
func (q *Queues) take(ctx context.Context, name string, r jobqueue.Request) (got []jobqueue.Delivery, err error) {
	err = q.update(ctx, func(tx *store.Tx) error {
		now := time.Now()
		if err := moveSpent(tx, name, now); err != nil {
			return err
		}
		sql := selectJobs + inOrder
		if jobqueue.IsFIFO(name) {
			sql = selectJobs + firstOfGroup + inOrder
		}
		var seqs []int64
		for row, err := range tx.Query(sql, name, now.UnixMicro(), r.Max) {
			if err != nil {
				return err
			}
			var seq, receives int64
			var attrs string
			var d jobqueue.Delivery
			if err := row.Scan(&seq, &d.ID, &d.Body, &attrs, &d.Group, &receives); err != nil {
				return err
			}
			d.Receipt = fmt.Sprintf("%d-%s", seq, rand.Text())
			if attrs != "" {
				if err := json.Unmarshal([]byte(attrs), &d.Attrs); err != nil {
					return fmt.Errorf("read attributes of job %s: %w", d.ID, err)
				}
			}
			d.Receives = int(receives) + 1
			seqs, got = append(seqs, seq), append(got, d)
		}
		for i, seq := range seqs {
			if _, err := tx.Exec(holdJob, now.Add(r.Visibility).UnixMicro(), got[i].Receipt, seq); err != nil {
				return err
			}
		}
		if len(got) > 0 {
			_, err := tx.Exec(touch, now.UnixMicro(), name)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// moveSpent moves what was received too often to the failed queue.
func moveSpent(tx *store.Tx, name string, now time.Time) error {
	var failed string
	var tries, touched int64
	found, err := tx.Get([]any{&failed, &tries, &touched}, readQueue, name)
	if err != nil || !found {
		return orNone(name, err)
	}
	if failed == "" {
		return nil
	}
	var seqs []int64
	for row, err := range tx.Query(spentJobs, name, now.UnixMicro(), tries) {
		if err != nil {
			return err
		}
		var seq int64
		if err := row.Scan(&seq); err != nil {
			return err
		}
		seqs = append(seqs, seq)
	}
	if len(seqs) == 0 {
		return nil
	}
	// Somebody may have removed it meanwhile.
	if _, err := tx.Exec(makeQueue, failed, "", 0, now.UnixMicro()); err != nil {
		return err
	}
	for _, seq := range seqs {
		if _, err := tx.Exec(moveJob, failed, seq); err != nil {
			return err
		}
	}
	_, err = tx.Exec(touch, now.UnixMicro(), failed)
	return err
}

// seqOf is the row of a receipt; -1 of what is none.
func seqOf(receipt string) int64 {
	text, _, _ := strings.Cut(receipt, "-")
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	return seq
}

// Delete removes a message as jobqueue.Queues says.
func (q *Queues) Delete(ctx context.Context, name, receipt string) error {
	err := q.update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(deleteJob, seqOf(receipt), name, receipt); err != nil {
			return err
		}
		_, err := tx.Exec(touch, time.Now().UnixMicro(), name)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete message: %w", err)
	}
	return nil
}

// Extend sets how long a message stays hidden as jobqueue.Queues says.
func (q *Queues) Extend(ctx context.Context, name, receipt string, d time.Duration) error {
	err := q.update(ctx, func(tx *store.Tx) error {
		now := time.Now()
		n, err := tx.Exec(extendJob, now.Add(d).UnixMicro(), seqOf(receipt), name, receipt, now.UnixMicro())
		if err == nil && n == 0 {
			err = jobqueue.ErrLeaseLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("extend lease: %w", err)
	}
	return nil
}
