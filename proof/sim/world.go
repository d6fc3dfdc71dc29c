// Package sim runs the real engine in a simulated world: seed, tasks and keepers, on a
// queue, a ledger and a sink that lose, repeat, delay and forget what they may, under
// workers that stall, die and begin again, while people pause, cancel and redrive. One
// number decides all of it, time included (testing/synctest); in a program built by
// package exact it decides also the order of goroutines, so that a case replays.
package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/post"
	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/proof/tree"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
	"github.com/ramify/ramify/sweep"
	"github.com/ramify/ramify/task"
)

// run is the name of the one run there is.
const run = "run"

// world is all that there is in a case.
type world struct {
	c       Case
	log     *history.Log
	tree    *tree.Tree
	main    Queue
	dead    Queue
	ledger  Ledger
	tempo   int
	rough   time.Duration
	results *results
	keys    *schema.Keyring

	acting sync.Mutex // one request at a time acts

	reading sync.Mutex
	read    map[string]*schema.Message // by their bodies

	mu       sync.Mutex
	dice     *rand.Rand
	calm     bool    // nothing goes wrong for a while
	ended    bool    // nor ever again
	throttle float64 // part of all requests that are refused for a while
	workers  int     // that have begun
	gates    map[int]*gate
}

func newWorld(c Case, m Media) *world {
	key := func(b byte) []byte {
		secret := make([]byte, 32)
		secret[0] = b
		return secret
	}
	keys, err := schema.NewKeyring(schema.Key{ID: "ours", Secret: key(1)})
	if err != nil {
		panic(err)
	}
	w := &world{
		c: c, log: history.New(), keys: keys, results: newResults(), dice: c.dice("world", 0), gates: map[int]*gate{}, read: map[string]*schema.Message{},
		main: m.Main, dead: m.Dead, ledger: m.Ledger, tempo: m.Tempo, rough: m.Rough,
	}
	w.tree = tree.New(c.shape(m.Tempo), w.log)
	return w
}

// begin seeds the run.
func (w *world) begin(ctx context.Context, p *people) error {
	r := ledger.Run{ID: run, Root: w.tree.Root(), Options: ledger.Options{Retries: w.retries()}}
	if w.c.On("inline") {
		r.Options.Inline = 2 + int(w.c.roll("inline")*20)
	}
	if err := p.begin(ctx, r); err != nil {
		return err
	}
	if w.c.On("forge") {
		return w.forge(ctx)
	}
	return nil
}

func (w *world) retries() int { return int(w.c.roll("retries") * 4) }

// concurrency is how many slots each worker has.
func (w *world) concurrency() int { return 1 + int(w.c.roll("concurrency")*5) }

func (w *world) poster(g *gate) *post.Poster {
	return &post.Poster{Queue: messages{Queue: w.main, w: w, gate: g}, Keys: w.keys}
}

// worker is one process.
type worker struct {
	gate   *gate
	task   *task.Task
	keeper *sweep.Keeper
}

func (w *world) start(ctx context.Context) (*worker, error) {
	w.mu.Lock()
	w.workers++
	n := w.workers
	g := newGate(w, n)
	w.gates[n] = g
	w.mu.Unlock()
	l := records{w: w, gate: g}
	main, dead := messages{Queue: w.main, w: w, gate: g}, messages{Queue: w.dead, w: w, gate: g, dead: true}
	id := fmt.Sprintf("worker-%d", n)
	t, err := task.New(task.Config{
		ID: id, Queue: main, Dead: dead, Ledger: l, Board: l, Shared: w.c.roll("shared") < 0.5,
		Processors: w.tree.Set(n, func() ledger.Visits { return l }), Keys: w.keys,
		Sink:        func(context.Context, ledger.Run) (sink.Sink, error) { return drain{l, w.results}, nil },
		Concurrency: w.concurrency(), Report: w.pace(10 * time.Second),
		Observe:    func(task.Observation) { g.worked() },
		Visibility: w.pace(30 * time.Second), Wait: w.pace(20 * time.Second), Grace: w.pace(10 * time.Second),
	})
	if err != nil {
		return nil, err
	}
	made := &worker{gate: g, task: t}
	if w.keeps() {
		made.keeper, err = sweep.NewKeeper(sweep.Options{
			Name: "queue", ID: id, Ledger: l, Board: l, Leaser: l, Poster: w.poster(g),
			Dead: dead, Reason: task.AttrReason, Lost: t.Lost, Every: w.pace(20 * time.Second),
			// Nodes take a minute, and each sweep posts once more what waits: a fleet that
			// is swept faster than it works would not catch up.
			NoProgress: w.pace(15 * time.Minute),
		})
		if err != nil {
			return nil, err
		}
	}
	t.Start(ctx)
	if made.keeper != nil {
		made.keeper.Start(ctx)
	}
	return made, nil
}

// keeps reports whether there are keepers: without them the engine must come to the
// end alone, and with them where the queue loses or gives up what it has.
func (w *world) keeps() bool {
	return w.c.On("lose") || w.c.On("maxreceive") || w.c.On("sweep")
}

// stop drains a worker, or ends it at once where it is dead.
func (k *worker) stop(ctx context.Context) {
	k.gate.stops()
	if k.keeper != nil {
		k.keeper.Yield(ctx)
	}
	k.task.Stop(ctx)
	if k.keeper != nil {
		k.keeper.Stop(ctx)
	}
}

// depth is all messages of the main queue.
func (w *world) depth() int64 {
	d, err := w.main.Depth(context.Background())
	if err != nil {
		return 1
	}
	return d.Total()
}
