// Package embedded keeps named queues in one file of a machine, for any number of
// processes at a time: some send, some work.
package embedded

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ramify/ramify/internal/gate"
	"github.com/ramify/ramify/internal/store"
	"github.com/ramify/ramify/jobqueue"
	"github.com/ramify/ramify/queue"
)

const (
	maxReceive = 10
	maxBytes   = 1 << 20
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
