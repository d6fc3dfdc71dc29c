package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ramify/ramify/ledger"
	queuehostile "github.com/ramify/ramify/queue/hostile"

	"github.com/ramify/ramify/proof/audit"
	"github.com/ramify/ramify/proof/chance"
	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/seed"
	"github.com/ramify/ramify/sweep"
)

// Result is what a case came to.
type Result struct {
	Case     Case
	Problems []string // what the auditor found; none: all is well
	Log      *history.Log
	State    ledger.Run
	Took     time.Duration // of the simulated time
}

// Report is a result as a program passes it on.
type Report struct {
	Case     string   `json:"case"`
	Begun    bool     `json:"begun,omitempty"` // it is under way, and nothing else is known
	Problems []string `json:"problems,omitempty"`
	Digest   string   `json:"digest"` // of the history
	Events   int      `json:"events"`
	State    string   `json:"state"`
	Nodes    int64    `json:"nodes"`
}

// Run runs a case and audits it.
func Run(t *testing.T, c Case) (r Result) {
	t.Helper()
	if chance.Exact {
		runtime.GC() // none comes while it runs
	}
	synctest.Test(t, func(t *testing.T) {
		chance.Seed(c.Seed)
		defer chance.Free()
		w := newWorld(c)
		r = Result{Case: c, Log: w.log}
		began := time.Now()
		problems, err := w.live(t.Context())
		if err != nil {
			problems = append(problems, err.Error())
		}
		r.Took = time.Since(began)
		r.State, _ = w.ledger.Run(context.Background(), run)
		r.Problems = problems
		r.Problems = append(r.Problems, audit.Check(w.log.Events(), audit.Truth{
			Run: run, Shape: w.tree.Shape, Rows: w.results.rows, Units: 1 + int(c.roll("concurrency")*5), Tries: w.tries(),
		})...)
	})
	return r
}

// tries is how many attempts on a node must fail before it is given up.
func (w *world) tries() int {
	if w.c.On("maxreceive") {
		return 0
	}
	return w.retries() + 1
}

// How long things may take, in simulated time.
const (
	rough   = 3 * time.Hour  // after which nothing goes wrong any more
	longest = 30 * time.Hour // after which a run that is not over never will be
)

// live has the run begin and lets it come to its end.
func (w *world) live(ctx context.Context) (problems []string, err error) {
	if err := w.begin(ctx); err != nil {
		return nil, err
	}
	faults := w.c.faults()
	w.main.Set(faults)
	crew := &crew{w: w, ctx: ctx, dice: w.c.dice("crew", 0), ended: make(chan struct{})}
	if err := crew.hire(w.c.Workers); err != nil {
		return nil, err
	}
	people := people{w: w, dice: w.c.dice("people", 0), faults: faults}
	began, empty := time.Now(), time.Time{}
	for {
		time.Sleep(time.Duration(1+people.dice.IntN(10_000)) * time.Millisecond)
		r, err := w.ledger.Run(ctx, run)
		if err != nil {
			return nil, err
		}
		if r.State.Over() {
			if !people.again(ctx, r) {
				break
			}
			continue
		}
		age := time.Since(began)
		if age > longest {
			problems = append(problems, fmt.Sprintf("I1: the run is not over after %s: it is lost or goes round in circles (%d messages on the queue)", age, w.depth()))
			break
		}
		if age > rough {
			w.quiet()
			people.resume(ctx, r)
		} else {
			people.meddle(ctx, r, age)
		}
		switch {
		case w.depth() > 0 || w.keeps() || r.Paused:
			empty = time.Time{}
		case empty.IsZero():
			empty = time.Now()
		}
		if !empty.IsZero() && time.Since(empty) > 10*time.Minute {
			problems = append(problems, "I1: the queue is empty, nobody works, and the run is not over")
			break
		}
	}
	w.quiet()
	// What is left drains, and has no effect.
	for range 60 {
		time.Sleep(time.Minute)
		if w.depth() == 0 {
			break
		}
	}
	if n := w.depth(); n > 0 && len(problems) == 0 {
		problems = append(problems, fmt.Sprintf("I5: %d messages of a run that is over go round in circles", n))
	}
	crew.dismiss()
	return problems, nil
}

// quiet ends all faults.
func (w *world) quiet() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.ended = true
		w.main.Set(queuehostile.Faults{})
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
}

func (p *people) roll(per float64) bool { return p.dice.Float64() < per }

// meddle does one thing or another, or none.
func (p *people) meddle(ctx context.Context, r ledger.Run, age time.Duration) {
	w := p.w
	yes := true
	l := records{w: w}
	if w.c.On("weather") && age-p.turned > time.Minute && p.roll(0.3) {
		p.turned = age
		p.turn()
	}
	if w.c.On("freeze") && p.roll(0.05) {
		w.freeze(time.Duration(p.dice.Float64() * float64(4*time.Minute)))
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
		case r.Paused && (p.roll(0.05) || age-p.paused > 20*time.Minute):
			p.resume(ctx, r)
		}
	}
	if w.c.On("cancel") && p.roll(0.02) {
		_, _ = l.Amend(ctx, run, ledger.Change{From: ledger.Running, Epoch: r.Epoch, State: ledger.Cancelled, At: time.Now()})
	}
	if w.c.On("sweep") && p.roll(0.03) && p.swept < 5 { // each posts all that waits once more: a slow fleet would not catch up
		p.swept++
		n, err := sweep.Run(ctx, l, w.poster(nil), run)
		w.log.Add(history.Event{What: history.Note, Note: fmt.Sprintf("somebody sweeps: %d posted, %v", n, err)})
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
}

// freeze stalls one worker.
func (w *world) freeze(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 1 + w.dice.IntN(w.workers)
	if g := w.gates[n]; g != nil && !g.dead {
		g.thawed = time.Now().Add(d)
		w.log.Add(history.Event{Worker: n, What: history.Note, Note: "stalls for " + d.String()})
	}
}

// again redrives a run that ended with failures, unless there was enough of that, and
// reports whether the run goes on.
func (p *people) again(ctx context.Context, r ledger.Run) bool {
	w := p.w
	if r.State != ledger.Failed || !w.c.On("redrive") || r.Epoch > 3 {
		return false
	}
	for range 1 + int(p.dice.Float64()*2) { // two at a time: one of them is late
		if _, err := seed.Redrive(ctx, records{w: w}, w.poster(nil), run); err != nil && !errors.Is(err, ledger.ErrConflict) {
			w.log.Add(history.Event{What: history.Note, Note: "redrive: " + err.Error()})
		}
	}
	return true
}
