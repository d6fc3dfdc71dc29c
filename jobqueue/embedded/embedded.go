// Package embedded keeps named queues in one file of a machine, for any number of
// processes at a time: some send, some work.
package embedded

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ramify/ramify/internal/gate"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/queue"
)

const (
	maxReceive = 10
	maxBytes   = 1 << 20
	maxAttrs   = 8
	dedupFor   = 5 * time.Minute
	look       = 50 * time.Millisecond // between two looks while a receive waits: another process tells nobody
)

// Options of queues that are made.
type Options struct {
	Tries int // receives after which a job moves to the failed queue; 0: one
}

// Queues are the queues of a file. They implement jobqueue.Queues and jobqueue.Past.
type Queues struct {
	store *store.Store
	o     Options
	gate  *gate.Gate
}

var (
	_ jobqueue.Queues = (*Queues)(nil)
	_ jobqueue.Past   = (*Queues)(nil)
)

// Open opens the queues of a store, which nobody owns: any number of processes open it.
func Open(ctx context.Context, s *store.Store, o Options) (*Queues, error) {
	err := s.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(schema)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open queues: %w", err)
	}
	return &Queues{store: s, o: o, gate: gate.New(jobqueue.ErrClosed)}, nil
}

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
	case len(p.Attrs) > maxAttrs:
		return nil, fmt.Errorf("it has %d attributes, want at most %d: %w", len(p.Attrs), maxAttrs, jobqueue.ErrInvalid)
	case p.Delay < 0 || p.Delay > jobqueue.MaxDelay:
		return nil, fmt.Errorf("delay %s, want 0 to %s: %w", p.Delay, jobqueue.MaxDelay, jobqueue.ErrInvalid)
	case jobqueue.IsFIFO(p.Queue) && p.Delay > 0:
		return nil, fmt.Errorf("delay %s of one message of a FIFO queue, whose order it would break: %w", p.Delay, jobqueue.ErrInvalid)
	case jobqueue.IsFIFO(p.Queue) && (p.Group == "" || p.Dedup == ""):
		return nil, fmt.Errorf("a message of a FIFO queue needs a group and a deduplication id: %w", jobqueue.ErrInvalid)
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

// Find is the queues that a pattern names, as jobqueue.Queues says.
func (q *Queues) Find(ctx context.Context, pattern string) (names []string, err error) {
	err = q.view(ctx, func(tx *store.Tx) error {
		sql, args := findOne, []any{pattern}
		if jobqueue.IsPattern(pattern) {
			begin := strings.TrimSuffix(pattern, "*")
			sql, args = findMany, []any{len(begin), begin}
		}
		for row, err := range tx.Query(sql, args...) {
			if err != nil {
				return err
			}
			var name string
			if err := row.Scan(&name); err != nil {
				return err
			}
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find queues: %w", err)
	}
	return names, nil
}

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

// Depth is exact.
func (q *Queues) Depth(ctx context.Context, name string) (d queue.Depth, err error) {
	err = q.view(ctx, func(tx *store.Tx) error {
		var text string
		if found, err := tx.Get([]any{&text}, findOne, name); err != nil || !found {
			return orNone(name, err)
		}
		now := time.Now().UnixMicro()
		_, err := tx.Get([]any{&d.Visible, &d.InFlight, &d.Delayed}, countJobs, now, now, now, name)
		return err
	})
	if err != nil {
		return queue.Depth{}, fmt.Errorf("count messages: %w", err)
	}
	return d, nil
}

// State is exact.
func (q *Queues) State(ctx context.Context, name string) (jobqueue.State, error) {
	d, err := q.Depth(ctx, name)
	if err != nil {
		return jobqueue.State{}, err
	}
	var failed string
	var tries, touched int64
	err = q.view(ctx, func(tx *store.Tx) error {
		_, err := tx.Get([]any{&failed, &tries, &touched}, readQueue, name)
		return err
	})
	if err != nil {
		return jobqueue.State{}, fmt.Errorf("read queue: %w", err)
	}
	return jobqueue.State{Depth: d, Failed: failed}, nil
}

// Quiet is exact, as jobqueue.Past says.
func (q *Queues) Quiet(ctx context.Context, name string, since time.Time) (quiet bool, err error) {
	err = q.view(ctx, func(tx *store.Tx) error {
		var failed string
		var tries, touched, n int64
		if found, err := tx.Get([]any{&failed, &tries, &touched}, readQueue, name); err != nil || !found {
			return orNone(name, err)
		}
		_, err := tx.Get([]any{&n}, countAll, name)
		quiet = n == 0 && touched < since.UnixMicro()
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read past of queue: %w", err)
	}
	return quiet, nil
}

// Remove deletes a queue as jobqueue.Past says.
func (q *Queues) Remove(ctx context.Context, name string) error {
	err := q.update(ctx, func(tx *store.Tx) error {
		var text string
		if found, err := tx.Get([]any{&text}, findOne, name); err != nil || !found {
			return orNone(name, err)
		}
		for _, sql := range []string{removeJobs, removeDedup, removeQueue} {
			if _, err := tx.Exec(sql, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete queue: %w", err)
	}
	return nil
}

// Calls are none: nobody charges for them.
func (q *Queues) Calls() (queues, past int64) { return 0, 0 }

func (q *Queues) update(ctx context.Context, fn func(*store.Tx) error) error {
	if err := q.gate.Enter(ctx); err != nil {
		return err
	}
	defer q.gate.Leave()
	return q.store.Update(ctx, fn)
}

func (q *Queues) view(ctx context.Context, fn func(*store.Tx) error) error {
	if err := q.gate.Enter(ctx); err != nil {
		return err
	}
	defer q.gate.Leave()
	return q.store.View(ctx, fn)
}

// Close waits for what is under way and leaves the store open.
func (q *Queues) Close() error {
	q.gate.Close()
	return nil
}
