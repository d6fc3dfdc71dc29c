package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ramify/ramify/ledger"
	ledgerhostile "github.com/ramify/ramify/ledger/hostile"
	"github.com/ramify/ramify/proof/audit"
	"github.com/ramify/ramify/proof/chance"
	"github.com/ramify/ramify/proof/history"
	queuehostile "github.com/ramify/ramify/queue/hostile"
)

// Result is what a case came to.
type Result struct {
	Case     Case
	Problems []string // what the auditor found; none: all is well
	Log      *history.Log
	State    ledger.Run
	Took     time.Duration  // of the simulated time
	Seen     map[string]int // how often what may occur did
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

	Seen map[string]int `json:"seen,omitempty"` // how often what may occur did
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
		r = RunOn(t, c, Media{
			Main: queuehostile.New(c.Seed, queuehostile.Faults{}), Dead: queuehostile.New(c.Seed+1, queuehostile.Faults{}),
			Ledger: ledgerhostile.New(c.Seed+2, ledgerhostile.Faults{}), Tempo: 1, Rough: rough,
		})
	})
	return r
}

// RunOn runs a case on media of one's own, in the time that they have, and audits it.
func RunOn(t *testing.T, c Case, m Media) (r Result) {
	t.Helper()
	w := newWorld(c, m)
	r = Result{Case: c, Log: w.log}
	began := time.Now()
	problems, err := w.live(t.Context())
	if err != nil {
		problems = append(problems, err.Error())
	}
	r.Took = time.Since(began)
	r.State, _ = w.ledger.Run(context.Background(), run)
	r.Seen = w.seen()
	r.Problems = problems
	r.Problems = append(r.Problems, audit.Check(w.log.Events(), audit.Truth{
		Run: run, Shape: w.tree.Shape, Rows: w.results.rows, Listed: w.listed, Units: w.concurrency(), Tries: w.tries(),
		Loses: c.On("lose"), Lies: c.On("lie"),
	})...)
	return r
}

// listed is what the ledger names to whoever makes something of a run that is over.
func (w *world) listed() (units []ledger.Unit, failures []ledger.Failure, err error) {
	ctx := context.Background()
	r, err := w.ledger.Run(ctx, run)
	if err != nil {
		return nil, nil, err
	}
	for u, err := range ledger.Units(ctx, w.ledger, r) {
		if err != nil {
			return nil, nil, err
		}
		units = append(units, u)
	}
	for f, err := range ledger.Failures(ctx, w.ledger, r) {
		if err != nil {
			return nil, nil, err
		}
		failures = append(failures, f)
	}
	return units, failures, nil
}

// tries is how many attempts on a node must fail before it is given up.
func (w *world) tries() int {
	if w.c.On("maxreceive") {
		return 0
	}
	return w.retries() + 1
}

// longest is after how much simulated time a run that is not over never will be.
const longest = 30 * time.Hour

// live has the run begin and lets it come to its end.
func (w *world) live(ctx context.Context) (problems []string, err error) {
	faults := w.faults()
	people := people{w: w, dice: w.c.dice("people", 0), faults: faults}
	if err := w.begin(ctx, &people); err != nil {
		return nil, err
	}
	w.main.Set(faults)
	if w.c.On("dead") {
		w.dead.Set(faults)
	}
	crew := &crew{w: w, ctx: ctx, dice: w.c.dice("crew", 0), ended: make(chan struct{})}
	if err := crew.hire(w.c.Workers); err != nil {
		return nil, err
	}
	began, empty := time.Now(), time.Time{}
	for {
		time.Sleep(w.pace(time.Duration(1+people.dice.IntN(10_000)) * time.Millisecond))
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
		if age > w.pace(longest) {
			problems = append(problems, fmt.Sprintf("I1: the run is not over after %s: it is lost or goes round in circles (%d messages on the queue)", age, w.depth()))
			break
		}
		if age > w.rough {
			w.quiet()
			people.resume(ctx, r)
		} else {
			people.meddle(ctx, r, age)
		}
		people.mend(ctx)
		switch {
		case w.depth() > 0 || w.keeps() || r.Paused || people.orphan:
			empty = time.Time{}
		case empty.IsZero():
			empty = time.Now()
		}
		if !empty.IsZero() && time.Since(empty) > w.pace(10*time.Minute) {
			problems = append(problems, "I1: the queue is empty, nobody works, and the run is not over")
			break
		}
	}
	w.quiet()
	// What is left drains, and has no effect.
	for range 60 {
		time.Sleep(w.pace(time.Minute))
		if w.depth() == 0 {
			break
		}
	}
	if n := w.depth(); n > 0 && len(problems) == 0 {
		problems = append(problems, fmt.Sprintf("I5: %d messages of a run that is over go round in circles", n))
	}
	err = w.settle(ctx)
	crew.dismiss()
	return problems, errors.Join(err, w.letters(ctx))
}
