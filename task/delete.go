package task

import (
	"context"
	"errors"
	"time"

	"github.com/ramify/ramify/queue"
)

// deleter deletes finished messages behind the units' backs, many at a time. A
// delete that is lost costs a redelivery, which finds its work done: that is why
// no unit waits for one.
type deleter struct {
	t    *Task
	todo chan *held
}

func newDeleter(t *Task) *deleter { return &deleter{t: t, todo: make(chan *held, 1024)} }

// add hands over a message that nothing remains to be done for.
func (d *deleter) add(m *held) { d.todo <- m }

// patience is how long a request of deletes may take, and all that are left when
// the task stops. Those not made by then cost a redelivery each.
const patience = 5 * time.Second

// run deletes until ctx ends, and then what is left.
func (d *deleter) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case m := <-d.todo:
			d.batch(context.WithoutCancel(ctx), m)
		case <-ctx.Done():
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for len(d.todo) > 0 { // nobody adds or takes any more
		d.batch(ctx, <-d.todo)
	}
}

func (d *deleter) batch(ctx context.Context, first *held) {
	batch := []*held{first}
	receipts := []queue.Receipt{first.Receipt}
	for most := d.t.cfg.Queue.Limits().Batch; len(batch) < most; {
		select {
		case m := <-d.todo:
			batch = append(batch, m)
			receipts = append(receipts, m.Receipt)
			continue
		default:
		}
		break
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i, err := range d.t.cfg.Queue.Delete(ctx, receipts) {
		if err != nil && !errors.Is(err, queue.ErrLeaseLost) {
			d.t.cfg.Log.Debug("delete message", "error", err)
		}
		d.t.holder.drop(batch[i])
	}
}
