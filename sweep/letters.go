package sweep

import (
	"context"
	"sync"
	"time"

	"github.com/ramify/ramify/queue"
)

// How the dead-letter queue is looked through.
const (
	anyway    = 10 * time.Minute     // after which it is, whether or not its depth has changed
	partial   = time.Minute          // after a look that did not see all
	hidden    = 30 * time.Second     // messages are by a look,
	perLetter = 5 * time.Millisecond // and for each that there is: at most 200 a second are received
)

// letters looks after the dead-letter queue: it finds what the queue itself moved
// there. People's letters are received, too, since a queue cannot be read
// otherwise; they are seen again when their visibility timeout has passed.
type letters struct {
	k      *Keeper
	last   int64         // its depth at the last look; -1: look
	looked time.Time     // when
	rest   time.Duration // from then to the next
	failed int           // looks in a row that left something
}

func (l *letters) begin() { *l = letters{k: l.k, last: -1} }

// round looks at the queue's depth and, where that has changed, through it.
func (l *letters) round(ctx context.Context) {
	if l.k.Dead == nil {
		return
	}
	d, err := l.k.Dead.Depth(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.k.Log.Warn("count dead letters", "error", err)
		}
		return
	}
	age := time.Since(l.looked)
	if age < l.rest || d.Total() == l.last && age < anyway {
		return
	}
	got := l.look(ctx, d)
	l.last, l.looked, l.rest = d.Total(), time.Now(), 0
	switch {
	case got.left > 0:
		l.failed++
	case int64(got.seen) < d.Visible:
		l.failed = 1
	default:
		l.failed = 0
	}
	if l.failed > 0 {
		l.last, l.rest = -1, min(min(partial, 6*l.k.Every)<<min(l.failed-1, 10), anyway)
	}
	if got.settled > 0 {
		l.k.Log.Info("settled what the queue had moved to its dead-letter queue", "messages", got.settled)
	}
}

// sight is what a look came to: messages seen, settled, and left for a later look.
type sight struct{ seen, settled, left int }

// look receives through the queue once: as many messages as there seem to be, and
// some, or until there are none.
func (l *letters) look(ctx context.Context, d queue.Depth) (s sight) {
	limits := l.k.Dead.Limits()
	most := d.Total() + d.Total()/8 + 2*int64(limits.Batch)
	request := queue.Request{
		Max: limits.Batch, Wait: time.Second,
		Visibility: min(hidden+time.Duration(min(d.Total(), 1<<20))*perLetter, limits.Visibility),
	}
	for empty := 0; empty < 2 && int64(s.seen) < most && ctx.Err() == nil; {
		got, err := l.k.Dead.Receive(ctx, request)
		if err != nil {
			if ctx.Err() == nil {
				l.k.Log.Warn("receive dead letters", "error", err)
			}
			return s
		}
		if empty++; len(got) > 0 {
			empty = 0
		}
		s.seen += len(got)
		settled, left := l.settle(ctx, got)
		s.settled += settled
		s.left += left
	}
	return s
}

// settle does away with those of some messages that carry no reason, and returns
// how many, and how many are left.
func (l *letters) settle(ctx context.Context, got []queue.Delivery) (settled, left int) {
	var mu sync.Mutex
	var done []queue.Receipt
	var all sync.WaitGroup
	lost := 0
	for _, d := range got {
		if d.Attrs[l.k.Reason] != "" {
			continue
		}
		lost++
		all.Go(func() {
			if err := l.k.Lost(ctx, d); err != nil {
				if ctx.Err() == nil {
					l.k.Log.Warn("dead letter of the queue not settled; a later look will", "error", err)
				}
				return
			}
			mu.Lock()
			done = append(done, d.Receipt)
			mu.Unlock()
		})
	}
	all.Wait()
	if len(done) > 0 {
		for _, err := range l.k.Dead.Delete(ctx, done) {
			if err == nil {
				settled++
			} else if ctx.Err() == nil {
				l.k.Log.Warn("delete dead letter; it will be settled again", "error", err)
			}
		}
	}
	return settled, lost - settled
}
