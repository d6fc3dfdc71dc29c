package sim

import (
	"context"
	"errors"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/schema"
)

// errAway is the error of every fault: the medium's, as a caller sees it.
var errAway = errors.New("injected fault")

// records is the ledger as one worker reaches it: requests and answers take time and
// get lost on the way, and what acts is noted the moment it does. A nil gate is that of
// people: nothing is lost.
type records struct {
	w    *world
	gate *gate
}

var (
	_ ledger.Ledger = records{}
	_ ledger.Board  = records{}
	_ ledger.Leaser = records{}
	_ ledger.Visits = records{}
)

// call makes one request. kind is the fault that may lose it.
//
// What has begun to act does so though the caller's context ends: a request that is on its
// way does not come back. Otherwise a server might act, and the history not know.
func (l records) call(ctx context.Context, what string, kind string, request func(context.Context) error) error {
	act := func() error { return request(context.WithoutCancel(ctx)) }
	if l.gate == nil {
		return l.w.act(act)
	}
	defer l.gate.call(another)()
	if err := l.gate.enter(ctx, what); err != nil {
		return err
	}
	w := l.w
	w.mu.Lock()
	there, before := w.way(), w.lost(kind)
	w.mu.Unlock()
	if err := travel(ctx, there); err != nil {
		return err
	}
	if before {
		w.log.Saw("lost before " + what)
		return errAway
	}
	err := w.act(act)
	w.mu.Lock()
	back, after := w.way(), w.lost(kind)
	w.mu.Unlock()
	if err := travel(ctx, back); err != nil {
		return err
	}
	if err := l.gate.leave(what); err != nil {
		return err
	}
	if after {
		w.log.Saw("lost after " + what)
		return errAway
	}
	return err
}

// act has one request act, and be noted, before the next one does.
func (w *world) act(request func() error) error {
	w.acting.Lock()
	defer w.acting.Unlock()
	return request()
}

func (l records) worker() int {
	if l.gate == nil {
		return 0
	}
	return l.gate.worker
}

func (l records) note(e history.Event) {
	e.Worker = l.worker()
	l.w.log.Add(e)
}

// way is how long a request or its answer is under way; w.mu is held.
func (w *world) way() time.Duration {
	d := time.Duration(0)
	if w.c.On("latency") {
		d = time.Duration(w.dice.Int64N(int64(w.pace(20 * time.Millisecond))))
	}
	if w.stormy("stall", w.c.P/20) {
		w.log.Saw("a request to the ledger or the sink stalls")
		d += time.Duration(w.dice.Int64N(int64(w.pace(3 * time.Minute))))
	}
	return d
}

// lost reports whether a request or its answer is lost; w.mu is held.
func (w *world) lost(kind string) bool {
	if w.ended {
		return false
	}
	if w.throttle > 0 && w.dice.Float64() < w.throttle {
		w.log.Saw("a request is refused: too many")
		return true
	}
	return w.stormy(kind, w.c.P)
}

// stormy rolls for a fault; w.mu is held.
func (w *world) stormy(fault string, p float64) bool {
	return !w.ended && !w.calm && w.c.On(fault) && w.dice.Float64() < p
}

// Create implements ledger.Ledger.
func (l records) Create(ctx context.Context, run ledger.Run) error {
	return l.call(ctx, "create", "ledger", func(ctx context.Context) error {
		err := l.w.ledger.Create(ctx, run)
		if err == nil {
			l.note(history.Event{What: history.Create, Run: &run})
		}
		return err
	})
}

// Run implements ledger.Ledger.
func (l records) Run(ctx context.Context, run string) (r ledger.Run, err error) {
	err = l.call(ctx, "run", "ledger", func(ctx context.Context) (err error) {
		r, err = l.w.ledger.Run(ctx, run)
		return err
	})
	return r, err
}

// Amend implements ledger.Ledger.
func (l records) Amend(ctx context.Context, run string, c ledger.Change) (now ledger.Run, err error) {
	err = l.call(ctx, "amend", "ledger", func(ctx context.Context) (err error) {
		now, err = l.w.ledger.Amend(ctx, run, c)
		e := history.Event{What: history.Amend, Change: &c}
		after := now
		e.Run = &after
		if err != nil {
			e.Err = err.Error()
		}
		l.note(e)
		return err
	})
	return now, err
}

// Plan implements ledger.Ledger.
func (l records) Plan(ctx context.Context, p ledger.Plan) (stored ledger.Plan, won bool, err error) {
	err = l.call(ctx, "plan", "ledger", func(ctx context.Context) error {
		return l.twice("plan", func() (err error) {
			stored, won, err = l.w.ledger.Plan(ctx, p)
			if err == nil {
				kept := stored
				l.note(history.Event{What: history.Plan, Plan: &p, Stored: &kept, Won: won})
			}
			return err
		})
	})
	return stored, won, err
}

// Claim implements ledger.Ledger.
func (l records) Claim(ctx context.Context, run string, at schema.Place, epoch int) (now ledger.Tally, outcome ledger.Outcome, err error) {
	err = l.call(ctx, "claim", "ledger", func(ctx context.Context) error {
		return l.twice("claim", func() (err error) {
			now, outcome, err = l.w.ledger.Claim(ctx, run, at, epoch)
			if err == nil {
				l.slot(history.Claim, ledger.Settlement{Run: run, At: at, Epoch: epoch}, now, outcome)
			}
			return err
		})
	})
	return now, outcome, err
}

// Settle implements ledger.Ledger.
func (l records) Settle(ctx context.Context, s ledger.Settlement) (now ledger.Tally, outcome ledger.Outcome, err error) {
	err = l.call(ctx, "settle", "ledger", func(ctx context.Context) error {
		return l.twice("settle", func() (err error) {
			now, outcome, err = l.w.ledger.Settle(ctx, s)
			if err == nil {
				l.slot(history.Settle, s, now, outcome)
			}
			return err
		})
	})
	return now, outcome, err
}

// twice makes a request, and now and then once more, as a client does that repeats what
// it got no answer to.
func (l records) twice(what string, request func() error) error {
	l.w.mu.Lock()
	again := l.gate != nil && l.w.stormy("again", l.w.c.P)
	l.w.mu.Unlock()
	err := request()
	if again {
		l.w.log.Saw("a client repeats " + what)
		err = request()
	}
	return err
}

func (l records) slot(what string, s ledger.Settlement, t ledger.Tally, o ledger.Outcome) {
	l.note(history.Event{What: what, Settlement: &s, Tally: &t, Outcome: o})
}

// Read implements ledger.Ledger.
func (l records) Read(ctx context.Context, keys []ledger.Key) (rec []ledger.Record, err error) {
	err = l.call(ctx, "read", "ledger", func(ctx context.Context) (err error) {
		rec, err = l.w.ledger.Read(ctx, keys)
		return err
	})
	return rec, err
}

// Close implements ledger.Ledger.
func (records) Close() error { return nil }

// Report implements ledger.Board.
func (l records) Report(ctx context.Context, w ledger.Worker) error {
	return l.call(ctx, "report", "ledger", func(ctx context.Context) error { return l.w.ledger.Report(ctx, w) })
}

// Workers implements ledger.Board.
func (l records) Workers(ctx context.Context, run string) (ws []ledger.Worker, err error) {
	err = l.call(ctx, "workers", "ledger", func(ctx context.Context) (err error) {
		ws, err = l.w.ledger.Workers(ctx, run)
		return err
	})
	return ws, err
}

// Draw implements ledger.Board.
func (l records) Draw(ctx context.Context, s ledger.Sketch) error {
	return l.call(ctx, "draw", "ledger", func(ctx context.Context) error { return l.w.ledger.Draw(ctx, s) })
}

// Sketches implements ledger.Board.
func (l records) Sketches(ctx context.Context, run string) (all []ledger.Sketch, err error) {
	err = l.call(ctx, "sketches", "ledger", func(ctx context.Context) (err error) {
		all, err = l.w.ledger.Sketches(ctx, run)
		return err
	})
	return all, err
}

// Runs implements ledger.Board.
func (l records) Runs(ctx context.Context) (rs []ledger.Run, err error) {
	err = l.call(ctx, "runs", "ledger", func(ctx context.Context) (err error) {
		rs, err = l.w.ledger.Runs(ctx)
		return err
	})
	return rs, err
}

// Lease implements ledger.Leaser.
func (l records) Lease(ctx context.Context, want ledger.Lease) (held ledger.Lease, err error) {
	err = l.call(ctx, "lease", "ledger", func(ctx context.Context) (err error) {
		held, err = l.w.ledger.Lease(ctx, want)
		return err
	})
	return held, err
}

// Release implements ledger.Leaser.
func (l records) Release(ctx context.Context, name, owner string) error {
	return l.call(ctx, "release", "ledger", func(ctx context.Context) error { return l.w.ledger.Release(ctx, name, owner) })
}

// Visit implements ledger.Visits: a batch is no transaction, and half of it may be made.
func (l records) Visit(ctx context.Context, c ledger.Claim, vertices []schema.PID) (visits []ledger.Visit, err error) {
	for _, part := range [][]schema.PID{vertices[:len(vertices)/2], vertices[len(vertices)/2:]} {
		err = l.call(ctx, "visit", "ledger", func(ctx context.Context) error {
			made, err := l.w.ledger.Visit(ctx, c, part)
			visits = append(visits, made...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return visits, nil
}

// Visited implements ledger.Visits.
func (l records) Visited(ctx context.Context, vertices []schema.PID) (visits []ledger.Visit, err error) {
	err = l.call(ctx, "visited", "ledger", func(ctx context.Context) (err error) {
		visits, err = l.w.ledger.Visited(ctx, vertices)
		return err
	})
	return visits, err
}
