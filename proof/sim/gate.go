package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ramify/ramify/proof/history"
)

// errDead is what a worker that has crashed is told by all that it still asks; nobody
// looks at what it does with it.
var errDead = errors.New("the worker is dead")

// gate is what stands between one worker and all else: it may crash the worker at each
// call, before it acts or after, and stall it.
type gate struct {
	w       *world
	worker  int
	dice    *rand.Rand
	crash   float64 // at each call
	at      int     // crash at this step: 2n-1 before call n, 2n after answer n; 0: at none
	entered int
	left    int
	dead    bool
	thawed  time.Time // stalled until then
	crashed chan struct{}
	hands   hands
	last    func() // called when the worker dies
}

func newGate(w *world, worker int) *gate {
	g := &gate{w: w, worker: worker, dice: w.c.dice("gate", worker), crashed: make(chan struct{})}
	if w.c.On("crash") {
		g.crash = w.c.P / 20
	}
	if w.c.CrashAt > 0 && worker == 1 {
		g.at = w.c.CrashAt
	}
	return g
}

// enter lets a call through.
func (g *gate) enter(ctx context.Context, what string) error {
	g.w.mu.Lock()
	g.entered++
	if 2*g.entered-1 == g.at || g.crash > 0 && g.dice.Float64() < g.crash {
		g.die("before " + what)
	}
	dead, wait := g.dead, time.Until(g.thawed)
	g.w.mu.Unlock()
	if dead {
		return errDead
	}
	if wait > 0 {
		g.w.log.Saw("a worker that stalls is kept from a call")
	}
	return travel(ctx, wait)
}

// mortal is the gate of somebody who does one thing, and dies at a step of it, or at
// each with a probability. The context ends with him.
func (w *world) mortal(ctx context.Context, dice *rand.Rand, at int, crash float64) (context.Context, *gate) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &gate{w: w, dice: dice, at: at, crash: crash, crashed: make(chan struct{}), last: func() { cancel(errDead) }}
}

// leave lets the answer through.
func (g *gate) leave(what string) error {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.left++
	p := g.crash
	if p > 0 && (what == "plan" || what == "claim") {
		p = g.w.c.grave(p) // what follows is owed to the record that was just written
	}
	if 2*g.left == g.at || p > 0 && g.dice.Float64() < p {
		g.die("after " + what)
	}
	if g.dead {
		return errDead
	}
	return nil
}

func (g *gate) die(where string) {
	if g.dead || g.w.ended {
		return
	}
	g.dead = true
	if g.worker > 0 {
		g.w.log.Saw("crash " + where)
	}
	g.w.log.Add(history.Event{Worker: g.worker, What: history.Note, Note: "crash " + where})
	close(g.crashed)
	if g.last != nil {
		g.last()
	}
}

func travel(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
