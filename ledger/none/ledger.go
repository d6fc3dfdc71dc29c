// Package none is the ledger that keeps nothing: the bare pattern of a queue and
// workers, for trees whose nodes can be processed any number of times and of which
// nobody asks when they are done. It costs no request and no table.
//
// What it promises: every node is processed at least once, the children of what
// was processed are posted before its message is deleted, a node that fails is
// tried again and at last put into the dead-letter queue with the reason.
//
// What is not known without a ledger:
//
//   - totals and progress: nothing is added up, and a node counts as often as it is
//     processed; each task's own figures are all there is;
//   - the end: a run is running for ever. That the queue is empty says the same,
//     within the minute by which its counts may lag behind;
//   - duplicates: a message that is delivered twice walks all that is below its node
//     twice. An attempt that fails after it has revealed ten thousands of children
//     has posted some of them, and the next attempt posts them again;
//   - reduces: a node never learns that its children are done, so its second step is
//     run only where it has none, or all were done within its own unit;
//   - which attempts count: a sink cannot make a manifest, since it must be told;
//   - epochs: a run cannot be paused, cancelled, swept or redriven. What failed is in
//     the dead-letter queue, from where the queue's own redrive brings it back.
package none

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/ramify/ramify/internal/gate"
	"github.com/ramify/ramify/ledger"
	"github.com/ramify/ramify/schema"
)

// Options of the ledger. Post is required.
type Options struct {
	// Run is the options of every run: no record of a run keeps its own.
	Run ledger.Options

	// Post posts the children of a page of a wide node (post.Poster.Page), which
	// nothing keeps until a message of its own would ask for it. It returns when
	// they are durable.
	Post func(context.Context, ledger.Plan) error
}

// ErrNotKept is returned where something is asked that only a record could tell.
var ErrNotKept = errors.New("no ledger keeps the state of runs: work with one, as by `ramify setup` and --ledger, to pause, cancel or redrive them")

// unreachable is how many slots a plan would need to be complete.
const unreachable = math.MaxInt

// Ledger keeps nothing. It implements ledger.Ledger as far as the engine walks
// trees by it, and neither ledger.Board nor ledger.Leaser.
type Ledger struct {
	options Options

	calls *gate.Gate
}

var _ ledger.Ledger = (*Ledger)(nil)

// New is the ledger; it panics without Post, without which wide nodes would lose
// their children.
func New(o Options) *Ledger {
	if o.Post == nil {
		panic("none: Options.Post is nil")
	}
	return &Ledger{options: o, calls: gate.New(ledger.ErrClosed)}
}

// Create takes any run, and keeps nothing of it.
func (l *Ledger) Create(ctx context.Context, _ ledger.Run) error { return l.pass(ctx) }

// Run is a record made up for any name: a run in its first epoch that goes on for
// ever.
func (l *Ledger) Run(ctx context.Context, run string) (ledger.Run, error) {
	if err := l.pass(ctx); err != nil {
		return ledger.Run{}, err
	}
	return ledger.Run{ID: run, State: ledger.Running, Options: copyOptions(l.options.Run)}, nil
}

// Amend changes nothing: ErrNotKept.
func (l *Ledger) Amend(ctx context.Context, run string, _ ledger.Change) (ledger.Run, error) {
	err := l.pass(ctx)
	if err == nil {
		err = ErrNotKept
	}
	return ledger.Run{}, fmt.Errorf("change run %s: %w", run, err)
}

// Plan takes every plan, and returns it as it would be read again: a plan whose
// kids are pages has none to post, since the children of a page are posted as soon
// as the page is here.
func (l *Ledger) Plan(ctx context.Context, p ledger.Plan) (stored ledger.Plan, won bool, err error) {
	if err := l.calls.Enter(ctx); err != nil {
		return ledger.Plan{}, false, err
	}
	defer l.calls.Leave()
	stored = p
	switch {
	case len(p.Kids) > 0 && p.Kids[0].Group != nil: // of a wide plan all kids are pages
		stored.Kids = nil
	case p.Type == ledger.Group:
		if err := l.options.Post(ctx, p); err != nil {
			return ledger.Plan{}, false, fmt.Errorf("post children of a wide node: %w", err)
		}
	default:
		stored.Kids = slices.Clone(p.Kids)
	}
	return stored, true, nil
}

// Claim always holds: nothing is there to be fenced.
func (l *Ledger) Claim(ctx context.Context, _ string, at schema.Place, epoch int) (ledger.Tally, ledger.Outcome, error) {
	return l.slot(ctx, at, epoch)
}

// Settle always wins, and its tally is never complete, so that nothing climbs.
func (l *Ledger) Settle(ctx context.Context, s ledger.Settlement) (ledger.Tally, ledger.Outcome, error) {
	return l.slot(ctx, s.At, s.Epoch)
}

func (l *Ledger) slot(ctx context.Context, at schema.Place, epoch int) (ledger.Tally, ledger.Outcome, error) {
	if err := l.pass(ctx); err != nil {
		return ledger.Tally{}, 0, err
	}
	if at.IsRoot() {
		return ledger.Tally{}, ledger.Won, nil
	}
	return ledger.Tally{PID: at.Parent, Epoch: epoch, Header: &schema.Header{Required: unreachable}}, ledger.Won, nil
}

// Read finds no record.
func (l *Ledger) Read(ctx context.Context, keys []ledger.Key) ([]ledger.Record, error) {
	if err := l.pass(ctx); err != nil {
		return nil, err
	}
	return make([]ledger.Record, len(keys)), nil
}

// Close waits for calls in progress.
func (l *Ledger) Close() error {
	l.calls.Close()
	return nil
}

// pass is a call that asks nobody.
func (l *Ledger) pass(ctx context.Context) error {
	err := l.calls.Enter(ctx)
	if err == nil {
		l.calls.Leave()
	}
	return err
}

func copyOptions(o ledger.Options) ledger.Options {
	o.Params = maps.Clone(o.Params)
	return o
}
