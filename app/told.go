package app

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// errTold is why a command ends that was told to by a signal.
var errTold = fmt.Errorf("told to end by a signal: %w", context.Canceled)

// answered is in the context of a command: whether it answers to signals itself.
type answered struct{}

// answerSignals has a command answer to all signals that tell it to end, the second
// included: it has more to end than itself. It stops with the returned function.
func answerSignals(ctx context.Context) (<-chan os.Signal, func()) {
	told := make(chan os.Signal, 4)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	if itself, is := ctx.Value(answered{}).(*atomic.Bool); is {
		itself.Store(true)
	}
	return told, func() { signal.Stop(told) }
}

// untilTold is over when a signal tells the process to end. A second one ends it at
// once, as without us; signal.NotifyContext would swallow one that comes before its
// end is noticed.
func untilTold() (context.Context, context.CancelFunc) {
	itself := &atomic.Bool{}
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), answered{}, itself))
	told := make(chan os.Signal, 2)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		select {
		case <-told:
			cancel(errTold)
		case <-over:
			return
		}
		select {
		case s := <-told:
			if itself.Load() {
				return
			}
			signal.Reset(s)
			if p, err := os.FindProcess(os.Getpid()); err != nil || p.Signal(s) != nil {
				os.Exit(exitCannot)
			}
		case <-over:
		}
	}()
	return ctx, func() {
		signal.Stop(told)
		close(over)
		cancel(context.Canceled)
	}
}
