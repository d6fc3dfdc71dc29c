package task

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ramify/ramify/queue"
)

// deleter deletes finished messages behind the units' backs. A delete that is
// lost costs a redelivery, which finds its work done: that is why no unit waits
// for one.
type deleter struct {
	t    *Task
	todo chan *held
	free chan struct{} // one for each call that may be made beside those under way
}

// Calls of Delete under way at a time. The queue puts entries of many calls into
// one request, and waits for them: to do so for a thousand a second it must have
// a good part of them at hand. Where calls take long they carry more each.
const deleteCalls = 64

// deletesWaiting is how many messages wait to be deleted before units do.
const deletesWaiting = 4096

func newDeleter(t *Task) *deleter {
	return &deleter{t: t, todo: make(chan *held, deletesWaiting), free: make(chan struct{}, deleteCalls)}
}

// add hands over a message that nothing remains to be done for.
func (d *deleter) add(m *held) {
	m.ended.Store(true)
	d.todo <- m
}

// patience is how long a call of deletes may take, and all that are left when
// the task stops. Those not made by then cost a redelivery each.
const patience = 5 * time.Second

// run deletes until ctx ends, and then what is left.
func (d *deleter) run(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	for ctx.Err() == nil {
		select {
		case m := <-d.todo:
			d.call(context.WithoutCancel(ctx), &calls, m)
		case <-ctx.Done():
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for len(d.todo) > 0 { // nobody adds or takes any more
		d.call(ctx, &calls, <-d.todo)
	}
	calls.Wait()
}

// call deletes a message, and those that wait with it, as soon as a call may be
// made.
func (d *deleter) call(ctx context.Context, calls *sync.WaitGroup, first *held) {
	d.free <- struct{}{}
	batch := []*held{first}
	for most := d.t.cfg.Queue.Limits().Batch; len(batch) < most; {
		select {
		case m := <-d.todo:
			batch = append(batch, m)
			continue
		default:
		}
		break
	}
	calls.Go(func() {
		d.delete(ctx, batch)
		<-d.free
	})
}

func (d *deleter) delete(ctx context.Context, batch []*held) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	receipts := make([]queue.Receipt, len(batch))
	for i, m := range batch {
		receipts[i] = m.Receipt
	}
	for i, err := range d.t.cfg.Queue.Delete(ctx, receipts) {
		if err != nil && !errors.Is(err, queue.ErrLeaseLost) {
			d.t.cfg.Log.Debug("delete message", "error", err)
		}
		d.t.holder.drop(batch[i])
	}
}
