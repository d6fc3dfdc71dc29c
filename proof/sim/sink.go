package sim

import (
	"context"
	"iter"
	"strings"
	"sync"

	"github.com/ramify/ramify/proof/history"
	"github.com/ramify/ramify/schema"
	"github.com/ramify/ramify/sink"
)

// results keeps the rows of all attempts that were committed, in the plainest way.
type results struct {
	mu     sync.Mutex
	parts  map[sink.Attempt][]string
	leaves map[schema.PID]first
}

type first struct {
	attempt sink.Attempt
	own     schema.Account
}

func newResults() *results {
	return &results{parts: map[sink.Attempt][]string{}, leaves: map[schema.PID]first{}}
}

// rows are those of a unit that counts.
func (r *results) rows(pid schema.PID, attempt uint64, leaf bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if leaf {
		return r.parts[r.leaves[pid].attempt]
	}
	return r.parts[sink.Attempt{Run: run, PID: pid, ID: attempt}]
}

// drain is the sink as one worker reaches it.
type drain struct {
	records
	results *results
}

var _ sink.Sink = drain{}

// Open implements sink.Sink.
func (d drain) Open(ctx context.Context, a sink.Attempt) (sink.Part, error) {
	err := d.call(ctx, "open", "sink", func(context.Context) error { return nil })
	return &part{drain: d, attempt: a}, err
}

// Finish implements sink.Sink; nobody calls it here.
func (drain) Finish(context.Context, iter.Seq2[sink.Committed, error]) (sink.Summary, error) {
	return sink.Summary{}, nil
}

// Read implements sink.Sink; nobody calls it here.
func (drain) Read(context.Context, string) iter.Seq2[[]byte, error] { return nil }

type part struct {
	drain
	attempt sink.Attempt
	mu      sync.Mutex
	rows    []string
}

// Write implements sink.Part.
func (p *part) Write(_ context.Context, _ string, block []byte, rows int) error {
	p.w.mu.Lock()
	lost := p.w.lost("sink")
	p.w.mu.Unlock()
	if lost {
		p.w.log.Saw("lost before write")
		return errAway
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if rows > 0 {
		p.rows = append(p.rows, strings.TrimSuffix(string(block), "\n"))
	}
	return nil
}

// Commit implements sink.Part.
func (p *part) Commit(ctx context.Context, leaf bool, own schema.Account) (settled schema.Account, err error) {
	settled = own
	err = p.call(ctx, "commit", "sink", func(context.Context) error {
		p.results.mu.Lock()
		defer p.results.mu.Unlock()
		if leaf {
			if won, ok := p.results.leaves[p.attempt.PID]; ok {
				settled = won.own
			} else {
				p.results.leaves[p.attempt.PID] = first{p.attempt, own}
			}
		}
		p.results.parts[p.attempt] = p.rows
		p.note(history.Event{What: history.Commit, PID: p.attempt.PID, Attempt: p.attempt.ID, Leaf: leaf, Account: own, Settled: settled})
		return nil
	})
	return settled, err
}

// Abort implements sink.Part.
func (p *part) Abort() {}
