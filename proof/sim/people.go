package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/proof/history"
	queuehostile "github.com/ramify/ramify/queue/hostile"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sweep"
)

// quiet ends all faults.
func (w *world) quiet() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.ended = true
		w.main.Set(queuehostile.Faults{})
		w.dead.Set(queuehostile.Faults{})
		w.log.Add(history.Event{What: history.Note, Note: "nothing goes wrong any more"})
	}
}

// people are all that happens from outside: the weather, and what is done to the run.
type people struct {
	w      *world
	dice   *rand.Rand
	faults queuehostile.Faults
	turned time.Duration // when the weather last did
	paused time.Duration // when the run last was
	swept  int           // how often somebody swept
	orphan bool          // somebody died who had begun the run, or an epoch of it, and had not posted its root
}

func (p *people) roll(per float64) bool { return p.dice.Float64() < per }

// meddle does one thing or another, or none.
func (p *people) meddle(ctx context.Context, r ledger.Run, age time.Duration) {
	w := p.w
	yes := true
	l := records{w: w}
	if w.c.On("weather") && age-p.turned > w.pace(time.Minute) && p.roll(0.3) {
		p.turned = age
		p.turn()
	}
	if w.c.On("freeze") && p.roll(0.05) {
		w.freeze(w.pace(time.Duration(p.dice.Float64() * float64(4*time.Minute))))
	}
	if w.c.On("lose") {
		f := p.faults
		if p.roll(0.1) {
			f.Retention = time.Millisecond // what is not received at once is gone
		}
		w.main.Set(f)
	}
	if w.c.On("pause") {
		switch {
		case !r.Paused && p.roll(0.05):
			p.paused = age
			_, _ = l.Amend(ctx, run, ledger.Change{From: ledger.Running, Epoch: r.Epoch, Paused: &yes})
			w.log.Saw("a pause")
		case r.Paused && (p.roll(0.05) || age-p.paused > w.pace(20*time.Minute)):
			p.resume(ctx, r)
		}
	}
	if w.c.On("cancel") && p.roll(0.02) {
		_, _ = l.Amend(ctx, run, ledger.Change{From: ledger.Running, Epoch: r.Epoch, State: ledger.Cancelled, At: time.Now()})
		w.log.Saw("a cancel")
	}
	if w.c.On("sweep") && p.roll(0.03) && p.swept < 5 { // each posts all that waits once more: a slow fleet would not catch up
		p.swept++
		p.sweep(ctx, 0.02)
	}
}

// sweep has somebody look for what is lost, who may die while he does, and reports
// whether he came to the end.
func (p *people) sweep(ctx context.Context, crash float64) bool {
	ctx, g := p.w.mortal(ctx, p.dice, 0, crash)
	n, err := sweep.Run(ctx, records{w: p.w, gate: g}, p.w.poster(g), run)
	p.w.log.Add(history.Event{What: history.Note, Note: fmt.Sprintf("somebody sweeps: %d posted, %v", n, err)})
	p.w.log.Saw("somebody sweeps")
	switch {
	case g.dead:
		p.w.log.Saw("somebody dies while he sweeps")
	case n > 0:
		p.w.log.Saw("a sweep posts")
	}
	return err == nil
}

// mend goes on with a run, or an epoch, whose root was perhaps never posted, as
// somebody does who has seen that nothing happens.
func (p *people) mend(ctx context.Context) {
	if p.orphan && p.roll(0.1) && p.sweep(ctx, 0) {
		p.orphan = false
	}
}

// resume ends a pause.
func (p *people) resume(ctx context.Context, r ledger.Run) {
	no := false
	if r.Paused {
		_, _ = records{w: p.w}.Amend(ctx, run, ledger.Change{From: ledger.Running, Epoch: r.Epoch, Paused: &no})
	}
}

// turn changes the weather: calm, as the case has it, or requests refused by the dozen.
func (p *people) turn() {
	w := p.w
	f := p.faults
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm, w.throttle = false, 0
	what := "as usual"
	switch v := p.dice.Float64(); {
	case v < 0.3:
		w.calm, f, what = true, queuehostile.Faults{}, "calm"
	case v < 0.5:
		w.throttle = 0.3 + p.dice.Float64()*0.6
		f.Send.Before, f.Receive.Before, f.Delete.Before, f.Extend.Before = w.throttle, w.throttle, w.throttle, w.throttle
		what = "requests are refused"
	}
	w.main.Set(f)
	w.log.Add(history.Event{What: history.Note, Note: "weather: " + what})
	w.log.Saw("weather: " + what)
}

// freeze stalls one worker.
func (w *world) freeze(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 1 + w.dice.IntN(w.workers)
	if g := w.gates[n]; g != nil && !g.dead {
		g.thawed = time.Now().Add(d)
		w.log.Add(history.Event{Worker: n, What: history.Note, Note: "stalls for " + d.String()})
		w.log.Saw("a worker stalls")
	}
}

// again redrives a run that ended with failures, unless there was enough of that, and
// reports whether the run goes on.
func (p *people) again(ctx context.Context, r ledger.Run) bool {
	w := p.w
	if r.State != ledger.Failed || !w.c.On("redrive") || r.Epoch > 3 {
		return false
	}
	at := 0
	if w.c.On("stillborn") && p.roll(0.5) {
		at = 1 + p.dice.IntN(6) // its calls are three: read, amend, send
	}
	for range 1 + int(p.dice.Float64()*2) { // two at a time: one of them is late
		ctx, g := w.mortal(ctx, p.dice, at, 0)
		_, err := seed.Redrive(ctx, records{w: w, gate: g}, w.poster(g), run)
		switch {
		case g.dead:
			p.orphan = true
			w.log.Saw("somebody dies while he redrives")
		case err == nil:
			w.log.Saw("a redrive")
		case errors.Is(err, ledger.ErrConflict):
			w.log.Saw("a redrive that is late")
		default:
			p.orphan = true // its answer was lost, perhaps
			w.log.Add(history.Event{What: history.Note, Note: "redrive: " + err.Error()})
		}
	}
	return true
}

// begin seeds the run; whoever does may die, or be told of an error, and then somebody
// seeds it once more. That one is told that the run is there, and looks whether it lacks
// its root.
func (p *people) begin(ctx context.Context, r ledger.Run) error {
	w := p.w
	at := w.c.DieAt
	if at == 0 && w.c.On("stillborn") {
		at = 1 + int(w.c.roll("stillborn")*5) // its calls are two: create, send
	}
	if at > 0 {
		mortal, g := w.mortal(ctx, p.dice, at, 0)
		if err := seed.Run(mortal, records{w: w, gate: g}, w.poster(g), r); err == nil {
			return nil
		}
		w.log.Saw("somebody does not come to the end of seeding")
	}
	err := seed.Run(ctx, records{w: w}, w.poster(nil), r)
	if at > 0 && errors.Is(err, ledger.ErrExists) {
		w.log.Saw("a run is begun that is there already")
		p.orphan = !w.keeps() || p.roll(0.5) // keepers find it, too
		return nil
	}
	return err
}
