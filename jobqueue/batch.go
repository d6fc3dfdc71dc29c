package jobqueue

import (
	"context"
)

// Batch sends many jobs, in memory that does not grow with them: those of a queue wait
// until they fill requests.
type Batch struct {
	Queues Queues
	// Done is told of each posting, by the number that Add was given.
	Done func(n int, p Posting, s Sent)

	pending map[string][]numbered
	order   []string // of queues, as they came
	bytes   int
	sent    int // requests of earlier calls
}

type numbered struct {
	Posting
	n int
}

// What waits at most: a queue's that fill a hundred requests, and all together.
const (
	mostWaiting = 1000
	mostBytes   = 32 << 20
)

// Add adds a posting, with a number of the caller's.
func (b *Batch) Add(ctx context.Context, n int, p Posting) {
	if b.pending == nil {
		b.pending = map[string][]numbered{}
	}
	waiting, known := b.pending[p.Queue]
	if !known {
		b.order = append(b.order, p.Queue)
	}
	b.pending[p.Queue] = append(waiting, numbered{p, n})
	b.bytes += len(p.Body)
	switch {
	case b.bytes >= mostBytes:
		b.Flush(ctx)
	case len(b.pending[p.Queue]) == mostWaiting:
		b.send(ctx, b.pending[p.Queue])
		b.pending[p.Queue] = nil
	}
}

// Flush sends what waits.
func (b *Batch) Flush(ctx context.Context) {
	var all []numbered
	for _, name := range b.order {
		all = append(all, b.pending[name]...)
		b.pending[name] = nil
	}
	if len(all) > 0 {
		b.send(ctx, all)
	}
}

func (b *Batch) send(ctx context.Context, all []numbered) {
	postings := make([]Posting, len(all))
	for i, p := range all {
		postings[i] = p.Posting
		b.bytes -= len(p.Body)
	}
	most := 0
	for i, s := range b.Queues.Send(ctx, postings) {
		most = max(most, s.Request)
		if s.Request > 0 {
			s.Request += b.sent
		}
		b.Done(all[i].n, all[i].Posting, s)
	}
	b.sent += most
}
