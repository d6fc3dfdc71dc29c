package embedded

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/queue"
)

// Send posts as jobqueue.Queues says, all in one transaction.
func (q *Queues) Send(ctx context.Context, postings []jobqueue.Posting) []jobqueue.Sent {
	sent := make([]jobqueue.Sent, len(postings))
	rows := make([]*row, len(postings))
	for i, p := range postings {
		r, err := rowOf(p)
		if err != nil {
			sent[i].Err = fmt.Errorf("send job: %w", err)
			continue
		}
		rows[i] = r
	}
	err := q.update(ctx, func(tx *store.Tx) error {
		now := time.Now()
		if _, err := tx.Exec(dropDedup, now.UnixMicro()); err != nil {
			return err
		}
		for i, r := range rows {
			if r == nil {
				continue
			}
			sent[i].Request = 1
			var err error
			if sent[i].ID, sent[i].Made, err = q.insert(tx, r, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for i := range sent {
			if rows[i] != nil {
				sent[i] = jobqueue.Sent{Err: fmt.Errorf("send job: %w", err)}
			}
		}
	}
	return sent
}

// row is a posting that can be sent.
type row struct {
	jobqueue.Posting
	attrs any // as text, or nil
}

func rowOf(p jobqueue.Posting) (*row, error) {
	size := queue.Entry{Body: p.Body, Attrs: p.Attrs}.Size()
	switch {
	case len(p.Body) == 0 || !utf8.Valid(p.Body):
		return nil, fmt.Errorf("it is empty, or no UTF-8: %w", jobqueue.ErrInvalid)
	case size > maxBytes:
		return nil, fmt.Errorf("it has %d bytes, and a queue takes %d: %w", size, maxBytes, queue.ErrTooLarge)
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	r := &row{Posting: p}
	if len(p.Attrs) > 0 {
		text, err := json.Marshal(p.Attrs)
		if err != nil {
			return nil, fmt.Errorf("pack attributes: %w", err)
		}
		r.attrs = string(text)
	}
	return r, nil
}

// insert writes one job, and its queue if it is new.
func (q *Queues) insert(tx *store.Tx, r *row, now time.Time) (id string, made bool, err error) {
	if r.Failed != "" && r.Failed != r.Queue {
		if _, err := tx.Exec(makeQueue, r.Failed, "", 0, now.UnixMicro()); err != nil {
			return "", false, err
		}
	}
	failed := r.Failed
	if failed == r.Queue {
		failed = ""
	}
	n, err := tx.Exec(makeQueue, r.Queue, failed, max(q.o.Tries, 1), now.UnixMicro())
	if err != nil {
		return "", false, err
	}
	if _, err := tx.Exec(touch, now.UnixMicro(), r.Queue); err != nil {
		return "", false, err
	}
	id = strings.ToLower(rand.Text())
	if jobqueue.IsFIFO(r.Queue) {
		var first string
		if found, err := tx.Get([]any{&first}, readDedup, r.Queue, r.Dedup, now.UnixMicro()); err != nil || found {
			return first, n > 0, err
		}
		if _, err := tx.Exec(writeDedup, r.Queue, r.Dedup, id, now.Add(dedupFor).UnixMicro()); err != nil {
			return "", false, err
		}
	}
	visible := int64(0)
	if r.Delay > 0 {
		visible = now.Add(r.Delay).UnixMicro()
	}
	_, err = tx.Exec(insertJob, r.Queue, id, r.Body, r.attrs, r.Group, visible)
	return id, n > 0, err
}
