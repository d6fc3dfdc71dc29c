package sweep

import (
	"context"
	"sync"
	"time"

	"github.com/ramify/ramify/queue"
)

// How the dead-letter queue is looked through.
const (
	anyway    = 10 * time.Minute      // it is, whether or not its depth has changed
	hidden    = 30 * time.Second      // messages are, while one looks, and for each a little longer
	perLetter = 5 * time.Millisecond  //
	restAfter = 10 * time.Millisecond // for each message looked at, before the next look: at most 100 a second are received
	partial   = time.Minute           // before a look that follows one that did not see all
)

// letters looks after the dead-letter queue: it finds what the queue itself moved
// there. People's letters are received, too, since a queue cannot be read
// otherwise; they are seen again when their visibility timeout has passed.
type letters struct {
	k      *Keeper
	last   int64     // its depth at the last look; -1: look
	looked time.Time // when
	rest   time.Duration
}

func (l *letters) begin() { l.last, l.looked, l.rest = -1, time.Time{}, 0 }

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
	seen, settled := l.look(ctx, d)
	l.last, l.looked = d.Total(), time.Now()
	l.rest = min(time.Duration(seen)*restAfter, anyway)
	if int64(seen) < d.Visible {
		l.last, l.rest = -1, max(l.rest, min(partial, 6*l.k.Every))
	}
	if settled > 0 {
		l.k.Log.Info("settled what the queue had moved to its dead-letter queue", "messages", settled)
	}
}

// look receives through the queue once: as many messages as there seem to be, and
// some, or until there are none.
func (l *letters) look(ctx context.Context, d queue.Depth) (seen, settled int) {
	limits := l.k.Dead.Limits()
	most := d.Total() + d.Total()/8 + 2*int64(limits.Batch)
	request := queue.Request{
		Max: limits.Batch, Wait: time.Second,
		Visibility: min(hidden+time.Duration(min(d.Total(), 1<<20))*perLetter, limits.Visibility),
	}
	for empty := 0; empty < 2 && int64(seen) < most && ctx.Err() == nil; {
		got, err := l.k.Dead.Receive(ctx, request)
		if err != nil {
			if ctx.Err() == nil {
				l.k.Log.Warn("receive dead letters", "error", err)
			}
			return seen, settled
		}
		if empty++; len(got) > 0 {
			empty = 0
		}
		seen += len(got)
		settled += l.settle(ctx, got)
	}
	return seen, settled
}

// settle does away with those of some messages that carry no reason, and returns
// how many.
func (l *letters) settle(ctx context.Context, got []queue.Delivery) int {
	var mu sync.Mutex
	var done []queue.Receipt
	var all sync.WaitGroup
	for _, d := range got {
		if d.Attrs[l.k.Reason] != "" {
			continue
		}
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
	if len(done) == 0 {
		return 0
	}
	gone := 0
	for _, err := range l.k.Dead.Delete(ctx, done) {
		if err == nil {
			gone++
		} else if ctx.Err() == nil {
			l.k.Log.Warn("delete dead letter; it will be settled again", "error", err)
		}
	}
	return gone
}
