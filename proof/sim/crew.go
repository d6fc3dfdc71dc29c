package sim

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// crew is the workers of a case: who dies is replaced after a while.
type crew struct {
	w    *world
	ctx  context.Context
	dice *rand.Rand

	ended chan struct{} // closed: nobody is replaced
	all   sync.WaitGroup
}

// hire begins so many workers, each with its successors.
func (c *crew) hire(n int) error {
	for range n {
		k, err := c.w.start(c.ctx)
		if err != nil {
			return err
		}
		pause := c.w.c.dice("pause", c.w.workers)
		c.all.Go(func() { c.follow(k, pause) })
	}
	return nil
}

// follow replaces a worker by its successor each time that it dies, or now and then is
// stopped, as a deployment does.
func (c *crew) follow(k *worker, dice *rand.Rand) {
	for {
		stop := time.NewTimer(time.Duration(dice.ExpFloat64() * float64(c.w.pace(30*time.Minute))))
		ctx := context.Background()
		select {
		case <-c.ended:
			stop.Stop()
			k.stop(ctx)
			return
		case <-k.gate.crashed:
			stop.Stop()
			dead, cancel := context.WithCancel(ctx)
			cancel()
			c.all.Go(func() { k.stop(dead) })
			time.Sleep(c.w.pace(time.Duration(dice.Float64() * float64(20*time.Second))))
		case <-stop.C:
			c.w.log.Saw("a worker is stopped, and drains")
			k.stop(ctx)
		}
		next, err := c.w.start(c.ctx)
		if err != nil {
			panic(err)
		}
		k = next
	}
}

// dismiss stops all and waits for them.
func (c *crew) dismiss() {
	close(c.ended)
	c.all.Wait()
}
